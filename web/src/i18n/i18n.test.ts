import assert from 'node:assert/strict';
import { test } from 'node:test';
import { en } from './en.ts';
import { fill, type Message } from './message.ts';
import { ru } from './ru.ts';

const catalogues: Record<string, Record<string, Message>> = { en, ru };

test('both catalogues have the same texts, and none is empty', () => {
  assert.deepEqual(Object.keys(ru).sort(), Object.keys(en).sort());
  for (const [name, texts] of Object.entries(catalogues)) {
    for (const [key, message] of Object.entries(texts)) {
      for (const form of forms(message)) assert.notEqual(form.trim(), '', `${name} ${key}`);
    }
  }
});

test('a text has the same values in both languages', () => {
  for (const [key, message] of Object.entries(en as Record<string, Message>)) {
    assert.deepEqual(names(ru[key as keyof typeof ru]), names(message), key);
  }
});

test('each plural has all forms of its language', () => {
  for (const [name, texts] of Object.entries(catalogues)) {
    const categories = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    for (const [key, message] of Object.entries(texts)) {
      if (typeof message === 'string') continue;
      assert.deepEqual(Object.keys(message).sort(), [...categories].sort(), `${name} ${key}`);
    }
  }
});

test('plurals follow the number', () => {
  const messages = (n: number, locale: string) => fill(catalogues[locale]!['counts.messages']!, locale, { n });
  assert.deepEqual([1, 2, 5, 11, 21, 22, 25].map((n) => messages(n, 'ru')), [
    '1 сообщение', '2 сообщения', '5 сообщений', '11 сообщений', '21 сообщение', '22 сообщения', '25 сообщений',
  ]);
  assert.deepEqual([0, 1, 2].map((n) => messages(n, 'en')), ['0 messages', '1 message', '2 messages']);
});

function forms(message: Message): string[] {
  return typeof message === 'string' ? [message] : Object.values(message);
}

function names(message: Message): string[] {
  return [...new Set(forms(message).flatMap((f) => [...f.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!)))].sort();
}
