import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gather, pageNumber, Trail, trail, type Part } from './paging.ts';

// list reads a list of numbers in pages of at most three, the second one empty.
function list(all: number[]) {
  const reads: string[] = [];
  const read = (cursor: string, limit: number): Promise<Part<number>> => {
    reads.push(`${cursor}:${limit}`);
    const at = Number(cursor || 0);
    const items = reads.length === 2 ? [] : all.slice(at, at + Math.min(3, limit));
    const next = at + items.length;
    return Promise.resolve({ items, next: next < all.length ? String(next) : '' });
  };
  return { read, reads };
}

test('short and empty pages are read on until the page is full', async () => {
  const { read, reads } = list([1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(await gather(5, '', read), { items: [1, 2, 3, 4, 5], next: '5' });
  assert.deepEqual(reads, [':5', '3:2', '3:2']);
});

test('the end of a list ends the reading', async () => {
  assert.deepEqual(await gather(5, '', list([1, 2]).read), { items: [1, 2], next: '' });
  assert.deepEqual(await gather(5, '', list([]).read), { items: [], next: '' });
});

test('reading stops after some pages, with the cursor to go on', async () => {
  const empty = () => Promise.resolve({ items: [], next: 'x' });
  assert.deepEqual(await gather(5, '', empty, 3), { items: [], next: 'x' });
});

test('a trail leads back to each page that was left', () => {
  const t = new Trail();
  assert.equal(t.at(1), '');
  assert.equal(t.at(2), undefined);
  t.leave(1, 'a');
  t.leave(2, 'b');
  assert.deepEqual([t.at(2), t.at(3), t.at(4)], ['a', 'b', undefined]);
  t.leave(1, 'a');
  assert.equal(t.at(3), 'b', 'the same page again changes nothing');
  t.leave(1, 'a2');
  assert.deepEqual([t.at(2), t.at(3)], ['a2', undefined], 'what follows is another list now');
  t.leave(2, '');
  assert.equal(t.at(3), undefined);
  t.leave(9, 'z');
  assert.equal(t.at(10), undefined, 'a page that was never reached');
  assert.equal(trail('x'), trail('x'));
});

test('a page number is positive, else it is the first page', () => {
  assert.deepEqual(['3', '1', '0', '-1', 'x', '', '1e3', null].map(pageNumber), [3, 1, 1, 1, 1, 1, 1, 1]);
});
