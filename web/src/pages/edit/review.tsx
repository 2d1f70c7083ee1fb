// The last look before a mailing is created or changed.
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import { Button, Notice } from '../../ui/basic.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icons.tsx';
import type { Audience } from './audience.tsx';
import { changedFields, valuesIn, valuesOf } from './draft.ts';
import type { Form } from './form.ts';
import { Facts, Warnings } from './summary.tsx';
import { Outcome, tested } from './testpanel.tsx';
import { fieldName, Value } from './values.tsx';

// Review asks to confirm. run does it; it throws if the person can try again here.
export function Review({ form, audience, left, run, close }: {
  form: Form;
  audience: Audience;
  left: number | undefined;
  run: () => Promise<void>;
  close: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | undefined>();
  const d = form.draft.value;
  const base = form.base.value;
  // The number on the button is that of this moment.
  const counting = !base && audience.counting.value;
  const n = audience.error.value === undefined ? audience.recipients.value : undefined;
  useEffect(() => {
    if (!base) audience.again();
  }, []);
  const submit = async () => {
    setBusy(true);
    setFailed(undefined);
    try {
      await run();
    } catch {
      setFailed(form.failure.value);
    }
    setBusy(false);
  };
  const action = base ? t('edit.save') : counting ? t('edit.counting') : n === undefined ? t(d.startNow ? 'edit.start_sending' : 'edit.schedule') : t(d.startNow ? 'edit.start_sending_to' : 'edit.schedule_for', { n });
  return (
    <Dialog
      title={t(base ? 'edit.review.changes' : 'edit.review')}
      close={close}
      locked={busy}
      wide
      footer={
        <>
          <Button onClick={close} disabled={busy}>{t('action.back')}</Button>
          <Button kind="primary" busy={busy || counting} onClick={() => void submit()}>{action}</Button>
        </>
      }
    >
      {base && <Changed form={form} />}
      {base && form.locked.value.length > 0 && left !== undefined && <p class="muted">{t('edit.applies_to', { n: left })}</p>}
      {!base && (
        <div class="review">
          <div>
            <p class="bubble">{d.text}</p>
            {tested.value?.text === d.text ? (
              <Outcome done={tested.value} text={d.text} />
            ) : (
              <p class="muted untested">
                <Icon name="info" />
                {t('edit.not_tested')}
              </p>
            )}
          </div>
          <Facts form={form} audience={audience} left={left} />
        </div>
      )}
      <Warnings form={form} audience={audience} />
      {failed && <Notice kind="error" title={t(base ? 'edit.not_saved' : 'edit.not_created')}>{failed}</Notice>}
    </Dialog>
  );
}

// Changed lists what the person has changed, before and after.
function Changed({ form }: { form: Form }) {
  const d = form.draft.value;
  const before = valuesOf(form.base.value!);
  const after = valuesIn(d, Date.now());
  return (
    <div class="table-wrap">
      <table class="cards versions">
        <thead>
          <tr>
            <th scope="col">{t('edit.field')}</th>
            <th scope="col">{t('edit.before')}</th>
            <th scope="col">{t('edit.after')}</th>
          </tr>
        </thead>
        <tbody>
          {changedFields(before, after).map((f) => (
            <tr key={f}>
              <th scope="row">{fieldName(f)}</th>
              <td data-label={t('edit.before')}><Value v={before} field={f} zone={d.zone} /></td>
              <td data-label={t('edit.after')}><Value v={after} field={f} zone={d.zone} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
