import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Speed } from './speed.ts';

test('time in which an import stands still does not count', () => {
  const speed = new Speed();
  assert.equal(speed.perSecond, undefined);
  speed.start(5_000);
  speed.add(100, 6_000);
  assert.equal(speed.perSecond, 100);
  speed.start(100_000);
  speed.add(200, 101_000);
  assert.equal(speed.perSecond, 100);
  assert.equal(speed.elapsed, 2_000);
});

test('only the last half minute counts', () => {
  const speed = new Speed();
  speed.start(0);
  for (let s = 1; s <= 100; s++) speed.add(s <= 60 ? s : 60 + (s - 60) * 10, s * 1000);
  assert.ok(Math.abs(speed.perSecond! - 10) < 0.5, String(speed.perSecond));
});
