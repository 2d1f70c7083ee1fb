import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stack, steps, tickLabels, timeRange } from './stacking.ts';

test('series stand on each other', () => {
  assert.deepEqual(stack([[1, 2], [10, 0], [5, 5]]), [[1, 2], [11, 2], [16, 7]]);
  assert.deepEqual(stack([]), []);
});

test('an axis of whole things has no parts of them', () => {
  assert.deepEqual(steps.slice(0, 5), [1, 2, 5, 10, 20]);
});

test('the date stands where it changes', () => {
  const noon = Date.UTC(2030, 2, 1, 23, 0, 0) / 1000;
  assert.deepEqual(tickLabels([noon, noon + 1800, noon + 3600], 1800, 'en-GB', 'UTC'), ['23:00\n1 Mar', '23:30', '00:00\n2 Mar']);
  assert.deepEqual(tickLabels([noon, noon + 30], 30, 'en-GB', 'UTC'), ['23:00:00\n1 Mar', '23:00:30']);
  assert.deepEqual(tickLabels([noon, noon + 86_400], 86_400, 'en-GB', 'UTC'), ['1 Mar', '2 Mar']);
});

test('few bars do not fill the plot', () => {
  assert.deepEqual(timeRange([100], 10), [100, 220]);
  assert.deepEqual(timeRange([100, 110, 400], 10), [100, 410]);
});
