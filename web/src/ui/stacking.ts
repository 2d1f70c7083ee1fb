// The arithmetic of stacked bars over time.

// stack returns the upper ends of bars that stand on each other: the first series from
// zero, each other one on those before it.
export function stack(series: number[][]): number[][] {
  let below: number[] = [];
  return series.map((values) => (below = values.map((v, i) => v + (below[i] ?? 0))));
}

// steps are the distances between two lines of an axis that counts whole things.
export const steps: number[] = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

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
