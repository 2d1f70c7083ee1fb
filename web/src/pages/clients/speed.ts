// How fast an import is, without the time in which it stands still.

const span = 30_000; // milliseconds that count

export class Speed {
  // elapsed is the time that the import has run, in milliseconds.
  elapsed = 0;
  private points: { at: number; rows: number }[] = [{ at: 0, rows: 0 }];
  private since = 0;

  // start says that work begins now. The time before, since the last add, does not count.
  start(now: number) {
    this.since = now;
  }

  // add notes that so many rows are done.
  add(rows: number, now: number) {
    this.elapsed += now - this.since;
    this.since = now;
    this.points.push({ at: this.elapsed, rows });
    while (this.points.length > 2 && this.points[1]!.at < this.elapsed - span) this.points.shift();
  }

  // perSecond is the number of rows a second lately, undefined before the first.
  get perSecond(): number | undefined {
    const first = this.points[0]!;
    const last = this.points.at(-1)!;
    return last.at > first.at ? ((last.rows - first.rows) / (last.at - first.at)) * 1000 : undefined;
  }
}
