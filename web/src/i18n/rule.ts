// The parts of what the API says about a field: a rule, and a hint after it. A hint has
// data of the row, so rows that break the same rule have different ones.
import type { Key } from './index.ts';
import type { Values } from './message.ts';

const rules: Record<string, Key> = {
  'must be 11 digits that start with 7': 'said.phone',
  'must be 3 digits': 'said.operator_code',
  'must be at most 64 characters': 'said.tag',
  'must have no control characters, such as line breaks': 'said.control',
  'must be text without control characters, such as line breaks': 'said.control',
  'must be the name of a zone of the IANA database, such as Europe/Moscow': 'said.timezone',
  'has characters that cannot be read: save the file as UTF-8': 'said.characters',
  'could not be written': 'said.not_written',
};

const hints: [RegExp, Key, string][] = [
  [/^contains (U\+[0-9A-F]{4,6})$/, 'said.hint.contains', 'code'],
  [/: write (7\d{10})$/, 'said.hint.write', 'phone'],
  [/^looks like a spreadsheet's (\S+): format the column as text$/, 'said.hint.text', 'cell'],
];

export interface Said {
  // rule is the rule in the API's words, and key the text for it, if there is one.
  rule: string;
  key: Key | undefined;
  hint?: { key: Key; values: Values };
}

// partsOf returns the parts of a message. A hint that is not known here is a part of the
// rule.
export function partsOf(message: string): Said {
  const at = message.indexOf('; it ');
  if (at < 0) return { rule: message, key: rules[message] };
  const rule = message.slice(0, at);
  const text = message.slice(at + '; it '.length);
  for (const [pattern, key, name] of hints) {
    const found = pattern.exec(text);
    if (found) return { rule, key: rules[rule], hint: { key, values: { [name]: found[1]! } } };
  }
  return { rule: message, key: undefined };
}
