// What has been typed is kept in the browser's tab, so that it survives a reload.
import type { Mailing, Schemas } from '../../api/client.ts';
import type { Draft } from './draft.ts';

// Attempt is a request to create the mailing that was sent once. Its outcome is not
// known if no answer came.
export interface Attempt {
  draft: string;
  body: Schemas['MailingBody'];
}

export interface Kept {
  draft: Draft;
  // base is the version of the mailing that is edited, null for a new one.
  base: Mailing | null;
  // key is the idempotency key of the creation: it stays until the mailing is created.
  key: string;
  attempts: Attempt[];
  // earlier is true if the draft belongs to a mailing that a try with a lost answer has
  // created.
  earlier?: boolean;
}

// The number rises when the shape of what is kept changes.
const prefix = 'postrider.draft.1.';

export function keep(address: string, kept: Kept) {
  try {
    sessionStorage.setItem(prefix + address, JSON.stringify(kept));
  } catch {
    // A full or forbidden store loses the draft at a reload, and nothing else.
  }
}

export function keptAt(address: string): Kept | undefined {
  try {
    const text = sessionStorage.getItem(prefix + address);
    return text === null ? undefined : (JSON.parse(text) as Kept);
  } catch {
    return undefined;
  }
}

export function forget(address: string) {
  try {
    sessionStorage.removeItem(prefix + address);
  } catch {
    // As above.
  }
}

// newKey returns a random key. randomUUID is not there on plain HTTP.
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
