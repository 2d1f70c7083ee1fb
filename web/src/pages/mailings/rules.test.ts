import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Counts, Mailing } from '../../api/client.ts';
import { cancellable, closed, editable, moving, pausable, resumable, retriable, roughly, title } from './rules.ts';

const now = new Date('2030-03-01T12:00:00Z');
const counts: Counts = { total: 10, queued: 0, retrying: 0, deferred: 0, sent: 5, failed: 3, expired: 0, cancelled: 0, skipped: 0, uncertain: 2 };
const statuses: Mailing['status'][] = ['scheduled', 'running', 'paused', 'completed', 'cancelled'];

function mailing(status: Mailing['status'], end = '2030-03-01T12:00:01Z', on: Mailing['on_uncertain'] = 'resend') {
  return { status, end_at: end, on_uncertain: on, start_at: '2030-03-01T12:00:30Z' };
}

test('the status decides what can be done', () => {
  const can = (rule: (m: ReturnType<typeof mailing>) => boolean) => statuses.filter((s) => rule(mailing(s)));
  assert.deepEqual(can(editable), ['scheduled', 'running', 'paused']);
  assert.deepEqual(can(cancellable), ['scheduled', 'running', 'paused']);
  assert.deepEqual(can(pausable), ['running']);
  assert.deepEqual(can((m) => resumable(m, now)), ['paused']);
});

test('after its end a mailing is neither resumed nor retried', () => {
  const over = mailing('paused', '2030-03-01T12:00:00Z');
  assert.equal(closed(over, now), true);
  assert.equal(resumable(over, now), false);
  assert.deepEqual(retriable(over, counts, now), { failed: 0, uncertain: 0 });
});

test('a retry tries failed messages, and uncertain ones unless the mailing forbids it', () => {
  for (const s of statuses) {
    const some = s === 'running' || s === 'paused' || s === 'completed';
    assert.deepEqual(retriable(mailing(s), counts, now), some ? { failed: 3, uncertain: 2 } : { failed: 0, uncertain: 0 }, s);
  }
  assert.deepEqual(retriable(mailing('running', undefined, 'stop'), counts, now), { failed: 3, uncertain: 0 });
});

test('numbers move while messages are sent, and while a cancellation is counted', () => {
  assert.deepEqual(statuses.map((s) => moving(mailing(s), 3, now)), [true, true, false, false, true]);
  assert.equal(moving(mailing('cancelled'), 0, now), false);
  assert.equal(moving(mailing('scheduled'), 0, new Date('2030-03-01T11:00:00Z')), false);
});

test('a title is one line, cut between characters', () => {
  assert.equal(title('  Your order\n is ready '), 'Your order is ready');
  assert.equal(title('😀😀😀😀', 3), '😀😀…');
  assert.equal(title('one two', 5), 'one…');
});

test('a forecast is rounded, and never zero', () => {
  assert.deepEqual([0.2, 7, 58, 66, 592, 1234, 5000].map(roughly), [5, 5, 60, 60, 600, 1260, 5100]);
});
