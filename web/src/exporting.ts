// The export puts all pages together to one file.

export interface ExportPage {
  text: string;
  // next is the cursor of the next page, "" at the end.
  next: string;
}

// cursorOf returns the cursor in a Link header, "" if there is none.
export function cursorOf(header: string | null): string {
  const found = /<\?([^>]*)>;\s*rel="next"/.exec(header ?? '');
  return found ? (new URLSearchParams(found[1]).get('cursor') ?? '') : '';
}

// Export reads page after page. It can go on after an error.
export class Export {
  // texts are the pieces of the file. The header comes once, and before it the byte order
  // mark that the first page has on request.
  readonly texts: string[] = [];
  rows = 0;
  private next: string | undefined = '';
  private readonly read: (cursor: string) => Promise<ExportPage>;

  constructor(read: (cursor: string) => Promise<ExportPage>) {
    this.read = read;
  }

  // run reads to the end. It calls progress after each page.
  async run(progress: () => void) {
    while (this.next !== undefined) {
      const page = await this.read(this.next);
      const header = page.text.indexOf('\n') + 1;
      const rows = page.text.slice(header);
      this.texts.push(this.texts.length === 0 ? page.text : rows);
      this.rows += rowsIn(rows);
      this.next = page.next || undefined;
      progress();
    }
  }
}

// rowsIn counts rows. A line end inside of quotes ends no row.
export function rowsIn(text: string): number {
  return text.replace(/"[^"]*"/g, '').split('\n').length - 1;
}
