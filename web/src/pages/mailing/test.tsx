// The dialog that sends the text of a mailing to one phone, and shows how that goes.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, isAway, type Mailing, type Message } from '../../api/client.ts';
import { t, type Key } from '../../i18n/index.ts';
import { reasonOf } from '../../reasons.ts';
import { Button, errorText, Field } from '../../ui/basic.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { StatusBadge } from '../../ui/status.tsx';
import { phoneIn } from '../edit/draft.ts';
import { follow, hasEnded, newTry, send, type Try } from '../edit/testmessage.ts';
import { phone } from '../edit/testpanel.tsx';

export function TestDialog({ m, close }: { m: Mailing; close: () => void }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>();
  const [sent, setSent] = useState<Message | undefined>();
  const input = useRef<HTMLInputElement>(null);
  // The same try is repeated after a lost answer, so that one message goes out.
  const last = useRef<Try | undefined>(undefined);
  const stop = useRef(new AbortController());
  useEffect(() => {
    input.current?.focus();
    const controller = (stop.current = new AbortController());
    return () => controller.abort();
  }, []);
  const submit = async (e: Event) => {
    e.preventDefault();
    const to = phoneIn(phone.value);
    setError(to ? undefined : t('mailing.test.no_phone'));
    if (!to) return input.current?.focus();
    const what = last.current?.phone === to ? last.current : newTry(m.text, to);
    last.current = what;
    setBusy(true);
    try {
      const message = await send(what, m);
      last.current = undefined;
      setSent(message);
      setBusy(false);
      await follow(message, setSent, stop.current.signal);
    } catch (failure) {
      if (stop.current.signal.aborted) return;
      if (!isAway(failure)) last.current = undefined;
      setError((failure instanceof ApiError && failure.problem?.errors?.map((x) => x.message).join('; ')) || errorText(failure));
      setBusy(false);
    }
  };
  const pending = sent !== undefined && !hasEnded(sent);
  return (
    <Dialog title={t('mailing.test.title')} close={close} locked={busy}>
      <form class="dialog-form" onSubmit={(e) => void submit(e)}>
        <p>{t('mailing.test.about')}</p>
        <blockquote class="quoted mail-text">{m.text}</blockquote>
        <Field label={t('mailing.message.phone')} hint={t('mailing.test.hint')} errors={error ? [error] : []}>
          {(ids) => (
            <input {...ids} ref={input} type="tel" inputMode="tel" autocomplete="tel" placeholder="+7 900 123-45-67" value={phone.value}
              onInput={(e) => { phone.value = e.currentTarget.value; setError(undefined); }} />
          )}
        </Field>
        <div role="status">
          {sent && (
            <p class="line">
              <StatusBadge status={sent.status} />
              <span>{sent.phone}</span>
              {pending && <span class="muted">{t('mailing.test.waiting')}</span>}
              {sent.last_error && <span>{t(`reason.${reasonOf(sent.last_error)}` as Key)} <code>{sent.last_error}</code></span>}
            </p>
          )}
        </div>
        <div class="actions end">
          <Button onClick={close} disabled={busy}>{t('action.close')}</Button>
          <Button kind="primary" type="submit" icon="send" busy={busy || pending}>{sent && !pending ? t('mailing.test.again') : t('mailing.test.send')}</Button>
        </div>
      </form>
    </Dialog>
  );
}
