import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detect, foreign } from './encoding.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string, big: boolean, bom = true) => {
  const bytes = [...(bom ? '\ufeff' : ''), ...text].flatMap((c) => {
    const code = c.charCodeAt(0);
    return big ? [code >> 8, code & 255] : [code & 255, code >> 8];
  });
  return Uint8Array.from(bytes);
};
// "телефон;тег" in Windows-1251
const windows1251 = Uint8Array.from([0xf2, 0xe5, 0xeb, 0xe5, 0xf4, 0xee, 0xed, 0x3b, 0xf2, 0xe5, 0xe3, 0x0a, 0x37, 0x39]);
const file = 'телефон;тег\n79001234567;друзья\n';

test('a byte order mark says the encoding', () => {
  assert.deepEqual(detect(utf8('\ufeff' + file)), { encoding: 'utf-8', bom: true });
  assert.deepEqual(detect(utf16(file, false)), { encoding: 'utf-16le', bom: true });
  assert.deepEqual(detect(utf16(file, true)), { encoding: 'utf-16be', bom: true });
});

test('encodings without a byte order mark are recognised', () => {
  assert.deepEqual(detect(utf8(file)), { encoding: 'utf-8', bom: false });
  assert.deepEqual(detect(utf8('phone\n79001234567\n')), { encoding: 'utf-8', bom: false });
  assert.deepEqual(detect(utf16(file, false, false)), { encoding: 'utf-16le', bom: false });
  assert.deepEqual(detect(utf16(file, true, false)), { encoding: 'utf-16be', bom: false });
  assert.deepEqual(detect(windows1251), { encoding: 'windows-1251', bom: false });
  assert.deepEqual(detect(new Uint8Array()), { encoding: 'utf-8', bom: false });
});

test('a character that is cut off at the end is no damage, and a few damaged ones leave a file UTF-8', () => {
  const bytes = utf8(file);
  for (let n = 1; n <= bytes.length; n++) assert.equal(detect(bytes.slice(0, n)).encoding, 'utf-8', String(n));
  assert.equal(detect(Uint8Array.from([...utf8('тег'), 0xff, 0x2c])).encoding, 'utf-8');
});

test('workbooks and other files that are no text are recognised', () => {
  assert.equal(foreign(Uint8Array.from([0x50, 0x4b, 3, 4, 20])), 'workbook');
  assert.equal(foreign(Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1])), 'workbook');
  assert.equal(foreign(Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13, 1, 2, 3, 4, 5, 6, 7, 8])), 'binary');
  for (const text of [utf8(file), utf16(file, true), utf16(file, false, false), windows1251]) assert.equal(foreign(text), undefined);
});
