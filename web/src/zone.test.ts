import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byRegion, faceAt, offset, offsetText, toInstant, toLocal, validZone, zoneNames } from './zone.ts';

const at = (text: string) => Date.parse(text);

test('a local time is an instant of its zone', () => {
  const cases: [zone: string, local: string, want: string][] = [
    ['Europe/Moscow', '2026-11-28T09:00', '2026-11-28T06:00:00Z'],
    ['Asia/Vladivostok', '2026-11-28T09:00', '2026-11-27T23:00:00Z'],
    ['Asia/Kolkata', '2026-11-28T09:00', '2026-11-28T03:30:00Z'],
    ['America/St_Johns', '2026-07-01T09:00', '2026-07-01T11:30:00Z'],
    ['UTC', '2026-02-28T23:59', '2026-02-28T23:59:00Z'],
    ['Europe/Berlin', '2026-03-29T01:59', '2026-03-29T00:59:00Z'],
    ['Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-10-25T03:00', '2026-10-25T02:00:00Z'],
    ['Pacific/Kiritimati', '2026-01-01T00:00', '2025-12-31T10:00:00Z'],
  ];
  for (const [zone, local, want] of cases) {
    assert.deepEqual(toInstant(zone, local), { at: at(want), kind: 'once' }, `${zone} ${local}`);
    assert.equal(toLocal(zone, at(want)), local, `${zone} ${want}`);
  }
});

test('a time that clocks jump over is as much later as they jump', () => {
  const found = toInstant('Europe/Berlin', '2026-03-29T02:30');
  assert.deepEqual(found, { at: at('2026-03-29T01:30:00Z'), kind: 'gap' });
  assert.equal(toLocal('Europe/Berlin', found!.at), '2026-03-29T03:30');
  // Lord Howe's clocks move by half an hour.
  const howe = toInstant('Australia/Lord_Howe', '2026-10-04T02:15');
  assert.equal(howe?.kind, 'gap');
  assert.equal(toLocal('Australia/Lord_Howe', howe!.at), '2026-10-04T02:45');
});

test('a time that clocks show twice is the first or the second', () => {
  assert.deepEqual(toInstant('Europe/Berlin', '2026-10-25T02:30'), { at: at('2026-10-25T00:30:00Z'), kind: 'overlap' });
  assert.deepEqual(toInstant('Europe/Berlin', '2026-10-25T02:30', true), { at: at('2026-10-25T01:30:00Z'), kind: 'overlap' });
  assert.deepEqual(toInstant('America/New_York', '2026-11-01T01:00'), { at: at('2026-11-01T05:00:00Z'), kind: 'overlap' });
});

test('what is no local time has no instant', () => {
  for (const text of ['', 'x', '2026-02-30T10:00', '2026-01-01', '2026-01-01T24:00', '2026-01-01T10:00Z']) {
    assert.equal(toInstant('UTC', text), undefined, text);
  }
});

test('every quarter of an hour around changes comes back as it was', () => {
  for (const [zone, day] of [['Europe/Berlin', '2026-03-28'], ['Europe/Berlin', '2026-10-24'], ['Australia/Lord_Howe', '2026-04-04'], ['America/Sao_Paulo', '2026-06-01']]) {
    for (let t = at(`${day}T00:00:00Z`), i = 0; i < 288; i++, t += 900_000) {
      const local = toLocal(zone!, t);
      const found = [toInstant(zone!, local)?.at, toInstant(zone!, local, true)?.at];
      assert.ok(found.includes(t), `${zone} ${new Date(t).toISOString()} ${local}`);
    }
  }
});

test('offsets are written with hours, and minutes where there are some', () => {
  const winter = at('2026-01-15T12:00:00Z');
  assert.deepEqual(['UTC', 'Europe/Moscow', 'Asia/Kolkata', 'Pacific/Marquesas'].map((z) => offsetText(z, winter)), ['UTC', 'UTC+3', 'UTC+5:30', 'UTC−9:30']);
  assert.equal(offset('Europe/Berlin', at('2026-07-01T00:00:00.500Z')), 7_200_000);
});

test('the face of a clock is the time since it showed 00:00', () => {
  assert.equal(faceAt('Europe/Moscow', at('2026-11-28T22:30:00.250Z')), 90 * 60_000 + 250);
});

test('zones are those of the browser, with UTC and the own one', () => {
  const names = zoneNames('Europe/Moscow');
  assert.ok(names.includes('UTC') && names.includes('Asia/Vladivostok'));
  assert.equal(new Set(names).size, names.length);
});

test('zones are grouped by region, those without one last', () => {
  assert.deepEqual(byRegion(['America/Argentina/Salta', 'UTC', 'Europe/Berlin', 'Europe/Moscow']), [
    { region: 'America', zones: ['America/Argentina/Salta'] }, { region: 'Europe', zones: ['Europe/Berlin', 'Europe/Moscow'] }, { region: '', zones: ['UTC'] },
  ]);
});

test('a zone is valid if the browser knows it', () => {
  assert.deepEqual([validZone('Europe/Berlin'), validZone('Nowhere/Land')], [true, false]);
});
