// Counts a text as the short messages that it takes, by the same rules as
// internal/mailing/sms.go: 3GPP TS 23.038 and TS 23.040. The tests of both read the cases
// in internal/mailing/testdata/sms.json.

export type Encoding = 'GSM-7' | 'UCS-2';

export interface SMS {
  encoding: Encoding;
  // units is the length in septets (GSM-7) or UTF-16 code units (UCS-2).
  units: number;
  segments: number;
  // left is how many units still fit into the last segment.
  left: number;
}

// A character of the extension table takes two septets: an escape comes before it.
const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
const extension = new Set('\f^{}\\[~]|€');

const gsmUnits = (c: string) => (basic.has(c) ? 1 : extension.has(c) ? 2 : 0);
const ucs2Units = (c: string) => c.length;

// countSMS counts a text. Two units that belong together stay in one segment.
export function countSMS(text: string): SMS {
  return fill(text, 'GSM-7', 160, 153, gsmUnits) ?? fill(text, 'UCS-2', 70, 67, ucs2Units)!;
}

// fill counts a text in one encoding. alone is the number of units in a single message,
// part in one of several. It returns nothing if a character is not in the alphabet.
function fill(text: string, encoding: Encoding, alone: number, part: number, unitsOf: (c: string) => number): SMS | undefined {
  let [units, segments, filled] = [0, 1, 0];
  for (const c of text) {
    const n = unitsOf(c);
    if (n === 0) return undefined;
    units += n;
    filled += n;
    if (filled > part) [segments, filled] = [segments + 1, n];
  }
  if (units <= alone) return { encoding, units, segments: 1, left: alone - units };
  return { encoding, units, segments, left: part - filled };
}

// characters returns the length of a text as the API limits it: in code points.
export function characters(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

// foreign returns the distinct characters of a text that GSM-7 does not have.
export function foreign(text: string): string[] {
  return [...new Set(text)].filter((c) => gsmUnits(c) === 0);
}

// Typographic characters that have a plain one with the same meaning. Word processors
// put them in unasked.
const plainOf: Record<string, string> = {
  '“': '"', '”': '"', '„': '"', '«': '"', '»': '"', '‘': "'", '’': "'", '‚': "'", '`': "'", '´': "'",
  '–': '-', '—': '-', '−': '-', '‑': '-', '…': '...', '•': '-', '\u00a0': ' ', '\u202f': ' ', '\u2009': ' ', '\t': ' ',
  '\u200b': '', '\u00ad': '', '\ufeff': '',
};

// plainer returns the text with plain characters in place of typographic ones, if that
// makes it fewer messages.
export function plainer(text: string): string | undefined {
  const plain = Array.from(text, (c) => plainOf[c] ?? c).join('');
  return countSMS(plain).segments < countSMS(text).segments ? plain : undefined;
}
