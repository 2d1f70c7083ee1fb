// One field of a mailing, written out: for the table of changes and for two versions side
// by side.
import type { ComponentChildren } from 'preact';
import { moment } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import type { Field, Values } from './draft.ts';

const names: Record<Field, Key> = {
  text: 'edit.text', operator_codes: 'edit.codes', tags: 'edit.tags', start_at: 'edit.start', end_at: 'edit.end',
  window: 'edit.hours', on_uncertain: 'edit.if_unknown',
};

export function fieldName(f: Field): string {
  return t(names[f]);
}

export function Value({ v, field, zone }: { v: Values; field: Field; zone: string }): ComponentChildren {
  switch (field) {
    case 'text': return <span class="said">{v.text}</span>;
    case 'operator_codes': return v.operator_codes.join(', ') || t('edit.any_code');
    case 'tags': return v.tags.join(', ') || t('edit.any_tag');
    case 'start_at': return v.start_at && moment(v.start_at, zone);
    case 'end_at': return v.end_at && moment(v.end_at, zone);
    case 'window': return v.window ? `${v.window.from}–${v.window.to}` : t('edit.hours.any');
    case 'on_uncertain': return t(v.on_uncertain === 'resend' ? 'edit.resend' : 'edit.stop');
  }
}
