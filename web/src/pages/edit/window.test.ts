import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, clockTime, firstDelivery, opening, shifted } from './window.ts';

const at = (text: string) => Date.parse(text);

// The cases are those of internal/mailing/window_test.go.
test('a window opens when the clock of the client enters it', () => {
  const cases: [name: string, zone: string, from: string, to: string, now: string, opens: string][] = [
    ['open in the middle', 'Europe/Moscow', '09:00', '21:00', '2026-03-01T12:00:00+03:00', '2026-03-01T12:00:00+03:00'],
    ['open at its first instant', 'Europe/Moscow', '09:00', '21:00', '2026-03-01T09:00:00+03:00', '2026-03-01T09:00:00+03:00'],
    ['closed at its end', 'Europe/Moscow', '09:00', '21:00', '2026-03-01T21:00:00+03:00', '2026-03-02T09:00:00+03:00'],
    ['another zone at the same instant', 'Asia/Vladivostok', '09:00', '21:00', '2026-03-01T12:00:00Z', '2026-03-02T09:00:00+10:00'],
    ['a zone with a half hour', 'Asia/Kolkata', '09:00', '10:00', '2026-03-01T03:00:00Z', '2026-03-01T03:30:00Z'],
    ['overnight, before midnight', 'Europe/Moscow', '22:00', '06:00', '2026-03-01T23:30:00+03:00', '2026-03-01T23:30:00+03:00'],
    ['overnight, closed at its end', 'Europe/Moscow', '22:00', '06:00', '2026-03-02T06:00:00+03:00', '2026-03-02T22:00:00+03:00'],
    ['until midnight', 'Europe/Moscow', '20:00', '00:00', '2026-03-02T00:00:00+03:00', '2026-03-02T20:00:00+03:00'],
    ['the day clocks go forward is an hour short', 'Europe/Berlin', '09:00', '21:00', '2026-03-28T21:00:00+01:00', '2026-03-29T09:00:00+02:00'],
    ['clocks jump over the opening: it opens at the jump', 'Europe/Berlin', '02:30', '12:00', '2026-03-29T00:00:00+01:00', '2026-03-29T03:00:00+02:00'],
    ['a window that clocks jump over as a whole opens the next day', 'Europe/Berlin', '02:10', '02:50', '2026-03-29T00:00:00+01:00', '2026-03-30T02:10:00+02:00'],
    ['the day clocks go back is an hour long', 'Europe/Berlin', '09:00', '21:00', '2026-10-24T21:00:00+02:00', '2026-10-25T09:00:00+01:00'],
    ['an opening in the repeated hour: it opens the first time', 'Europe/Berlin', '02:30', '12:00', '2026-10-25T00:00:00+02:00', '2026-10-25T02:30:00+02:00'],
    ['clocks that go back out of a window close it', 'Europe/Berlin', '02:30', '12:00', '2026-10-25T02:10:00+01:00', '2026-10-25T02:30:00+01:00'],
    ['clocks that go back into a window open it again', 'Europe/Berlin', '01:00', '02:30', '2026-10-25T02:45:00+02:00', '2026-10-25T02:00:00+01:00'],
    ['a change of half an hour', 'Australia/Lord_Howe', '01:45', '03:00', '2026-04-05T01:35:00+10:30', '2026-04-05T01:45:00+10:30'],
  ];
  for (const [name, zone, from, to, now, opens] of cases) {
    assert.equal(opening({ from, to }, zone, at(now)), at(opens), name);
  }
});

test('what is no window never opens', () => {
  for (const [from, to] of [['09:00', '09:00'], ['', '21:00'], ['09:00', '24:00']]) {
    assert.equal(opening({ from: from!, to: to! }, 'UTC', 0), undefined);
  }
  assert.equal(clockTime('23:59'), 86_340_000);
});

test('the first delivery is at the start, at the opening, or never', () => {
  const [start, end] = [at('2026-11-28T15:00:00Z'), at('2026-11-28T20:00:00Z')];
  const w = { from: '09:00', to: '21:00' };
  assert.equal(firstDelivery('Europe/Moscow', start, end, null), start);
  assert.equal(firstDelivery('Europe/Moscow', start, end, w), start);
  assert.equal(firstDelivery('Asia/Vladivostok', start, end, w), undefined); // 01:00 there
  assert.equal(firstDelivery('Asia/Vladivostok', start, at('2026-11-29T00:00:00Z'), w), at('2026-11-28T23:00:00Z'));
});

test('a time of day is shown on the clock of the reader', () => {
  const winter = at('2026-11-28T12:00:00Z');
  assert.equal(shifted('09:00', 'Asia/Vladivostok', 'Europe/Moscow', winter), '02:00');
  assert.equal(shifted('09:00', 'Europe/Kaliningrad', 'Asia/Vladivostok', winter), '17:00');
  assert.equal(shifted('09:00', 'Asia/Kolkata', 'UTC', winter), '03:30');
});

test('a window is one bar of a day, or two', () => {
  assert.deepEqual(bars({ from: '06:00', to: '18:00' }), [[0.25, 0.75]]);
  assert.deepEqual(bars({ from: '18:00', to: '06:00' }), [[0, 0.25], [0.75, 1]]);
  assert.deepEqual(bars({ from: '18:00', to: '00:00' }), [[0.75, 1]]);
});
