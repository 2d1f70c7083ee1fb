import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { characters, countSMS, foreign, plainer } from './sms.ts';

interface Case {
  name: string;
  text: { piece: string; times: number }[];
  encoding: string;
  units: number;
  segments: number;
}

const file = new URL('../../../../internal/mailing/testdata/sms.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];

test('a text is counted as the service counts it', () => {
  assert.ok(cases.length > 20);
  for (const c of cases) {
    const { encoding, units, segments } = countSMS(c.text.map((p) => p.piece.repeat(p.times)).join(''));
    assert.deepEqual({ encoding, units, segments }, { encoding: c.encoding, units: c.units, segments: c.segments }, c.name);
  }
});

test('it says how much fits into the last message', () => {
  const left = (text: string) => countSMS(text).left;
  assert.deepEqual([left(''), left('a'), left('a'.repeat(160)), left('a'.repeat(161))], [160, 159, 0, 145]);
  assert.deepEqual([left('я'), left('я'.repeat(71)), left('a'.repeat(152) + '€'.repeat(10))], [69, 63, 133]);
});

test('characters are code points', () => {
  assert.equal(characters('a🙂я'), 3);
});

test('foreign characters are listed once each', () => {
  assert.deepEqual(foreign('a “b” “c” €'), ['“', '”']);
});

test('plain characters are offered only where they save messages', () => {
  const long = 'a'.repeat(80);
  assert.equal(plainer(`“${long}”`), `"${long}"`);
  assert.equal(plainer('“short”'), undefined);
  assert.equal(plainer('я'.repeat(80) + '—'), undefined);
});
