// The texts of the pages in two languages, and how numbers, times and plurals are
// written in them.
import { batch, computed, signal } from '@preact/signals';
import type { en } from './en.ts';
import { fill, type Message, type Values } from './message.ts';

export type Language = 'en' | 'ru';
export type Key = keyof typeof en;

export const languages: { id: Language; name: string }[] = [
  { id: 'en', name: 'English' },
  { id: 'ru', name: 'Русский' },
];

// Each catalogue is a file of its own, so that a browser loads only one of them.
const catalogues: Record<Language, () => Promise<Record<Key, Message>>> = {
  en: async () => (await import('./en.ts')).en,
  ru: async () => (await import('./ru.ts')).ru,
};
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
const texts = signal<Record<Key, Message> | undefined>(undefined);

// start loads the texts. Nothing can be shown before.
export async function start() {
  texts.value = await catalogues[language.value]();
}

// choose switches the language and remembers it. The language stays if its texts cannot
// be loaded.
export async function choose(l: Language) {
  const loaded = await catalogues[l]();
  batch(() => {
    texts.value = loaded;
    language.value = l;
  });
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
  return fill(texts.value![key], locale.value, values);
}
