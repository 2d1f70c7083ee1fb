// Mailings in words.
import type { Mailing } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';

// audience says whom a filter chooses.
export function audience(filter: Mailing['filter']): string {
  const parts = [];
  if (filter.tags.length > 0) parts.push(t('mailing.audience.tags', { n: filter.tags.length, list: filter.tags.join(', ') }));
  if (filter.operator_codes.length > 0) parts.push(t('mailing.audience.codes', { n: filter.operator_codes.length, list: filter.operator_codes.join(', ') }));
  return parts.join(' · ') || t('mailing.audience.all');
}
