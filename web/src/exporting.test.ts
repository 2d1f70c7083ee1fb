import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cursorOf, Export, rowsIn } from './exporting.ts';

test('the cursor of the next page is in the Link header', () => {
  assert.equal(cursorOf('<?cursor=eyJ%2BsIjoi&limit=1000&tag=a+b>; rel="next"'), 'eyJ+sIjoi');
  assert.equal(cursorOf(null), '');
  assert.equal(cursorOf('<other>; rel="prev"'), '');
});

test('pages become one file with one header, and an export goes on after an error', async () => {
  const pages: Record<string, { text: string; next: string }> = {
    '': { text: '\ufeffid,tag\n1,a\n', next: 'x' }, 'x': { text: 'id,tag\n', next: 'y' }, 'y': { text: 'id,tag\n2,"b\n""c"\n3,d\n', next: '' },
  };
  let fail = true;
  const seen: number[] = [];
  const e = new Export(async (cursor) => {
    if (cursor === 'x' && fail) throw new Error('lost');
    return pages[cursor]!;
  });
  await assert.rejects(e.run(() => seen.push(e.rows)), /lost/);
  fail = false;
  await e.run(() => seen.push(e.rows));
  assert.deepEqual(seen, [1, 1, 3]);
  assert.equal(e.texts.join(''), '\ufeffid,tag\n1,a\n2,"b\n""c"\n3,d\n');
});

test('line ends in quotes end no row', () => {
  assert.equal(rowsIn('1,"a\nb""\n"\n2,c\n'), 2);
  assert.equal(rowsIn(''), 0);
});
