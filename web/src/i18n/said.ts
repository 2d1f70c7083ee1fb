// What the API says about fields, in the language of the page.
import { t, type Key } from './index.ts';

const known: Record<string, Key> = {
  'must be 11 digits that start with 7': 'said.phone',
  'must be 3 digits': 'said.operator_code',
  'must be at most 64 characters': 'said.tag',
  'must be the name of a zone of the IANA database, such as Europe/Moscow': 'said.timezone',
  'has characters that cannot be read: save the file as UTF-8': 'said.characters',
  'could not be written': 'said.not_written',
};

// said returns a message of the API in the language of the page, or as it is, if it is not
// known here.
export function said(message: string): string {
  const key = known[message];
  return key ? t(key) : message;
}
