// What the API says about fields, in the language of the page.
import { t } from './index.ts';
import { partsOf } from './rule.ts';

// said returns a message of the API in the language of the page, or as it is, if it is not
// known here.
export function said(message: string): string {
  const { key, hint } = partsOf(message);
  if (!key) return message;
  return hint ? `${t(key)}; ${t(hint.key, hint.values)}` : t(key);
}
