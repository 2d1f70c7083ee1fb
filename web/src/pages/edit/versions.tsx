// Two versions of a mailing side by side, after another person has changed it (412). The
// person chooses for each field.
import { useState } from 'preact/hooks';
import type { Mailing } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { Button, Time } from '../../ui/basic.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { MailingBadge } from '../../ui/status.tsx';
import { compare, merge, type Row, type Side } from './conflict.ts';
import { lockedIn, valuesIn, valuesOf, type Field, type Values } from './draft.ts';
import type { Form } from './form.ts';
import { Locked } from './audience.tsx';
import { fieldName, Value } from './values.tsx';

const sides: Side[] = ['mine', 'theirs'];

// Versions compares the draft with another version. save is called after the form goes on
// with the chosen values.
export function Versions({ form, theirs, save, close }: { form: Form; theirs: Mailing; save: () => Promise<void>; close: () => void }) {
  const d = form.draft.value;
  const [mine] = useState<Values>(() => valuesIn(d, Date.now()));
  const other = valuesOf(theirs);
  const rows = compare(valuesOf(form.base.value!), mine, other, lockedIn(theirs.status));
  const [choices, setChoices] = useState<Partial<Record<Field, Side>>>({});
  const [busy, setBusy] = useState(false);
  const side = (r: Row) => choices[r.field] ?? r.suggested;
  const open = rows.filter((r) => side(r) === undefined).length;
  const kept = rows.some((r) => side(r) === 'mine');
  const take = async (and: 'save' | 'edit') => {
    setBusy(true);
    form.rebase(theirs, merge(mine, other, Object.fromEntries(rows.map((r) => [r.field, side(r)]))));
    if (and === 'save' && kept) await save();
    setBusy(false);
    close();
  };
  return (
    <Dialog
      title={t('edit.conflict')}
      close={close}
      locked={busy}
      wide
      footer={
        <>
          {open > 0 && <span class="muted to-choose">{t('edit.conflict.open', { n: open })}</span>}
          <Button disabled={busy || open > 0} onClick={() => void take('edit')}>{t('edit.conflict.edit')}</Button>
          <Button kind="primary" busy={busy} disabled={open > 0} onClick={() => void take('save')}>{t(kept || open > 0 ? 'edit.conflict.save' : 'edit.conflict.theirs')}</Button>
        </>
      }
    >
      <p>{t('edit.conflict.about')}</p>
      <p class="outcome">
        <span>{t('edit.version', { n: theirs.version })}</span>
        <MailingBadge status={theirs.status} />
        <span class="muted"><Time at={theirs.updated_at} /></span>
      </p>
      <div class="table-wrap">
        <table class="cards versions choose">
          <thead>
            <tr>
              <th scope="col">{t('edit.field')}</th>
              <th scope="col">{t('edit.mine')}</th>
              <th scope="col">{t('edit.theirs')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.field} role="radiogroup" aria-label={fieldName(r.field)}>
                <th scope="row">
                  {fieldName(r.field)}
                  {r.fixed ? <small><Locked /></small> : <small>{t(r.suggested === undefined ? 'edit.both_changed' : r.suggested === 'mine' ? 'edit.you_changed' : 'edit.they_changed')}</small>}
                </th>
                {sides.map((s) => (
                  <td key={s} data-label={t(s === 'mine' ? 'edit.mine' : 'edit.theirs')}>
                    <label class={side(r) === s ? 'chosen' : ''}>
                      <input type="radio" name={`side-${r.field}`} checked={side(r) === s} disabled={r.fixed || busy} onChange={() => setChoices({ ...choices, [r.field]: s })} />
                      <span><Value v={s === 'mine' ? mine : other} field={r.field} zone={d.zone} /></span>
                    </label>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}
