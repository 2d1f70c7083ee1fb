// A message is a text, or one text for each plural category of its language. Names in
// braces are replaced by values.
export type Message = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);

export type Values = Record<string, string | number>;

const rules = new Map<string, Intl.PluralRules>();
const numbers = new Map<string, Intl.NumberFormat>();

// fill returns the text of a message. Numbers among the values are written as the
// locale writes them. A name without a value stays as it is, so that a mistake is seen.
export function fill(message: Message, locale: string, values: Values = {}): string {
  let text = message;
  if (typeof text !== 'string') {
    const n = values['n'];
    const category = typeof n === 'number' ? plural(locale).select(n) : 'other';
    text = text[category] ?? text.other;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? number(locale).format(value) : value;
  });
}

function plural(locale: string): Intl.PluralRules {
  let r = rules.get(locale);
  if (!r) rules.set(locale, (r = new Intl.PluralRules(locale)));
  return r;
}

function number(locale: string): Intl.NumberFormat {
  let f = numbers.get(locale);
  if (!f) numbers.set(locale, (f = new Intl.NumberFormat(locale)));
  return f;
}
