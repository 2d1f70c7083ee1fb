import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mailing } from '../../api/client.ts';
import { bodyOf, check, copyOf, draftOf, empty, fieldAt, inZone, lockedIn, patchOf, phoneIn, valuesIn, valuesOf, type Draft } from './draft.ts';

const now = Date.parse('2026-11-28T12:34:56.789Z');

const mailing: Mailing = {
  id: 7, text: 'Sale', start_at: '2026-11-29T09:00:30.500Z', end_at: '2026-11-29T19:00:00.000Z', filter: { operator_codes: ['900'], tags: ['vip'] },
  window: { from: '10:00', to: '20:00' }, on_uncertain: 'stop', sms: { encoding: 'GSM-7', units: 4, segments: 1 }, status: 'scheduled', paused_by: null,
  version: 3, created_at: '2026-11-28T09:00:00.000Z', updated_at: '2026-11-28T09:00:00.000Z',
};

test('a new draft starts now, lasts a day, and is for everybody', () => {
  const v = valuesIn(empty(now, 'Europe/Moscow'), now);
  assert.deepEqual(bodyOf(v), {
    text: '', start_at: '2026-11-28T12:34:00.000Z', end_at: '2026-11-29T13:00:00.000Z', filter: { operator_codes: [], tags: [] },
    window: null, on_uncertain: 'resend',
  });
});

test('a draft of a mailing has its values, to the millisecond', () => {
  assert.deepEqual(valuesIn(draftOf(valuesOf(mailing), 'Europe/Moscow'), now), valuesOf(mailing));
});

test('a copy starts now and lasts as long', () => {
  const v = valuesIn(copyOf(mailing, now, 'Europe/Moscow'), now);
  assert.deepEqual(v, { ...valuesOf(mailing), start_at: '2026-11-28T12:34:00.000Z', end_at: '2026-11-28T22:35:00.000Z' });
});

test('a change of the zone keeps typed clocks and stored instants', () => {
  const d: Draft = { ...draftOf(valuesOf(mailing), 'Europe/Moscow'), end: { local: '2026-11-30T09:00', later: false, at: null } };
  const moved = inZone(d, 'Asia/Vladivostok');
  assert.equal(moved.start.local, '2026-11-29T19:00');
  assert.equal(valuesIn(moved, now).start_at, mailing.start_at);
  assert.equal(valuesIn(moved, now).end_at, '2026-11-29T23:00:00.000Z');
});

test('a patch has just what has changed', () => {
  const v = valuesOf(mailing);
  assert.deepEqual(patchOf(v, v), {});
  assert.deepEqual(patchOf(v, { ...v, text: 'New', window: null, tags: [] }), { text: 'New', window: null, filter: { tags: [] } });
});

test('a draft is checked as the service checks it', () => {
  const good: Draft = { ...empty(now, 'UTC'), text: 'Sale' };
  const problems = (change: Partial<Draft>) => Object.fromEntries(Object.entries(check({ ...good, ...change }, now)).map(([f, p]) => [f, p[0]]));
  const typed = (local: string) => ({ local, later: false, at: null });
  assert.deepEqual(problems({}), {});
  assert.deepEqual(problems({ text: ' \n\u3000' }), { text: 'edit.problem.no_text' });
  assert.deepEqual(problems({ text: '🙂'.repeat(1600) }), {});
  assert.deepEqual(problems({ text: 'a'.repeat(1601) }), { text: 'edit.problem.long_text' });
  assert.deepEqual(problems({ end: typed('') }), { end_at: 'edit.problem.no_time' });
  assert.deepEqual(problems({ end: typed('2026-11-28T12:34') }), { end_at: 'edit.problem.past_end' });
  assert.deepEqual(problems({ startNow: false, start: typed('2026-12-24T10:00') }), { end_at: 'edit.problem.end_before_start' });
  assert.deepEqual(problems({ startNow: false, start: typed('x') }), { start_at: 'edit.problem.no_time' });
  assert.deepEqual(problems({ windowed: true, window: { from: '09:00', to: '09:00' } }), { window: 'edit.problem.equal_hours' });
  assert.deepEqual(problems({ windowed: true, window: { from: '', to: '09:00' } }), { window: 'edit.problem.no_hours' });
  assert.deepEqual(problems({ tags: Array.from({ length: 51 }, String) }), { tags: 'edit.problem.many' });
});

test('the end of an edited mailing may be past as long as it stays', () => {
  const past = { ...mailing, start_at: '2026-11-20T09:00:00.000Z', end_at: '2026-11-21T09:00:00.000Z' };
  const d = draftOf(valuesOf(past), 'UTC');
  assert.deepEqual(check(d, now, valuesOf(past)), {});
  assert.deepEqual(check(d, now), { end_at: ['edit.problem.past_end'] });
});

test('locked fields depend on the status', () => {
  assert.deepEqual(lockedIn('scheduled'), []);
  assert.deepEqual(lockedIn('paused'), ['operator_codes', 'tags', 'start_at', 'on_uncertain']);
  assert.equal(lockedIn('completed').length, 7);
});

test('errors of the API are found at their fields', () => {
  const cases: [string, string | undefined][] = [
    ['body.text', 'text'], ['body.filter.tags[0]', 'tags'], ['body.filter.operator_codes', 'operator_codes'], ['body.window.to', 'window'],
    ['body.end_at', 'end_at'], ['body.filter', undefined], ['header.Idempotency-Key', undefined],
  ];
  for (const [location, field] of cases) assert.equal(fieldAt(location), field, location);
});

test('a phone may be written as people write it', () => {
  for (const text of ['79001234567', '+7 (900) 123-45-67', '8 900 123 45 67', ' 7.900.1234567 ']) assert.equal(phoneIn(text), '79001234567', text);
  for (const text of ['', '9001234567', '7900123456', '89001234567x', '4915112345678']) assert.equal(phoneIn(text), undefined, text);
});
