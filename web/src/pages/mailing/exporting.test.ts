import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Export, nextCursor, rows, withoutHeader } from './exporting.ts';

test('the link of a part leads to the next one', () => {
  assert.equal(nextCursor('<?cursor=abc%3D&limit=5>; rel="next"'), 'abc=');
  assert.equal(nextCursor('</x?limit=5&cursor=q>; rel=next'), 'q');
  for (const link of [null, '', '<?cursor=a>; rel="prev"', 'nonsense']) assert.equal(nextCursor(link), '', String(link));
});

test('a part has a header and rows', () => {
  assert.equal(withoutHeader('a,b\n1,2\n'), '1,2\n');
  assert.equal(withoutHeader('a,b'), '');
  assert.deepEqual(['a,b\n1,2\n3,4\n', 'a,b\n', 'a,b\r\n1,2\r\n', ''].map(rows), [2, 0, 1, 0]);
});

test('an export is one file with one header, and goes on after a failure', async () => {
  const parts = [{ text: 'a\n1\n', link: '<?cursor=x>; rel="next"' }, { text: 'a\n2\n3\n', link: null }];
  const cursors: string[] = [];
  let fails = false;
  const read = (cursor: string) => {
    cursors.push(cursor);
    if (cursor === 'x' && !fails) {
      fails = true;
      return Promise.reject(new Error('away'));
    }
    return Promise.resolve(parts[cursor === 'x' ? 1 : 0]!);
  };
  const e = new Export();
  let shown = 0;
  const signal = new AbortController().signal;
  await assert.rejects(e.run(read, signal, () => shown++));
  assert.deepEqual([e.done, e.count], [false, 1]);
  await e.run(read, signal, () => shown++);
  assert.deepEqual([e.parts.join(''), e.count, e.done, shown], ['a\n1\n2\n3\n', 3, true, 2]);
  assert.deepEqual(cursors, ['', 'x', 'x']);
});

test('an export that is stopped reads no more', async () => {
  const stop = new AbortController();
  const e = new Export();
  await e.run(() => Promise.resolve({ text: 'a\n1\n', link: '<?cursor=x>; rel="next"' }), stop.signal, () => stop.abort());
  assert.deepEqual([e.count, e.done], [1, false]);
});
