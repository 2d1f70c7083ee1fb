import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noCounts, open, progress, timeLeft } from './counts.ts';

test('progress is the share of final messages', () => {
  assert.equal(progress(noCounts), null);
  const c = { ...noCounts, total: 10, queued: 2, retrying: 1, deferred: 1, sent: 5, failed: 1 };
  assert.equal(open(c), 4);
  assert.equal(progress(c), 0.6);
});

test('the time left counts messages that can go now', () => {
  const c = { ...noCounts, total: 30, queued: 10, retrying: 10, deferred: 10 };
  assert.equal(timeLeft(c, 4), 5);
  assert.equal(timeLeft(c, 0), null);
  assert.equal(timeLeft({ ...noCounts, total: 10, deferred: 10 }, 4), null);
});
