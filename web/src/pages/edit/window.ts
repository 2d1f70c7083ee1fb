// What the window of a mailing means for clients in other zones.
import { faceAt, offset } from '../../zone.ts';

const minute = 60_000;
const day = 86_400_000;

export interface Window {
  from: string;
  to: string;
}

// clockTime reads "HH:MM" as milliseconds since 00:00; nothing if it is not a time.
export function clockTime(text: string): number | undefined {
  const m = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return m ? (Number(m[1]) * 60 + Number(m[2])) * minute : undefined;
}

// opening returns the first instant at or after now at which the clocks of a zone show a
// time inside the window, by the same rule as internal/mailing/window.go. Nothing comes
// back for a window that is not one.
export function opening(w: Window, zone: string, now: number): number | undefined {
  const [from, to] = [clockTime(w.from), clockTime(w.to)];
  if (from === undefined || to === undefined || from === to) return undefined;
  // Within ten days any window opens; the bound only makes sure of an end.
  for (let t = now; t < now + 10 * day; ) {
    const face = faceAt(zone, t);
    if (from < to ? from <= face && face < to : face >= from || face < to) return t;
    const opens = t + ((from - face + day) % day);
    const change = nextChange(zone, t, opens);
    if (change === undefined) return opens;
    t = change;
  }
  return undefined;
}

// nextChange returns the instant in (from, to] at which the clocks of a zone change, by
// halving down to a second; nothing if they do not.
function nextChange(zone: string, from: number, to: number): number | undefined {
  const before = offset(zone, from);
  if (offset(zone, to) === before) return undefined;
  let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offset(zone, middle * 1000) === before) low = middle;
    else high = middle;
  }
  return high * 1000;
}

// firstDelivery returns when clients in a zone can get the first message of a mailing,
// and nothing if it ends before their window opens.
export function firstDelivery(zone: string, start: number, end: number, w: Window | null): number | undefined {
  const at = w ? opening(w, zone, start) : start;
  return at !== undefined && at < end ? at : undefined;
}

// shifted writes a time of day of one zone as clocks of another show it at an instant.
export function shifted(time: string, zone: string, reader: string, at: number): string {
  const face = clockTime(time) ?? 0;
  const there = (((face + offset(reader, at) - offset(zone, at)) % day) + day) % day;
  return new Date(there).toISOString().slice(11, 16);
}

// bars returns the parts of a day on the reader's clock that lie in the window, as shares
// of the day: one, or two if it crosses the reader's midnight.
export function bars(w: Window): [from: number, to: number][] {
  const [from, to] = [(clockTime(w.from) ?? 0) / day, (clockTime(w.to) ?? 0) / day];
  if (from < to) return [[from, to]];
  const parts: [number, number][] = [[0, to], [from, 1]];
  return parts.filter(([a, b]) => a < b);
}
