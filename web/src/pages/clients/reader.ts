// Reading a file of any size: bytes to text, text to rows.
import { Parser, type Row } from './csv.ts';
import { Damage, type Encoding } from './encoding.ts';
import { fieldOf, hasHeader, isPhone, rewritten } from './columns.ts';

export const separators = [',', ';', '\t', '|'] as const;

// Shape is how the bytes of a file are read.
export interface Shape {
  encoding: Encoding;
  separator: string;
  // header is whether the first row has the names of the columns.
  header: boolean;
}

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

// sample is what a preview is made of.
export interface Sample {
  header: string[] | undefined;
  rows: Row[];
}

// separatorOf returns the separator of a file that begins with the text: the one that
// Excel's line sep=; names, or the one that gives most names of columns, or most cells.
export function separatorOf(text: string): string {
  const named = /^[\r\n]*"?sep=(.)"?[,;\t| ]*[\r\n]/i.exec(text);
  if (named) return named[1]!;
  let best = ',';
  let bestScore = 0;
  for (const s of separators) {
    const rows = firstRows(text, s).slice(0, 20);
    const width = rows[0]?.cells.length ?? 0;
    const regular = rows.filter((r) => r.cells.length === width).length / Math.max(1, rows.length);
    const score = width < 2 ? 0 : rows[0]!.cells.filter((c) => fieldOf(c)).length * 1000 + width * regular;
    if (score > bestScore) [best, bestScore] = [s, score];
  }
  return best;
}

// firstRows returns the rows of a text whose last row may be cut off.
function firstRows(text: string, separator: string): Row[] {
  const parser = new Parser(separator);
  const rows = parser.push(text);
  return (rows.length > 0 ? rows : parser.end()).filter((r, i) => !blank(r.cells) && !(i === 0 && isSepLine(r.cells, separator)));
}

// shapeOf returns how a file is read that begins with the bytes.
export function shapeOf(start: Uint8Array, encoding: Encoding): Shape {
  const text = new TextDecoder(encoding).decode(start, { stream: true });
  const separator = separatorOf(text);
  return { encoding, separator, header: hasHeader(firstRows(text, separator).map((r) => r.cells)) };
}

// sampleOf returns the first rows of a file. complete is whether start is all of it.
export function sampleOf(start: Uint8Array, shape: Shape, complete: boolean, limit = 50): Sample {
  const clean = new Cleaner(shape);
  const parser = new Parser(shape.separator);
  let rows = parser.push(new TextDecoder(shape.encoding).decode(start, { stream: !complete }));
  if (complete || rows.length === 0) rows = [...rows, ...parser.end()];
  rows = clean.clean(rows).slice(0, limit);
  return { header: clean.header, rows };
}

// rowsOf reads a file to its end. It returns the rows of one piece at a time, without
// the header, without repetitions of it, and without rows of separators and blanks.
export async function* rowsOf(chunks: Chunks, shape: Shape, seen?: (text: string, bytes: number) => void): AsyncGenerator<Row[]> {
  const clean = new Cleaner(shape);
  const decoder = new TextDecoder(shape.encoding);
  const parser = new Parser(shape.separator);
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    seen?.(text, chunk.length);
    yield clean.clean(parser.push(text));
  }
  const rest = decoder.decode();
  seen?.(rest, 0);
  yield clean.clean([...parser.push(rest), ...parser.end()]);
}

// Cleaner removes what is no row of data.
class Cleaner {
  header: string[] | undefined;
  private readonly shape: Shape;
  private begun = false;

  constructor(shape: Shape) {
    this.shape = shape;
  }

  clean(rows: Row[]): Row[] {
    return rows.filter((r) => {
      if (blank(r.cells)) return false;
      if (!this.begun && isSepLine(r.cells, this.shape.separator)) return false;
      const first = !this.begun;
      this.begun = true;
      if (!this.shape.header || r.fault) return true;
      if (first) this.header = r.cells.map((c) => c.trim());
      return !this.header || r.cells.length !== this.header.length || r.cells.some((c, i) => c.trim() !== this.header![i]);
    });
  }
}

function blank(cells: string[]): boolean {
  return cells.every((c) => c.trim() === '');
}

// isSepLine recognises the line by which Excel names the separator. Where it names the
// separator that is used, the line is read as two cells. A spreadsheet that has saved the
// file again has put more separators after it.
function isSepLine(cells: string[], separator: string): boolean {
  return /^sep=.[,;\t| ]*$/i.test(cells.join(separator));
}

// Survey is what a look through the whole file has found.
export interface Survey {
  rows: number;
  // phones is the number of rows by the form of their phone: as the API takes it, in
  // another form that can be rewritten, or neither.
  phones: { right: number; rewritable: number; wrong: number };
  // example is the first phone that can be rewritten.
  example: string | undefined;
  withoutZone: number;
  // wrongEncoding is whether the text could not be read as UTF-8.
  wrongEncoding: boolean;
}

// Surveyor counts while a file is read.
export class Surveyor {
  readonly found: Survey = { rows: 0, phones: { right: 0, rewritable: 0, wrong: 0 }, example: undefined, withoutZone: 0, wrongEncoding: false };
  private readonly phone: number;
  private readonly zone: number;

  constructor(phone: number, zone: number) {
    this.phone = phone;
    this.zone = zone;
  }

  add(rows: Row[]) {
    const { found } = this;
    for (const { cells } of rows) {
      found.rows++;
      if (!cells[this.zone]?.trim()) found.withoutZone++;
      const cell = cells[this.phone] ?? '';
      if (isPhone(cell)) found.phones.right++;
      else if (isPhone(rewritten(cell))) {
        found.phones.rewritable++;
        found.example ??= cell;
      } else found.phones.wrong++;
    }
  }
}

// survey reads the whole file and counts. It stops early where the encoding is wrong.
// progress is called after each piece, with the bytes so far; it may wait, so that the
// page stays alive, and ends the survey by throwing.
export async function survey(chunks: Chunks, shape: Shape, columns: { phone: number; timezone: number }, progress: (found: Survey, bytes: number) => Promise<void> | void): Promise<Survey> {
  const counter = new Surveyor(columns.phone, columns.timezone);
  const damage = new Damage();
  let bytes = 0;
  const rows = rowsOf(chunks, shape, (text, length) => {
    bytes += length;
    if (shape.encoding === 'utf-8') damage.look(text);
  });
  for await (const some of rows) {
    counter.add(some);
    if (damage.wrong) break;
    await progress(counter.found, bytes);
  }
  counter.found.wrongEncoding = damage.wrong;
  return counter.found;
}

