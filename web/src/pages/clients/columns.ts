// What the columns of a file mean: by their names, or by what is in them.

export const fields = ['phone', 'operator_code', 'tag', 'timezone'] as const;
export type Field = (typeof fields)[number];

// Mapping has the field of each column of the file, in order. A column without one is
// not imported.
export type Mapping = (Field | undefined)[];

const names: Record<Field, string[]> = {
  phone: [
    'phone', 'phone number', 'phonenumber', 'telephone', 'tel', 'mobile', 'mobile phone', 'mobile number', 'cell', 'msisdn', 'number',
    'телефон', 'номер телефона', 'номер', 'мобильный', 'мобильный телефон', 'моб телефон', 'тел', 'телефон клиента', 'контактный телефон',
  ],
  operator_code: ['operator code', 'operatorcode', 'operator', 'code', 'mobile code', 'код оператора', 'код мобильного оператора', 'код', 'оператор'],
  tag: ['tag', 'tags', 'label', 'group', 'segment', 'тег', 'тэг', 'теги', 'метка', 'группа', 'сегмент'],
  timezone: ['timezone', 'time zone', 'tz', 'zone', 'часовой пояс', 'временная зона', 'часовая зона', 'таймзона', 'пояс', 'зона'],
};

// fieldOf returns the field that a name of a column means, in English or Russian.
export function fieldOf(name: string): Field | undefined {
  const plain = normal(name);
  return fields.find((f) => names[f].includes(plain));
}

function normal(name: string): string {
  return name.toLowerCase().replace(/[\s\u00a0_.:*-]+/g, ' ').trim();
}

// phoneLike reports whether a cell may be a phone, however it is written.
export function phoneLike(cell: string): boolean {
  const digits = cell.replace(/\D/g, '');
  return (digits.length === 10 || digits.length === 11) && !/[\p{L}/:]/u.test(cell);
}

// zoneLike reports whether a cell may be the name of a time zone.
export function zoneLike(cell: string): boolean {
  return cell.trim() === 'UTC' || /^[A-Z][A-Za-z]+(\/[A-Za-z0-9_+-]+)+$/.test(cell.trim());
}

// hasHeader reports whether the first of the rows has names.
export function hasHeader(rows: string[][]): boolean {
  const first = rows[0] ?? [];
  return !first.some(phoneLike) && (first.some((c) => fieldOf(c)) || rows.slice(1).some((r) => r.some(phoneLike)));
}

// guess returns what the columns mean. header is undefined if the file has none. Columns
// whose names say nothing are recognised by what is in the rows, as far as the field is
// still open.
export function guess(header: string[] | undefined, rows: string[][]): Mapping {
  const mapping: Mapping = (header ?? rows[0] ?? []).map(() => undefined);
  const set = (field: Field, column: number) => {
    if (column >= 0 && !mapping.includes(field)) mapping[column] = field;
  };
  header?.forEach((name, i) => {
    const field = fieldOf(name);
    if (field) set(field, i);
  });
  const most = (like: (cell: string) => boolean) =>
    mapping.findIndex((field, i) => {
      const filled = rows.map((r) => r[i] ?? '').filter((c) => c.trim());
      return !field && filled.length > 0 && filled.filter(like).length > filled.length / 2;
    });
  set('phone', most(phoneLike));
  set('timezone', most(zoneLike));
  if (!header) set('operator_code', most((c) => /^\d{3}$/.test(c.trim())));
  return mapping;
}

// assign gives a column a field. Another column that had the field loses it.
export function assign(mapping: Mapping, column: number, field: Field | undefined): Mapping {
  return mapping.map((f, i) => (i === column ? field : f === field ? undefined : f));
}

const phone = /^7\d{10}$/;

export function isPhone(text: string): boolean {
  return phone.test(text);
}

// Characters that people and programs put into phones: blanks, brackets, dots, dashes,
// and marks that are not seen.
const decoration = /[\s\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff().\-\u2010-\u2015\u2212]/g;

// rewritten returns a phone as the API takes it, if the cell has just one meaning:
// +7 900 123-45-67, 8 (900) 123-45-67, 900 123 45 67, and the form ="79001234567" of
// spreadsheets. Other cells are returned as they are.
export function rewritten(cell: string): string {
  const plain = cell.replace(/^'/, '').replace(/^="(.*)"$/, '$1').replace(decoration, '');
  const parts = /^(?:\+?7|8)?(9\d{9})$/.exec(plain) ?? /^(?:\+?7|8)(\d{10})$/.exec(plain);
  return parts ? `7${parts[1]}` : cell;
}

// visible returns a text with the names of characters that are not seen, such as [U+202C].
export function visible(text: string): string {
  return text.replace(/[\u00a0\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
}
