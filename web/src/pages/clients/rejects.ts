// The rows that were not imported, as a file that can be mended and imported again.
import { csvLine, safe } from './csv.ts';
import type { Rejected } from './part.ts';

// Rejects keeps the rejected rows as CSV, and the first of them for the page.
export class Rejects {
  readonly first: { line: number; reason: string; cells: string[] }[] = [];
  private readonly texts: string[] = [];
  private readonly separator: string;
  private readonly header: string[];

  // header has the names of the two first columns, line and reason, and of the columns of
  // the imported file.
  constructor(header: string[], separator: string) {
    this.header = header;
    this.separator = separator;
  }

  // add takes rows with their reasons as text.
  add(rows: { row: Rejected['row']; reason: string }[]) {
    for (const { row, reason } of rows) {
      if (this.first.length < 100) this.first.push({ line: row.line, reason, cells: row.cells });
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
