import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf } from './rule.ts';

test('a message of the API has a rule and a hint', () => {
  const phone = 'must be 11 digits that start with 7';
  for (const [message, want] of [
    [phone, { rule: phone, key: 'said.phone' }],
    [`${phone}; it contains U+202C`, { rule: phone, key: 'said.phone', hint: { key: 'said.hint.contains', values: { code: 'U+202C' } } }],
    [`${phone}; it looks like +7...: write 79000000008`, { rule: phone, key: 'said.phone', hint: { key: 'said.hint.write', values: { phone: '79000000008' } } }],
    [`${phone}; it looks like a spreadsheet's 7,9E+10: format the column as text`, { rule: phone, key: 'said.phone', hint: { key: 'said.hint.text', values: { cell: '7,9E+10' } } }],
    ['must have no control characters, such as line breaks; it contains U+000A', { rule: 'must have no control characters, such as line breaks', key: 'said.control', hint: { key: 'said.hint.contains', values: { code: 'U+000A' } } }],
  ] as const) {
    assert.deepEqual(partsOf(message), want);
  }
});

test('a message that is not known stays as it is', () => {
  for (const message of ['is new', 'is new; it is better', '']) assert.deepEqual({ ...partsOf(message) }.rule, message);
  assert.equal(partsOf('is new; it is better').key, undefined);
});
