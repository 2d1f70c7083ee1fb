// The panel that sends the text to one phone before the recipients get it.
import { signal, type Signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { isAway, type Mailing, type Message, type Status } from '../../api/client.ts';
import { t } from '../../i18n/index.ts';
import { Button, errorText, Field, Panel, Time } from '../../ui/basic.tsx';
import { StatusBadge } from '../../ui/status.tsx';
import { phoneIn } from './draft.ts';
import type { Form } from './form.ts';
import { follow, hasEnded, newTry, send, tidy, type Try } from './testmessage.ts';

export interface Tested {
  text: string;
  message: Message;
}

// tested is the last test of this page; it is shown as long as the text stays the same.
export const tested: Signal<Tested | null> = signal(null);

// phone is the number of the last test: the next mailing is mostly tested by the same
// person.
export const phone = signal('');

export function TestPanel({ form, saved }: { form: Form; saved: Mailing | null }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>();
  const input = useRef<HTMLInputElement>(null);
  const last = useRef<Try | null>(null);
  const stop = useRef(new AbortController());
  const { text } = form.draft.value;
  useEffect(() => {
    void tidy();
    const controller = (stop.current = new AbortController());
    return () => controller.abort();
  }, []);
  const submit = async (e: Event) => {
    e.preventDefault();
    const to = phoneIn(phone.value);
    setError(to ? (text.trim() ? undefined : t('edit.test.no_text')) : t('edit.test.no_phone'));
    if (!to || !text.trim()) return input.current?.focus();
    setBusy(true);
    const what = last.current?.text === text && last.current.phone === to ? last.current : newTry(text, to);
    last.current = what;
    try {
      const message = await send(what, saved);
      last.current = null;
      tested.value = { text, message };
      setBusy(false);
      await follow(message, (m) => (tested.value = { text, message: m }), stop.current.signal);
    } catch (failure) {
      if (!isAway(failure)) last.current = null;
      setError(errorText(failure));
      setBusy(false);
    }
  };
  const done = tested.value;
  const pending = done !== null && done.text === text && !hasEnded(done.message);
  return (
    <Panel title={t('edit.test')}>
      <form class="test" onSubmit={(e) => void submit(e)}>
        <Field label={t('edit.test.phone')} hint={t('edit.test.about')} errors={error ? [error] : []}>
          {(ids) => (
            <div class="with-button">
              <input {...ids} ref={input} type="tel" inputMode="tel" autocomplete="tel" placeholder="+7 900 123-45-67" value={phone.value}
                onInput={(e) => { phone.value = e.currentTarget.value; setError(undefined); }} />
              <Button type="submit" icon="send" busy={busy || pending}>{t('edit.test.send')}</Button>
            </div>
          )}
        </Field>
      </form>
      {done && <Outcome done={done} text={text} />}
    </Panel>
  );
}

// Outcome says how a test went.
export function Outcome({ done, text }: { done: Tested; text: string }) {
  const { message } = done;
  if (done.text !== text) return <p class="muted">{t('edit.test.other_text')}</p>;
  return (
    <div class="outcome" role="status">
      <StatusBadge status={(message.status === 'sending' ? 'queued' : message.status) as Status} />
      <span class="mono">{message.phone}</span>
      <Time at={message.sent_at ?? message.created_at} />
      {message.last_error && <p class="muted">{message.last_error}</p>}
    </div>
  );
}
