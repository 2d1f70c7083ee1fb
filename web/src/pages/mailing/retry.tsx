// The dialog that tries messages of a mailing again.
import { useState } from 'preact/hooks';
import { api, call, type Counts, type Mailing } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { Button, errorText, Notice } from '../../ui/basic.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { now } from '../../ui/now.ts';
import { toast } from '../../ui/toast.tsx';
import { retriable } from '../mailings/rules.ts';

export function RetryDialog({ m, counts, changed, close }: { m: Mailing; counts: Counts; changed: (m: Mailing) => void; close: () => void }) {
  const possible = retriable(m, counts, now.value);
  const [failed, setFailed] = useState(possible.failed > 0);
  const [uncertain, setUncertain] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const n = (failed ? possible.failed : 0) + (uncertain ? possible.uncertain : 0);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const statuses: ('failed' | 'uncertain')[] = [...(failed ? ['failed' as const] : []), ...(uncertain ? ['uncertain' as const] : [])];
      const { retrying, ...mailing } = (await call(api.POST('/api/mailings/{id}/retry', { params: { path: { id: m.id } }, body: { statuses } }))).data;
      toast(t('mailing.retry.done', { n: retrying.failed + retrying.uncertain }));
      changed(mailing);
      close();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('mailing.retry.title')} close={close} locked={busy}>
      <form class="dialog-form" onSubmit={(e) => void submit(e)}>
        <Choice first checked={failed} change={setFailed} disabled={possible.failed === 0 || busy} title={t('mailing.retry.failed', { n: counts.failed })} about={t('mailing.retry.failed.about')} />
        <Choice
          checked={uncertain}
          change={setUncertain}
          disabled={possible.uncertain === 0 || busy}
          title={t('mailing.retry.uncertain', { n: counts.uncertain })}
          about={m.on_uncertain === 'stop' ? t('mailing.retry.uncertain.stop') : t('mailing.retry.uncertain.about')}
        />
        {uncertain && possible.uncertain > 0 && <Notice kind="warning">{t('mailing.retry.risk', { n: possible.uncertain })}</Notice>}
        {m.status === 'completed' && <p class="muted">{t('mailing.retry.reopens')}</p>}
        {m.status === 'paused' && <p class="muted">{t('mailing.retry.paused')}</p>}
        {error !== undefined && <Notice kind="error">{errorText(error)}</Notice>}
        <div class="actions end">
          <Button onClick={close} disabled={busy}>{t('action.keep')}</Button>
          <Button kind="primary" type="submit" icon="retry" busy={busy} disabled={n === 0}>{t('mailing.retry.do', { n })}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Choice({ checked, change, disabled, title, about, first = false }: { checked: boolean; change: (on: boolean) => void; disabled: boolean; title: string; about: string; first?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" autofocus={first} checked={checked} disabled={disabled} onChange={(e) => change(e.currentTarget.checked)} />
      <span>
        {title}
        <small>{about}</small>
      </span>
    </label>
  );
}
