import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from './csv.ts';
import { Job, Stalled } from './job.ts';
import { maxRows, type Answer, type Plan, type Rejected } from './part.ts';
import { Rejects } from './rejects.ts';

const plan = (more: Partial<Plan> = {}): Plan => ({ mapping: ['phone', 'tag', 'timezone'], width: 3, rewrite: false, empty: { tag: '', timezone: '' }, ...more });
const phone = (n: number) => String(79000000000 + n);

function* rowsOf(all: string[][], size = 1000): Generator<Row[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size).map((cells, j) => ({ line: i + j + 2, cells }));
}

async function* later<T>(all: Iterable<T>) {
  yield* all;
}

// api answers as the API does: it creates rows with a valid phone and zone, and rejects
// others. It knows the phones of one request only.
function api(stored: Set<string>, limit = Infinity) {
  return async (csv: string): Promise<Answer> => {
    const lines = csv.trimEnd().split('\n');
    const columns = lines[0]!.split(',');
    const answer: Answer = { created: 0, updated: 0, unchanged: 0, rows: [] };
    const seen = new Map<string, number>();
    for (const [i, text] of lines.entries()) {
      if (i === 0) continue;
      if (i > limit) return { ...answer, next_line: i + 1 };
      const cells = text.split(',');
      const p = cells[columns.indexOf('phone')]!;
      const zone = cells[columns.indexOf('timezone')];
      const reject = (location: string, message: string) => answer.rows.push({ line: i + 1, errors: [{ location, message }] });
      if (!/^7\d{10}$/.test(p)) reject('phone', 'must be 11 digits that start with 7');
      else if (!zone) reject('timezone', 'must be the name of a zone');
      else if (seen.has(p)) reject('phone', `is already in line ${seen.get(p)}`);
      else {
        seen.set(p, i + 1);
        if (stored.has(p)) answer.unchanged++;
        else answer.created++;
        stored.add(p);
      }
    }
    return answer;
  };
}

function start(rows: string[][], send: (csv: string) => Promise<Answer>, more: Partial<Plan> = {}, took = 1000) {
  const rejected: Rejected[] = [];
  let time = 0;
  const parts: string[] = [];
  const job = new Job({
    rows: later(rowsOf(rows)), plan: plan(more), done: (some) => rejected.push(...some), now: () => (time += took),
    send: (csv) => (parts.push(csv), send(csv)),
  });
  return { job, rejected, parts };
}

test('all rows are imported in parts, and each part has the header', async () => {
  const stored = new Set<string>();
  const rows = Array.from({ length: 25_000 }, (_, i) => [phone(i), i % 2 ? 'a' : '', i % 10 ? 'UTC' : '']);
  const { job, rejected, parts } = start(rows, api(stored));
  assert.equal(await job.run(), true);
  assert.deepEqual(job.totals, { read: 25_000, created: 22_500, updated: 0, unchanged: 0, rejected: 2_500 });
  assert.equal(stored.size, 22_500);
  assert.ok(parts.length > 5 && parts.every((p) => p.startsWith('phone,tag,timezone\n') && p.split('\n').length <= maxRows + 2));
  assert.deepEqual(rejected.map((r) => r.row.line), rows.flatMap((_, i) => (i % 10 ? [] : [i + 2])));
});

test('parts get smaller where they take long', async () => {
  const sizes: number[] = [];
  const { job } = start(Array.from({ length: 3_000 }, (_, i) => [phone(i), '', 'UTC']), async (csv) => {
    sizes.push(csv.split('\n').length - 2);
    return { created: sizes.at(-1)!, updated: 0, unchanged: 0, rows: [] };
  }, {}, 25_000);
  await job.run();
  assert.deepEqual(sizes.slice(0, 3), [500, 100, 100]);
});

test('a phone that was imported before is rejected with the line of the first one, in one part and in two', async () => {
  const rows = Array.from({ length: 1_200 }, (_, i) => [phone(i), '', 'UTC']);
  rows[10] = rows[9]!;
  rows[1_100] = rows[9]!;
  const { job, rejected } = start(rows, api(new Set()));
  await job.run();
  assert.deepEqual(rejected.map((r) => [r.row.line, r.reasons]), [
    [12, [{ key: 'twice', values: { line: 11 } }]], [1_102, [{ key: 'twice', values: { line: 11 } }]],
  ]);
});

test('a row whose first one with the phone was rejected is imported', async () => {
  const { job } = start([[phone(1), '', ''], [phone(1), '', 'UTC']], api(new Set()));
  await job.run();
  assert.deepEqual(job.totals, { read: 2, created: 1, updated: 0, unchanged: 0, rejected: 1 });
});

test('an import goes on from next_line, also where cells have several lines', async () => {
  const stored = new Set<string>();
  const rows = Array.from({ length: 95 }, (_, i) => [phone(i), '', 'UTC']);
  const { job, parts } = start(rows, api(stored, 20));
  assert.equal(await job.run(), true);
  assert.deepEqual(job.totals, { read: 95, created: 95, updated: 0, unchanged: 0, rejected: 0 });
  assert.equal(parts.length, 5);

  const lines: string[] = [];
  const two = start([[phone(1), 'a\nb', 'UTC'], [phone(2), 'c', 'UTC']], async (csv) => {
    lines.push(csv);
    return lines.length === 1 ? { created: 1, updated: 0, unchanged: 0, rows: [], next_line: 4 } : { created: 0, updated: 0, unchanged: 0, rows: [{ line: 2, errors: [] }] };
  });
  await two.job.run();
  assert.equal(lines[1], `phone,tag,timezone\n${phone(2)},c,UTC\n`);
  assert.deepEqual(two.rejected.map((r) => r.row.line), [3]);
});

test('after a lost answer the same part is sent again', async () => {
  const stored = new Set<string>();
  const send = api(stored);
  let calls = 0;
  const { job } = start(Array.from({ length: 700 }, (_, i) => [phone(i), '', 'UTC']), async (csv) => {
    const answer = await send(csv);
    if (++calls === 1) throw new Error('lost');
    return answer;
  });
  await assert.rejects(job.run(), /lost/);
  assert.equal(job.totals.read, 0);
  assert.equal(await job.run(), true);
  assert.deepEqual(job.totals, { read: 700, created: 200, updated: 0, unchanged: 500, rejected: 0 });
  assert.equal(job.resent, true);
});

test('an import stops between two parts and goes on', async () => {
  const stored = new Set<string>();
  const send = api(stored);
  const { job } = start(Array.from({ length: 2_000 }, (_, i) => [phone(i), '', 'UTC']), async (csv) => {
    job.stop();
    return send(csv);
  });
  assert.equal(await job.run(), false);
  assert.equal(job.totals.read, 500);
  while (!(await job.run()));
  assert.deepEqual(job.totals, { read: 2_000, created: 2_000, updated: 0, unchanged: 0, rejected: 0 });
  assert.equal(job.resent, false);
});

test('an answer that did no row is an error, not a loop', async () => {
  const { job } = start([[phone(1), '', 'UTC']], async () => ({ created: 0, updated: 0, unchanged: 0, rows: [], next_line: 2 }));
  await assert.rejects(job.run(), Stalled);
});

test('the page rejects rows that the API would read as others', async () => {
  const rows = [[phone(1), 'a', 'UTC', 'more'], [phone(2), 'a'], ['', 'a', 'UTC'], [phone(3), 'a', 'UTC', '', ' ']];
  const { job, rejected, parts } = start(rows, api(new Set()));
  await job.run();
  assert.deepEqual(rejected.map((r) => r.reasons[0]), [
    { key: 'cells', values: { n: 4, columns: 3 } }, { key: 'cells', values: { n: 2, columns: 3 } }, { key: 'phone', values: {} },
  ]);
  assert.deepEqual(parts, [`phone,tag,timezone\n${phone(3)},a,UTC\n`]);
});

test('columns are sent in the order of the API, with values for empty cells and phones rewritten', async () => {
  const { job, parts } = start([['x', 'Asia/Omsk', '8 900 000-00-01'], ['y', '', '79000000002']], api(new Set()), {
    mapping: [undefined, 'timezone', 'phone'], rewrite: true, empty: { tag: 'new', timezone: 'Europe/Moscow' },
  });
  await job.run();
  assert.deepEqual(parts, ['phone,tag,timezone\n79000000001,new,Asia/Omsk\n79000000002,new,Europe/Moscow\n']);
});

test('a file of nothing but wrong rows sends nothing', async () => {
  const { job, parts } = start([['', 'a', ''], ['', 'b', '']], api(new Set()));
  assert.equal(await job.run(), true);
  assert.equal(parts.length, 0);
  assert.equal(job.totals.rejected, 2);
});

test('rejected rows become a file with line and reason, safe for spreadsheets', () => {
  const rejects = new Rejects(['line', 'reason', 'phone', 'tag'], ';');
  rejects.add([{ row: { line: 7, cells: ['+7900', 'a;b'] }, reason: 'phone: must be 11 digits', kinds: ['phone', 'tag'] }]);
  rejects.add([{ row: { line: 8, cells: [] }, reason: 'x', kinds: ['tag'] }]);
  assert.deepEqual([...rejects.kinds], [['phone', 1], ['tag', 2]]);
  assert.equal(rejects.file().join(''), "\ufeffline;reason;phone;tag\n7;phone: must be 11 digits;'+7900;\"a;b\"\n8;x\n");
  assert.deepEqual(rejects.first.slice(0, 1), [{ line: 7, reason: 'phone: must be 11 digits', cells: ['+7900', 'a;b'] }]);
});
