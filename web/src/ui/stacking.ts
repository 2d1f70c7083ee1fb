// The arithmetic of stacked bars over time.

// stack returns the upper ends of bars that stand on each other: the first series from
// zero, each other one on those before it.
export function stack(series: number[][]): number[][] {
  let below: number[] = [];
  return series.map((values) => (below = values.map((v, i) => v + (below[i] ?? 0))));
}

// steps are the distances between two lines of an axis that counts whole things.
export const steps: number[] = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

// timeSteps are the distances between two lines of an axis of time, in seconds.
export const timeSteps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400];

// least is the number of steps that an axis of time has at least: a single bar shall not
// fill the plot.
const least = 12;

// timeRange returns the beginning and the end of an axis of time. at are the beginnings of
// steps.
export function timeRange(at: number[], step: number): [number, number] {
  const first = at[0] ?? 0;
  const end = (at[at.length - 1] ?? 0) + step;
  return [first, Math.max(end, first + least * step)];
}

// tickLabels returns the texts of an axis of time: the time of day, and under it the date
// where it is another one than before. at are seconds since 1970, and apart is the
// distance between two of them.
export function tickLabels(at: number[], apart: number, locale: string, timeZone?: string): string[] {
  const zone = timeZone ? { timeZone } : {};
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', ...(apart < 60 ? { second: '2-digit' } : {}), ...zone });
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', ...zone });
  let before = '';
  return at.map((seconds) => {
    const date = new Date(seconds * 1000);
    const today = day.format(date);
    const text = apart >= 86_400 ? today : today === before ? clock.format(date) : `${clock.format(date)}\n${today}`;
    before = today;
    return text;
  });
}
