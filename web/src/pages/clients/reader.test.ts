import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detect } from './encoding.ts';
import { rowsOf, sampleOf, separatorOf, shapeOf, survey } from './reader.ts';
import { guess } from './columns.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function* pieces(all: Uint8Array, size: number) {
  for (let i = 0; i < all.length; i += size) yield all.subarray(i, i + size);
}

// open reads a file as the page does, in pieces of a size.
async function open(all: Uint8Array, size = 5) {
  const shape = shapeOf(all, detect(all).encoding);
  const sample = sampleOf(all, shape, true);
  const rows = [];
  for await (const some of rowsOf(pieces(all, size), shape)) rows.push(...some);
  assert.deepEqual(sample.rows, rows.slice(0, 50));
  return { shape, header: sample.header, rows: rows.map((r) => [r.line, ...r.cells]), mapping: guess(sample.header, sample.rows.map((r) => r.cells)) };
}

test('rows of separators and blanks are no rows', async () => {
  const { rows } = await open(bytes('phone;tag;timezone\n79000000001;friends;Europe/Moscow\n;;\n;;\n\n ; ; \n'));
  assert.deepEqual(rows, [[2, '79000000001', 'friends', 'Europe/Moscow']]);
});

test("Excel's line with the separator is no header", async () => {
  for (const start of ['sep=;\r\n', '"sep=;"\r\n', 'SEP=;\n', 'sep=;;;\n', '"sep=;";;\n']) {
    const { shape, header, rows } = await open(bytes(`${start}phone;tag;timezone\r\n79000000002;a,b,c,d,e;Europe/Moscow\r\n`));
    assert.equal(shape.separator, ';');
    assert.deepEqual(header, ['phone', 'tag', 'timezone']);
    assert.deepEqual(rows, [[3, '79000000002', 'a,b,c,d,e', 'Europe/Moscow']]);
  }
});

test('lines may end with CR only', async () => {
  const { rows, mapping } = await open(bytes('phone,timezone\r79000000003,Europe/Moscow\r'));
  assert.deepEqual(rows, [[2, '79000000003', 'Europe/Moscow']]);
  assert.deepEqual(mapping, ['phone', 'timezone']);
});

test('a header that is repeated inside of the file is no row', async () => {
  const { rows } = await open(bytes('phone,tag,timezone\n79000000011,one,Europe/Moscow\nphone,tag,timezone\n79000000011,two,Europe/Moscow\n'));
  assert.deepEqual(rows.map((r) => r[0]), [2, 4]);
});

test('a file in Windows-1251 with Russian names is read', async () => {
  const file = Uint8Array.from([
    0xf2, 0xe5, 0xeb, 0xe5, 0xf4, 0xee, 0xed, 0x3b, 0xf2, 0xe5, 0xe3, 0x3b, 0xf7, 0xe0, 0xf1, 0xee, 0xe2, 0xee, 0xe9, 0x20, 0xef, 0xee, 0xff, 0xf1, 0x0a,
    ...bytes('79000000012;'), 0xe4, 0xf0, 0xf3, 0xe7, 0xfc, 0xff, ...bytes(';Europe/Moscow\n'),
  ]);
  const { shape, mapping, rows } = await open(file);
  assert.deepEqual(shape, { encoding: 'windows-1251', separator: ';', header: true });
  assert.deepEqual(mapping, ['phone', 'tag', 'timezone']);
  assert.deepEqual(rows, [[2, '79000000012', 'друзья', 'Europe/Moscow']]);
});

test('a file in UTF-16 with tabs is read, in pieces that cut characters', async () => {
  const text = 'phone\ttag\ttimezone\n79000000013\tдрузья\tEurope/Moscow\n';
  const file = Uint8Array.from([0xff, 0xfe, ...[...text].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8])]);
  for (const size of [1, 2, 3, 1000]) {
    const { shape, rows } = await open(file, size);
    assert.deepEqual(shape, { encoding: 'utf-16le', separator: '\t', header: true });
    assert.deepEqual(rows, [[2, '79000000013', 'друзья', 'Europe/Moscow']]);
  }
});

test('a file without a header is read from its first line', async () => {
  const { shape, header, rows, mapping } = await open(bytes('\ufeff79001234567;vip;Europe/Moscow\n79001234568;;Europe/Moscow'));
  assert.equal(shape.header, false);
  assert.equal(header, undefined);
  assert.deepEqual(mapping, ['phone', undefined, 'timezone']);
  assert.equal(rows.length, 2);
});

test('the separator gives the most names of columns, or the most cells', () => {
  assert.equal(separatorOf('phone\n79001234567\n'), ',');
  assert.equal(separatorOf('phone;tag,group\n79001234567;a\n'), ';');
  assert.equal(separatorOf('79001234567|a|b\n79001234568|c|d\n'), '|');
  assert.equal(separatorOf(''), ',');
});

test('a survey counts rows, phones by form, and rows without a zone', async () => {
  const file = bytes('phone,timezone\n79000000001,UTC\n+79000000002,\n8 900 000-00-03,UTC\n"7,9E+10",UTC\n,\n');
  const shape = shapeOf(file, 'utf-8');
  let last = 0;
  const found = await survey(pieces(file, 7), shape, { phone: 0, timezone: 1 }, (_, at) => { last = at; });
  assert.deepEqual(found, { rows: 4, phones: { right: 1, rewritable: 2, wrong: 1 }, example: '+79000000002', withoutZone: 1, wrongEncoding: false });
  assert.equal(last, file.length);
});

test('a survey finds out late that a file is not in UTF-8', async () => {
  const file = Uint8Array.from([...bytes('phone,tag\n' + '79001234567,a\n'.repeat(1000)), 0xf2, 0xe5, 0xe3, 0x0a]);
  assert.equal((await survey(pieces(file, 100), shapeOf(file, 'utf-8'), { phone: 0, timezone: -1 }, () => {})).wrongEncoding, true);
  assert.equal((await survey(pieces(file, 100), shapeOf(file, 'windows-1251'), { phone: 0, timezone: -1 }, () => {})).wrongEncoding, false);
});
