// The rows that were not imported, as a file that can be mended and imported again.
import { csvLine, safe } from './csv.ts';
import type { Rejected } from './part.ts';

// Rejects keeps the rejected rows as CSV, and the first of them for the page.
export class Rejects {
  readonly first: { line: number; reason: string; cells: string[] }[] = [];
  // kinds has the number of rows for each kind of reason. A row with two reasons counts in
  // both.
  readonly kinds = new Map<string, number>();
  private readonly texts: string[] = [];
  private readonly separator: string;
  private readonly header: string[];

  // header has the names of the two first columns, line and reason, and of the columns of
  // the imported file.
  constructor(header: string[], separator: string) {
    this.header = header;
    this.separator = separator;
  }

  // add takes rows with their reasons as text, and the kinds of the reasons, which say no
  // numbers of lines and cells.
  add(rows: { row: Rejected['row']; reason: string; kinds: string[] }[]) {
    for (const { row, reason, kinds } of rows) {
      for (const kind of new Set(kinds)) this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
      if (this.first.length < 20) this.first.push({ line: row.line, reason, cells: row.cells });
    }
    if (rows.length > 0) this.texts.push(rows.map(({ row, reason }) => this.text([String(row.line), reason, ...row.cells])).join(''));
  }

  // file returns the pieces of the file. A byte order mark lets spreadsheets read it as
  // UTF-8.
  file(): string[] {
    return ['\ufeff', this.text(this.header), ...this.texts];
  }

  private text(cells: string[]): string {
    return csvLine(cells.map(safe), this.separator);
  }
}
