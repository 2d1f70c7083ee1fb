// CSV as spreadsheets write it: any separator, CR, LF or CRLF, cells in quotes.

// Fault is why the text of a row cannot be read as cells: a quote that is not closed, text
// after the closing quote, or no end of the row.
export type Fault = 'open' | 'after' | 'long';

export interface Row {
  // line is the line of the file in which the row begins. The first line is 1.
  line: number;
  cells: string[];
  // A row with a fault has its first line as its only cell.
  fault?: Fault;
}

// longest is the length of the longest row, in characters. A quote that is never closed
// would otherwise take in the rest of the file.
export const longest = 65_536;

const lf = 10;
const cr = 13;
const quote = '"';

type Found = { cells: string[]; next: number; lines: number } | { fault: Fault };

// Parser reads rows from text that comes in pieces of any length. Quotes that do not
// begin a cell are text. A row with a fault ends at the end of its first line, so one
// wrong quote costs one row.
export class Parser {
  private text = '';
  private line = 1;
  // skipping is whether the text begins inside of a line that was given up.
  private skipping = false;
  private readonly separator: number;

  constructor(separator: string) {
    this.separator = separator.charCodeAt(0);
  }

  push(text: string): Row[] {
    this.text += text;
    return this.read(false);
  }

  // end returns the rows that were left without a line end.
  end(): Row[] {
    return this.read(true);
  }

  private read(last: boolean): Row[] {
    const rows: Row[] = [];
    let at = this.skipping ? this.skip(0, last) : 0;
    while (!this.skipping && at < this.text.length) {
      const found = this.row(at, last);
      if (!found) break;
      if ('fault' in found) {
        const rest = this.text.slice(at, at + longest);
        rows.push({ line: this.line, cells: [/^[^\r\n]*/.exec(rest)![0]], fault: found.fault });
        at = this.skip(at, last);
      } else {
        rows.push({ line: this.line, cells: found.cells });
        at = found.next;
        this.line += found.lines;
      }
    }
    this.text = this.text.slice(at);
    return rows;
  }

  // skip returns where the next line begins. If that is not known yet, the line goes on in
  // the next piece.
  private skip(from: number, last: boolean): number {
    const { text } = this;
    const end = text.slice(from).search(/[\r\n]/) + from;
    this.skipping = end < from || (!last && end + 1 === text.length && text.charCodeAt(end) === cr);
    if (this.skipping) return end < from ? text.length : end;
    this.line++;
    return afterLineEnd(text, end);
  }

  // row reads the row at an offset. It returns undefined if more text is needed.
  private row(from: number, last: boolean): Found | undefined {
    const { text } = this;
    const cells: string[] = [];
    let lines = 1;
    let at = from;
    for (;;) {
      if (text[at] === quote) {
        const cell = this.quoted(at, last);
        if (cell === undefined) return text.length - from > longest ? { fault: 'open' } : undefined;
        if (typeof cell === 'string') return { fault: cell };
        cells.push(cell.text);
        lines += cell.lines;
        at = cell.next;
      } else {
        const start = at;
        for (; at < text.length; at++) {
          const c = text.charCodeAt(at);
          if (c === this.separator || c === lf || c === cr) break;
        }
        cells.push(text.slice(start, at));
      }
      if (at - from > longest) return { fault: lines > 1 ? 'open' : 'long' };
      if (at === text.length) return last ? { cells, next: at, lines } : undefined;
      if (text.charCodeAt(at) === this.separator) {
        at++;
        continue;
      }
      // A CR at the end of a piece may be the first half of CRLF.
      if (text.charCodeAt(at) === cr && at + 1 === text.length && !last) return undefined;
      return { cells, next: afterLineEnd(text, at), lines };
    }
  }

  // quoted reads the cell whose first quote is at an offset. It returns undefined if more
  // text is needed.
  private quoted(from: number, last: boolean): { text: string; next: number; lines: number } | Fault | undefined {
    const { text } = this;
    let cell = '';
    let start = from + 1;
    for (;;) {
      const end = text.indexOf(quote, start);
      if (end < 0) return last ? 'open' : undefined;
      if (end + 1 === text.length && !last) return undefined;
      if (text[end + 1] === quote) {
        cell += text.slice(start, end + 1);
        start = end + 2;
        continue;
      }
      cell += text.slice(start, end);
      const lines = cell.match(/\r\n|\r|\n/g)?.length ?? 0;
      const c = text.charCodeAt(end + 1);
      const closed = end + 1 === text.length || c === this.separator || c === lf || c === cr;
      // Where a cell over several lines is followed by text, its quote was opened by
      // mistake, and the closing quote is the first one of a later row.
      if (!closed) return lines > 0 ? 'open' : 'after';
      return { text: cell, next: end + 1, lines };
    }
  }
}

function afterLineEnd(text: string, at: number): number {
  return text.charCodeAt(at) === cr && text.charCodeAt(at + 1) === lf ? at + 2 : at + 1;
}

// csvLine writes cells as a line with its end.
export function csvLine(cells: string[], separator = ','): string {
  return cells.map((c) => cell(c, separator)).join(separator) + '\n';
}

function cell(text: string, separator: string): string {
  return text.includes(separator) || /["\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// safe returns a text that a spreadsheet shows and does not run as a formula. The API
// removes the apostrophes again, as it does with those of its exports.
export function safe(text: string): string {
  return text.replace(/(^|[;\r\n])(?=[ "]*[=+\-@\t\r'])/g, "$1'");
}
