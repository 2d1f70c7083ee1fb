// An export of messages: the API gives it in parts, each a CSV file of its own.

export interface Part {
  text: string;
  // link is the header that leads to the next part, null at the end.
  link: string | null;
}

// nextCursor returns the cursor in a Link header: <?cursor=...&limit=...>; rel="next".
// It is empty if there is no next part.
export function nextCursor(link: string | null): string {
  const query = /<[^>]*\?([^>]*)>;\s*rel="?next"?/.exec(link ?? '')?.[1];
  return new URLSearchParams(query ?? '').get('cursor') ?? '';
}

// withoutHeader returns a part without its first line.
export function withoutHeader(csv: string): string {
  const end = csv.indexOf('\n');
  return end < 0 ? '' : csv.slice(end + 1);
}

// rows returns the number of rows in a part. No cell of an export of messages has a line
// break in it.
export function rows(csv: string): number {
  return withoutHeader(csv).split('\n').filter((line) => line.trim() !== '').length;
}

// Export collects the parts of one export. It can stop and go on: what was read stays.
export class Export {
  readonly parts: string[] = [];
  done = false;
  count = 0;
  #cursor = '';

  // run reads until the end or until the signal aborts. It calls progress after each part.
  async run(read: (cursor: string) => Promise<Part>, signal: AbortSignal, progress: () => void): Promise<void> {
    while (!this.done && !signal.aborted) {
      const part = await read(this.#cursor);
      if (signal.aborted) return;
      this.parts.push(this.parts.length === 0 ? part.text : withoutHeader(part.text));
      this.count += rows(part.text);
      this.#cursor = nextCursor(part.link);
      this.done = this.#cursor === '';
      progress();
    }
  }
}
