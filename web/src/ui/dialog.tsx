// Dialogs use the browser's own element: it keeps the focus inside, closes with Escape,
// and gives the focus back.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { session } from '../api/connection.ts';
import { t } from '../i18n/index.ts';
import { Button, errorText, IconButton, Notice } from './basic.tsx';

// Dialog is shown as long as it is in the page. close is called when the person closes
// it in any way; locked forbids that, while something is being sent.
export function Dialog({ title, close, locked = false, wide = false, children, footer }: {
  title: string;
  close: () => void;
  locked?: boolean;
  wide?: boolean;
  children: ComponentChildren;
  footer?: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const signedOut = session.value === null;
  useEffect(() => {
    if (signedOut) return; // the form to sign in is below dialogs: they come back after it
    const dialog = ref.current!;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [signedOut]);
  return (
    <dialog
      ref={ref}
      class={wide ? 'wide' : ''}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        if (!locked) close();
      }}
      onMouseDown={(e) => {
        if (e.target === ref.current && !locked) close();
      }}
    >
      <div class="dialog-box">
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton label={t('action.close')} icon="cancel" onClick={close} disabled={locked} />
        </header>
        <div class="dialog-body">{children}</div>
        {footer && <footer>{footer}</footer>}
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  // text says in numbers what will happen.
  text: ComponentChildren;
  action: string;
  kind?: 'primary' | 'danger';
  // run does it. Its error is shown in the dialog, which then stays open.
  run: () => Promise<void>;
}

const asked = signal<Question | null>(null);

// ask shows a question. It runs the action if the person agrees.
export function ask(q: Question) {
  asked.value = q;
}

// Questions shows the question that was asked last. It is in the page once.
export function Questions() {
  const q = asked.value;
  return q && <QuestionDialog key={q.title} q={q} />;
}

function QuestionDialog({ q }: { q: Question }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(undefined);
  const close = () => {
    asked.value = null;
  };
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await q.run();
      close();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={q.title}
      close={close}
      locked={busy}
      footer={
        <>
          <Button autofocus onClick={close} disabled={busy}>{t('action.keep')}</Button>
          <Button kind={q.kind ?? 'primary'} busy={busy} onClick={run}>{q.action}</Button>
        </>
      }
    >
      {q.text}
      {error !== undefined && <Notice kind="error">{errorText(error)}</Notice>}
    </Dialog>
  );
}
