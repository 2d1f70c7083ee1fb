// What a person types about a mailing, and how it becomes a request. A draft has local
// times of one zone; the API has instants.
import type { Mailing, MailingStatus, Schemas } from '../../api/client.ts';
import type { Key } from '../../i18n/index.ts';
import type { Values as Fill } from '../../i18n/message.ts';
import { characters } from './sms.ts';
import { clockTime, type Window } from './window.ts';
import { toInstant, toLocal, type Found } from '../../zone.ts';

// The limits are those of internal/mailing/mailing.go.
export const maxText = 1600;
export const maxTag = 64;
export const maxChoices = 50;

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// Moment is a local time in the draft's zone.
export interface Moment {
  local: string;
  // later chooses the second of two equal local times, on the day clocks go back.
  later: boolean;
  // at is the instant that the mailing has, as long as the person does not type another
  // one: it may have seconds, and it stays when the zone changes.
  at: string | null;
}

export interface Draft {
  text: string;
  operatorCodes: string[];
  tags: string[];
  zone: string;
  startNow: boolean;
  start: Moment;
  end: Moment;
  windowed: boolean;
  window: Window;
  onUncertain: OnUncertain;
}

export type OnUncertain = Mailing['on_uncertain'];

// Values are the fields of a mailing that a person sets, as the API has them.
export interface Values {
  text: string;
  operator_codes: string[];
  tags: string[];
  start_at: string;
  end_at: string;
  window: Window | null;
  on_uncertain: OnUncertain;
}

export type Field = keyof Values;

export const fields: Field[] = ['text', 'operator_codes', 'tags', 'start_at', 'end_at', 'window', 'on_uncertain'];

const usualWindow: Window = { from: '09:00', to: '21:00' };

// empty returns the draft of a new mailing: for everybody, from now on, for a day.
export function empty(now: number, zone: string): Draft {
  return {
    text: '', operatorCodes: [], tags: [], zone,
    startNow: true, start: rounded(zone, now + hour, hour), end: rounded(zone, now + day, hour),
    windowed: false, window: usualWindow, onUncertain: 'resend',
  };
}

// copyOf returns the draft of a new mailing that is like m. It starts now, and lasts as
// long as m did.
export function copyOf(m: Mailing, now: number, zone: string): Draft {
  const length = Math.max(hour, Date.parse(m.end_at) - Date.parse(m.start_at));
  const copy = draftOf(valuesOf(m), zone);
  return { ...copy, startNow: true, start: rounded(zone, now + hour, hour), end: rounded(zone, now + length, minute) };
}

// draftOf returns the draft that has the values of a mailing.
export function draftOf(v: Values, zone: string): Draft {
  return {
    text: v.text, operatorCodes: v.operator_codes, tags: v.tags, zone,
    startNow: false, start: fixed(zone, v.start_at), end: fixed(zone, v.end_at),
    windowed: v.window !== null, window: v.window ?? usualWindow, onUncertain: v.on_uncertain,
  };
}

function rounded(zone: string, at: number, to: number): Moment {
  return { local: toLocal(zone, Math.ceil(at / to) * to), later: false, at: null };
}

function fixed(zone: string, at: string): Moment {
  return { local: toLocal(zone, Date.parse(at)), later: false, at };
}

// inZone returns the draft with its times on clocks of another zone. Times that the
// person has typed stay as typed; those that came with the mailing stay the same instants.
export function inZone(d: Draft, zone: string): Draft {
  const move = (m: Moment) => (m.at === null ? m : fixed(zone, m.at));
  return { ...d, zone, start: move(d.start), end: move(d.end) };
}

// after returns the moment that is so many milliseconds after an instant.
export function after(zone: string, at: number, length: number): Moment {
  return rounded(zone, at + length, minute);
}

// instantOf returns the instant of a moment; nothing if it is no time.
export function instantOf(zone: string, m: Moment): Found | undefined {
  return m.at === null ? toInstant(zone, m.local, m.later) : { at: Date.parse(m.at), kind: 'once' };
}

// startOf returns when a draft starts; nothing if that is no time. "Now" is the beginning
// of this minute: a clock that is a little fast delays nothing.
export function startOf(d: Draft, now: number): number | undefined {
  return d.startNow ? Math.floor(now / minute) * minute : instantOf(d.zone, d.start)?.at;
}

export function endOf(d: Draft): number | undefined {
  return instantOf(d.zone, d.end)?.at;
}

export function windowOf(d: Draft): Window | null {
  return d.windowed ? d.window : null;
}

export function valuesOf(m: Mailing): Values {
  return {
    text: m.text, operator_codes: m.filter.operator_codes, tags: m.filter.tags,
    start_at: m.start_at, end_at: m.end_at, window: m.window, on_uncertain: m.on_uncertain,
  };
}

// valuesIn returns the values of a draft. A time that is none is "".
export function valuesIn(d: Draft, now: number): Values {
  return {
    text: d.text, operator_codes: d.operatorCodes, tags: d.tags,
    start_at: d.startNow ? iso(startOf(d, now)) : (d.start.at ?? iso(startOf(d, now))),
    end_at: d.end.at ?? iso(endOf(d)),
    window: windowOf(d), on_uncertain: d.onUncertain,
  };
}

function iso(at: number | undefined): string {
  return at === undefined ? '' : new Date(at).toISOString();
}

export function same(a: Values, b: Values, field: Field): boolean {
  return JSON.stringify(a[field]) === JSON.stringify(b[field]);
}

export function changedFields(from: Values, to: Values): Field[] {
  return fields.filter((f) => !same(from, to, f));
}

// bodyOf returns the request that creates a mailing.
export function bodyOf(v: Values): Schemas['MailingBody'] {
  const { operator_codes, tags, ...rest } = v;
  return { ...rest, filter: { operator_codes, tags } };
}

// patchOf returns the merge patch that changes a mailing from some values to others.
export function patchOf(from: Values, to: Values): Schemas['MailingPatch'] {
  const changed = changedFields(from, to);
  const patch: Record<string, unknown> = {};
  const filter: Record<string, unknown> = {};
  for (const f of changed) (f === 'operator_codes' || f === 'tags' ? filter : patch)[f] = to[f];
  return Object.keys(filter).length > 0 ? { ...patch, filter } : patch;
}

// lockedIn returns the fields that cannot be changed in a status.
export function lockedIn(status: MailingStatus): Field[] {
  if (status === 'scheduled') return [];
  if (status === 'running' || status === 'paused') return ['operator_codes', 'tags', 'start_at', 'on_uncertain'];
  return fields;
}

export type Problems = Partial<Record<Field, [Key, Fill?]>>;

// The blanks of the domain: those of Unicode, which are not all that trim removes.
const blank = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

// check returns what is wrong with a draft, by the rules of internal/mailing. before are
// the values of the mailing that is edited: its end may be past as long as it stays.
export function check(d: Draft, now: number, before?: Values): Problems {
  const p: Problems = {};
  const [start, end] = [startOf(d, now), endOf(d)];
  const length = characters(d.text);
  if (blank.test(d.text)) p.text = ['edit.problem.no_text'];
  else if (length > maxText) p.text = ['edit.problem.long_text', { n: length - maxText }];
  if (start === undefined) p.start_at = ['edit.problem.no_time'];
  if (end === undefined) p.end_at = ['edit.problem.no_time'];
  else if (end <= now && d.end.at !== before?.end_at) p.end_at = ['edit.problem.past_end'];
  else if (start !== undefined && end <= start) p.end_at = ['edit.problem.end_before_start'];
  if (d.windowed) {
    const [from, to] = [clockTime(d.window.from), clockTime(d.window.to)];
    if (from === undefined || to === undefined) p.window = ['edit.problem.no_hours'];
    else if (from === to) p.window = ['edit.problem.equal_hours'];
  }
  if (d.operatorCodes.length > maxChoices) p.operator_codes = ['edit.problem.many', { n: maxChoices }];
  if (d.tags.length > maxChoices) p.tags = ['edit.problem.many', { n: maxChoices }];
  return p;
}

// fieldAt returns the field that a location in a problem document is about.
export function fieldAt(location: string): Field | undefined {
  const path = location.replace(/^body\./, '').replace(/^filter\./, '');
  return fields.find((f) => path === f || path.startsWith(`${f}.`) || path.startsWith(`${f}[`));
}

// phoneIn returns the phone number in a text as the API takes it, with the signs removed
// that people write between digits; nothing if it is none.
export function phoneIn(text: string): string | undefined {
  const digits = text.replace(/[\s()+.-]/g, '').replace(/^8(?=\d{10}$)/, '7');
  return /^7\d{10}$/.test(digits) ? digits : undefined;
}
