// The texts of the pages in two languages, and how numbers, times and plurals are
// written in them.
import { computed, signal } from '@preact/signals';
import { en } from './en.ts';
import { ru } from './ru.ts';
import { fill, type Message, type Values } from './message.ts';

export type Language = 'en' | 'ru';
export type Key = keyof typeof en;

export const languages: { id: Language; name: string }[] = [
  { id: 'en', name: 'English' },
  { id: 'ru', name: 'Русский' },
];

const catalogues: Record<Language, Record<Key, Message>> = { en, ru };
const stored = 'postrider.language';

// initial returns the language that the person chose before, or the first language of
// the browser that has a catalogue.
function initial(): Language {
  const chosen = localStorage.getItem(stored);
  if (chosen === 'en' || chosen === 'ru') return chosen;
  for (const tag of navigator.languages) {
    if (tag.startsWith('ru')) return 'ru';
    if (tag.startsWith('en')) return 'en';
  }
  return 'en';
}

export const language = signal<Language>(initial());

// choose switches the language and remembers it.
export function choose(l: Language) {
  language.value = l;
  localStorage.setItem(stored, l);
}

// locale is the BCP 47 tag for Intl. English follows the browser's region, so that a
// British reader gets British dates.
export const locale = computed(() => {
  const regional = navigator.languages.find((tag) => tag.startsWith(language.value));
  return regional ?? (language.value === 'ru' ? 'ru-RU' : 'en-GB');
});

// t returns the text of a key. values replace the names in braces; the value n also
// chooses the plural form.
export function t(key: Key, values?: Values): string {
  return fill(catalogues[language.value][key], locale.value, values);
}
