// Which encoding a file has, by its first bytes.

export const encodings = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1251', 'koi8-r', 'ibm866'] as const;
export type Encoding = (typeof encodings)[number];

export interface Found {
  encoding: Encoding;
  // bom is whether the file says so itself, by a byte order mark.
  bom: boolean;
}

// Foreign is a file that is no text: a workbook of a spreadsheet, or something else.
export type Foreign = 'workbook' | 'binary';

// foreign reports what a file is that cannot be CSV.
export function foreign(bytes: Uint8Array): Foreign | undefined {
  if (startsWith(bytes, 0x50, 0x4b, 3, 4) || startsWith(bytes, 0xd0, 0xcf, 0x11, 0xe0)) return 'workbook';
  const { encoding, bom } = detect(bytes);
  return !bom && !encoding.startsWith('utf-16') && bytes.includes(0) ? 'binary' : undefined;
}

// detect returns the encoding of a file that begins with bytes. Text with other bytes
// than ASCII that is not valid UTF-8 is taken for Windows-1251, which spreadsheets write
// on a Russian Windows.
export function detect(bytes: Uint8Array): Found {
  if (startsWith(bytes, 0xef, 0xbb, 0xbf)) return { encoding: 'utf-8', bom: true };
  if (startsWith(bytes, 0xff, 0xfe)) return { encoding: 'utf-16le', bom: true };
  if (startsWith(bytes, 0xfe, 0xff)) return { encoding: 'utf-16be', bom: true };
  return { encoding: utf16(bytes) ?? (utf8(bytes) ? 'utf-8' : 'windows-1251'), bom: false };
}

function startsWith(bytes: Uint8Array, ...start: number[]): boolean {
  return start.every((b, i) => bytes[i] === b);
}

// utf16 recognises UTF-16 without a byte order mark: in digits, Latin letters and
// separators every other byte is zero.
function utf16(bytes: Uint8Array): Encoding | undefined {
  const zeros = [0, 0];
  const length = Math.min(bytes.length, 4096);
  for (let i = 0; i < length; i++) if (bytes[i] === 0) zeros[i % 2]!++;
  const [even, odd] = zeros as [number, number];
  const many = length / 2 / 4;
  if (odd > many && even < odd / 8) return 'utf-16le';
  if (even > many && odd < even / 8) return 'utf-16be';
  return undefined;
}

function utf8(bytes: Uint8Array): boolean {
  const damage = new Damage();
  damage.look(new TextDecoder('utf-8').decode(bytes, { stream: true }));
  return !damage.wrong;
}

// Damage looks at text that was decoded as UTF-8, and reports whether that was wrong.
export class Damage {
  private good = 0;
  private bad = 0;

  look(text: string) {
    const bad = text.split('\ufffd').length - 1;
    this.bad += bad;
    // That many readable characters are no accident: counting ends.
    if (this.good < 1000) this.good += (text.match(/[^\x00-\x7f]/g)?.length ?? 0) - bad;
  }

  // wrong is true if most characters that are not ASCII could not be read. A few of them
  // are damage in a file that is UTF-8 nevertheless.
  get wrong(): boolean {
    return this.bad > this.good;
  }
}
