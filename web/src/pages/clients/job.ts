// The import of a file, part after part. It can stop between two parts and go on.
import type { Row } from './csv.ts';
import { entryOf, maxBytes, maxRows, merge, sentText, type Answer, type Part, type Plan, type Rejected, type Seen } from './part.ts';

export interface Totals {
  // read is the number of rows whose outcome is known.
  read: number;
  created: number;
  updated: number;
  unchanged: number;
  rejected: number;
}

// aim is the time that one part shall take, in milliseconds: long enough to be fast, and
// short enough to show progress and to stop soon.
const aim = 2_500;
const fewest = 100;

// Stalled means that the API answered, but did none of the rows.
export class Stalled extends Error {}

// Job imports rows. Its methods are called by one caller at a time, except stop.
export class Job {
  readonly totals: Totals = { read: 0, created: 0, updated: 0, unchanged: 0, rejected: 0 };
  // resent is whether a part was sent again after its answer had been lost. Rows that it
  // had stored count as unchanged.
  resent = false;
  private size = 500; // rows of the next part
  private open: Part | undefined;
  private sent = false;
  private buffer: Row[] = [];
  private at = 0;
  private stopping = false;
  private readonly seen: Seen = new Map();
  private readonly rows: AsyncIterator<Row[]>;
  private readonly plan: Plan;
  private readonly send: (csv: string) => Promise<Answer>;
  private readonly now: () => number;
  private readonly done: (rejected: Rejected[]) => void;

  // send sends a part. done is called after each part, with the rows that it rejected.
  constructor(o: { rows: AsyncIterator<Row[]>; plan: Plan; send: (csv: string) => Promise<Answer>; done: (rejected: Rejected[]) => void; now: () => number }) {
    this.rows = o.rows;
    this.plan = o.plan;
    this.send = o.send;
    this.done = o.done;
    this.now = o.now;
  }

  // stop lets run return after the part that is being sent.
  stop() {
    this.stopping = true;
  }

  // run imports until the end of the file, or until stop is called, and reports whether
  // the file is done. After an error of send it can be called again: the part is then
  // sent again, which changes nothing where it was stored before.
  async run(): Promise<boolean> {
    this.stopping = false;
    for (;;) {
      if (this.stopping) return false;
      this.open ??= await this.next();
      if (!this.open) return true;
      await this.step(this.open);
    }
  }

  private async step(part: Part) {
    const csv = sentText(part, this.plan);
    const start = this.now();
    let answer: Answer = { created: 0, updated: 0, unchanged: 0, rows: [] };
    if (csv) {
      this.resent ||= this.sent;
      this.sent = true;
      answer = await this.send(csv);
      this.sent = false;
    }
    const merged = merge(part, answer, this.seen);
    if (merged.read === 0) throw new Stalled();
    if (csv) this.adapt(merged.read, this.now() - start);
    this.open = merged.rest;
    this.totals.read += merged.read;
    this.totals.created += merged.created;
    this.totals.updated += merged.updated;
    this.totals.unchanged += merged.unchanged;
    this.totals.rejected += merged.rejected.length;
    this.done(merged.rejected);
  }

  // adapt chooses the size of the next part by the time that the last one took. The size
  // at most doubles, because the first parts are slower or faster than others.
  private adapt(rows: number, took: number) {
    const fitting = (rows * aim) / Math.max(1, took);
    this.size = Math.round(Math.max(fewest, Math.min(maxRows, this.size * 2, fitting)));
  }

  // next returns the next part, undefined at the end of the file.
  private async next(): Promise<Part | undefined> {
    const part: Part = { entries: [], bytes: 0 };
    while (part.entries.length < this.size && part.bytes < maxBytes) {
      if (this.at === this.buffer.length) {
        const more = await this.rows.next();
        if (more.done) break;
        this.buffer = more.value;
        this.at = 0;
        continue;
      }
      const entry = entryOf(this.buffer[this.at++]!, this.plan, this.seen);
      part.entries.push(entry);
      // A character takes at most three bytes in UTF-8.
      part.bytes += (entry.text?.length ?? 0) * 3;
    }
    return part.entries.length > 0 ? part : undefined;
  }
}
