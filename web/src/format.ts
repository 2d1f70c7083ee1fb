// How numbers, shares, times and durations are written, in the language of the page.
import { locale } from './i18n/index.ts';

// zone is the reader's time zone, a name of the IANA database.
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function count(n: number): string {
  return new Intl.NumberFormat(locale.value).format(n);
}

// compact writes large numbers short: 12.3K.
export function compact(n: number): string {
  return new Intl.NumberFormat(locale.value, { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

// share writes a part of one as a percentage. It never rounds up to 100 % or down to 0 %,
// because both say something else.
export function share(part: number): string {
  const bounded = part >= 1 ? 1 : part <= 0 ? 0 : Math.min(0.999, Math.max(0.001, part));
  const digits = bounded === 0 || bounded === 1 ? 0 : bounded < 0.01 || bounded > 0.99 ? 1 : 0;
  return new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: digits }).format(bounded);
}

export function rate(perSecond: number): string {
  return new Intl.NumberFormat(locale.value, { maximumFractionDigits: perSecond < 10 ? 1 : 0 }).format(perSecond);
}

// moment writes a date and a time in minutes, on the clock of a zone: by default the
// reader's.
export function moment(at: Date | string, on: string = zone): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short', timeZone: on }).format(new Date(at));
}

// either writes a choice of texts: "a, b or c".
export function either(texts: string[]): string {
  return new Intl.ListFormat(locale.value, { type: 'disjunction' }).format(texts);
}

// brief writes a date and a time without the year if it is the present one, for tables.
export function brief(at: Date | string, now: Date): string {
  const date = new Date(at);
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  return new Intl.DateTimeFormat(locale.value, { ...year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(date);
}

// exact writes a date and a time with seconds and zone, for titles.
export function exact(at: Date | string): string {
  return new Intl.DateTimeFormat(locale.value, {
    year: 'numeric', month: 'long', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
  }).format(new Date(at));
}

export function clock(at: Date | string): string {
  return new Intl.DateTimeFormat(locale.value, { timeStyle: 'medium' }).format(new Date(at));
}

type Unit = 'second' | 'minute' | 'hour' | 'day' | 'month' | 'year';

// Each unit is used up to the limit, in seconds.
const units: [Unit, number, number][] = [
  ['second', 1, 60],
  ['minute', 60, 3600],
  ['hour', 3600, 86_400],
  ['day', 86_400, 30 * 86_400],
  ['month', 30.44 * 86_400, 365 * 86_400],
  ['year', 365.25 * 86_400, Infinity],
];

// relative writes the distance from now: "in 2 hours", "3 minutes ago".
export function relative(at: Date | string, now: Date): string {
  const seconds = (new Date(at).getTime() - now.getTime()) / 1000;
  const [unit, size] = unitFor(Math.abs(seconds));
  return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto', style: 'short' }).format(Math.trunc(seconds / size), unit);
}

// duration writes a length of time in its largest unit, and the next one: "2 h 5 min".
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, Unit][] = [
    [Math.floor(whole / 86_400), 'day'],
    [Math.floor((whole % 86_400) / 3600), 'hour'],
    [Math.floor((whole % 3600) / 60), 'minute'],
    [whole % 60, 'second'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return unit(0, 'second');
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, u]) => unit(n, u)).join(' ');
}

function unit(n: number, u: Unit): string {
  return new Intl.NumberFormat(locale.value, { style: 'unit', unit: u, unitDisplay: 'short' }).format(n);
}

function unitFor(seconds: number): [Unit, number] {
  const found = units.find(([, , limit]) => seconds < limit) ?? units[units.length - 1]!;
  return [found[0], found[1]];
}
