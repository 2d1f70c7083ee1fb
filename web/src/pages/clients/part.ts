// A part of a file as it is sent: CSV in UTF-8 with the columns of the API.
import { fields, isPhone, rewritten, type Field, type Mapping } from './columns.ts';
import { csvLine, type Fault, type Row } from './csv.ts';

// Limits of one request, see the description of import-clients: 4 MiB, and an import
// ends after 10,000 rejected rows.
export const maxBytes = 3 << 20;
export const maxRows = 5_000;

// Plan is what is sent of each row.
export interface Plan {
  mapping: Mapping;
  // The number of columns that each row must have.
  width: number;
  // rewrite writes phones in the form of the API, where their meaning is clear.
  rewrite: boolean;
  // empty has the values for rows without a tag or a time zone; "" is none.
  empty: { tag: string; timezone: string };
}

// Reason is why a row is rejected: by the API, in its words, or by the page, with the key
// of a text.
export type Reason = { field: string; message: string } | { key: `fault.${Fault}` | 'cells' | 'phone' | 'twice'; values: Record<string, number> };

export interface Rejected {
  row: Row;
  reasons: Reason[];
}

// Answer is the part of the API's answer that counts.
export interface Answer {
  created: number;
  updated: number;
  unchanged: number;
  rows: { line: number; errors: { location: string; message: string }[] }[];
  next_line?: number;
}

interface Entry {
  row: Row;
  phone: string;
  // text is the row as it is sent; a rejected row is not sent.
  text?: string;
  reasons?: Reason[];
}

// Part has rows that are sent together, and between them rows that the page rejects by
// itself.
export interface Part {
  entries: Entry[];
  bytes: number;
}

// Seen has the line of each phone that was imported. The API knows the phones of one
// request only.
export type Seen = Map<number, number>;

// sentColumns returns the columns of a part. A value for empty cells makes a column that
// the file may not have.
export function sentColumns(plan: Plan): Field[] {
  return fields.filter((f) => plan.mapping.includes(f) || (f === 'tag' && plan.empty.tag) || (f === 'timezone' && plan.empty.timezone));
}

// entryOf returns a row as it is sent, or why it is not sent.
export function entryOf(row: Row, plan: Plan, seen: Seen): Entry {
  const value = (field: Field) => {
    const cell = row.cells[plan.mapping.indexOf(field)] ?? '';
    if (field === 'phone') return plan.rewrite ? rewritten(cell) : cell;
    if (field === 'operator_code') return cell.trim();
    return cell.trim() || plan.empty[field];
  };
  const phone = value('phone');
  const entry: Entry = { row, phone };
  const first = seen.get(phoneKey(phone));
  if (row.fault) entry.reasons = [{ key: `fault.${row.fault}`, values: {} }];
  else if (misshaped(row.cells, plan)) entry.reasons = [{ key: 'cells', values: { n: row.cells.length, columns: plan.width } }];
  // The API takes a line that is empty for no row at all.
  else if (phone.trim() === '') entry.reasons = [{ key: 'phone', values: {} }];
  else if (first !== undefined) entry.reasons = [{ key: 'twice', values: { line: first } }];
  else entry.text = csvLine(sentColumns(plan).map(value));
  return entry;
}

// misshaped reports whether a row has more cells than columns, or lacks the cell of a
// column that is imported: then its values may be in wrong columns.
function misshaped(cells: string[], plan: Plan): boolean {
  const needed = plan.mapping.reduce((last, field, i) => (field ? i + 1 : last), 0);
  return cells.length < needed || cells.slice(plan.width).some((c) => c.trim() !== '');
}

// phoneKey returns a phone as a number, which takes less memory; other texts are NaN,
// which is never seen.
function phoneKey(phone: string): number {
  return isPhone(phone) ? Number(phone) : NaN;
}

// sentText returns the CSV of a part, "" if none of its rows is sent.
export function sentText(part: Part, plan: Plan): string {
  const lines = part.entries.map((e) => e.text ?? '').join('');
  return lines && csvLine(sentColumns(plan)) + lines;
}

export interface Merged {
  created: number;
  updated: number;
  unchanged: number;
  rejected: Rejected[];
  // read is the number of rows that are done.
  read: number;
  // rest is the part that the API has not read, if it stopped early.
  rest: Part | undefined;
}

// merge turns the lines of an answer into those of the file, puts rows that the page and
// the API rejected in order, and notes the phones that were imported.
export function merge(part: Part, answer: Answer, seen: Seen): Merged {
  const errors = new Map(answer.rows.map((r) => [r.line, r.errors]));
  const rejected: Rejected[] = [];
  let line = 2; // of the part; the first one is the header
  let read = 0;
  for (const e of part.entries) {
    if (answer.next_line !== undefined && line >= answer.next_line) break;
    read++;
    if (e.text === undefined) {
      rejected.push({ row: e.row, reasons: e.reasons ?? [] });
      continue;
    }
    const why = errors.get(line);
    line += e.text.match(/\r\n|\r|\n/g)!.length;
    const key = phoneKey(e.phone);
    if (why) rejected.push({ row: e.row, reasons: why.map((w) => reasonOf(w, seen.get(key))) });
    else if (key === key && !seen.has(key)) seen.set(key, e.row.line);
  }
  const left = part.entries.slice(read);
  const { created, updated, unchanged } = answer;
  return { created, updated, unchanged, rejected, read, rest: left.length > 0 ? { entries: left, bytes: 0 } : undefined };
}

// reasonOf returns the API's reason. Where the phone was imported before, the API's words
// would name a line of the part: first is the line in the file.
function reasonOf(why: { location: string; message: string }, first: number | undefined): Reason {
  if (why.location === 'phone' && first !== undefined) return { key: 'twice', values: { line: first } };
  return { field: why.location, message: why.message };
}
