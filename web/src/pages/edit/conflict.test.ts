import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, merge, quiet } from './conflict.ts';
import type { Values } from './draft.ts';

const base: Values = {
  text: 'a', operator_codes: ['900'], tags: [], start_at: '2026-11-28T09:00:00.000Z', end_at: '2026-11-29T09:00:00.000Z',
  window: null, on_uncertain: 'resend',
};

test('equal versions have no differences', () => {
  assert.deepEqual(compare(base, { ...base, text: 'b' }, { ...base, text: 'b' }, []), []);
});

test('a field that one side has changed is suggested from that side', () => {
  const rows = compare(base, { ...base, text: 'mine' }, { ...base, tags: ['vip'] }, []);
  assert.deepEqual(rows, [{ field: 'text', suggested: 'mine', fixed: false }, { field: 'tags', suggested: 'theirs', fixed: false }]);
  assert.equal(quiet(rows), false);
});

test('a field that both have changed must be chosen', () => {
  const rows = compare(base, { ...base, window: { from: '09:00', to: '21:00' } }, { ...base, window: { from: '10:00', to: '20:00' } }, []);
  assert.deepEqual(rows, [{ field: 'window', suggested: undefined, fixed: false }]);
});

test('a locked field stays theirs', () => {
  const rows = compare(base, { ...base, tags: ['vip'], text: 'mine' }, base, ['tags', 'operator_codes', 'start_at', 'on_uncertain']);
  assert.deepEqual(rows, [{ field: 'text', suggested: 'mine', fixed: false }, { field: 'tags', suggested: 'theirs', fixed: true }]);
});

test('changes of one side only need no question', () => {
  assert.equal(quiet(compare(base, { ...base, text: 'mine' }, base, [])), true);
});

test('merging takes the chosen fields', () => {
  const mine = { ...base, text: 'mine', tags: ['x'] };
  const theirs = { ...base, text: 'theirs', end_at: '2026-11-30T09:00:00.000Z' };
  assert.deepEqual(merge(mine, theirs, { text: 'mine', tags: 'theirs' }), { ...theirs, text: 'mine' });
});
