import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assign, fieldOf, guess, hasHeader, rewritten, visible, type Field } from './columns.ts';

test('names of columns are known in English and Russian', () => {
  const known: Record<string, Field | undefined> = {
    'phone': 'phone', 'Phone Number': 'phone', ' MSISDN ': 'phone', 'Телефон': 'phone', 'НОМЕР ТЕЛЕФОНА': 'phone', 'Моб. телефон': 'phone',
    'operator_code': 'operator_code', 'Код оператора': 'operator_code', 'Tag': 'tag', 'тег': 'tag', 'Тэг:': 'tag',
    'timezone': 'timezone', 'Time-Zone': 'timezone', 'Часовой пояс': 'timezone', 'id': undefined, 'Имя': undefined, '': undefined, 'constructor': undefined,
  };
  for (const [name, field] of Object.entries(known)) assert.equal(fieldOf(name), field, name);
});

test('columns get their fields by name, each field once', () => {
  assert.deepEqual(guess(['id', 'телефон', 'Phone', 'часовой пояс', 'тег'], []), [undefined, 'phone', undefined, 'timezone', 'tag']);
});

test('columns without a known name are recognised by what is in them', () => {
  const rows = [['Anna', '+7 900 123-45-67', 'Europe/Moscow', '900'], ['Boris', '8 (900) 123-45-68', '', '901'], ['', '', 'Asia/Omsk', '']];
  assert.deepEqual(guess(['name', 'contact', 'where', 'x'], rows), [undefined, 'phone', 'timezone', undefined]);
  assert.deepEqual(guess(undefined, rows), [undefined, 'phone', 'timezone', 'operator_code']);
});

test('a first row with a phone is no header', () => {
  assert.equal(hasHeader([['phone', 'tag'], ['79001234567', 'a']]), true);
  assert.equal(hasHeader([['contact', 'x'], ['79001234567', 'a']]), true);
  assert.equal(hasHeader([['79001234567', 'a'], ['79001234568', 'a']]), false);
  assert.equal(hasHeader([['phone']]), true);
  assert.equal(hasHeader([]), false);
});

test('a field moves from one column to another', () => {
  assert.deepEqual(assign(['phone', 'tag', undefined], 2, 'phone'), [undefined, 'tag', 'phone']);
  assert.deepEqual(assign(['phone', 'tag', undefined], 1, undefined), ['phone', undefined, undefined]);
});

test('phones are rewritten where they have one meaning', () => {
  for (const cell of ['+79000000008', '8 900 000-00-08', '8(900)0000008', '="79000000008"', "'+79000000008", '79000000008\u202c', '79000000008\u00a0', '\u200b79000000008', '9000000008', '+7\u2011900\u2011000\u201100\u201108']) {
    assert.equal(rewritten(cell), '79000000008', cell);
  }
  for (const cell of ['7,9E+10', '', '1234567890', '+1 900 000 00 08', '790000000089', 'phone']) assert.equal(rewritten(cell), cell);
});

test('characters that are not seen are named', () => {
  assert.equal(visible('79000000004\u202c 5\u00a0'), '79000000004[U+202C] 5[U+00A0]');
});
