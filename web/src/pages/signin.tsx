// The form to sign in with a key. It stands alone before the first sign-in, and covers
// the page when a session has ended.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api/client.ts';
import { signIn } from '../api/connection.ts';
import { choose, language, languages, t } from '../i18n/index.ts';
import { Button, errorText, Field, IconButton } from '../ui/basic.tsx';

export function SignIn({ again }: { again: boolean }) {
  const [key, setKey] = useState('');
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>();
  const input = useRef<HTMLInputElement>(null);
  if (!again) document.title = `${t('action.sign_in')} · Postrider`;
  useEffect(() => input.current?.focus(), []);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (!key.trim()) return input.current?.focus();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(key.trim());
    } catch (failure) {
      setError(failure instanceof ApiError && failure.status === 401 ? t('signin.wrong') : errorText(failure));
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <div class={`signin${again ? ' covering' : ''}`}>
      <main>
        <form onSubmit={(e) => void submit(e)}>
          <svg class="signin-logo" viewBox="0 0 24 24" width="36" height="36" aria-hidden="true">
            <path d="M2 6h14l6 6-6 6H2l5-6z" fill="currentColor" />
          </svg>
          <h1>{t('signin.title')}</h1>
          {again && <p class="about">{t('signin.again')}</p>}
          <Field label={t('signin.key')} hint={t('signin.hint')} errors={error ? [error] : []}>
            {(ids) => (
              <div class="with-button">
                <input {...ids} ref={input} {...(shown ? { type: 'text' as const } : { type: 'password' as const })} autocomplete="current-password" spellcheck={false} value={key} onInput={(e) => setKey(e.currentTarget.value)} />
                <IconButton label={shown ? t('signin.hide') : t('signin.show')} icon={shown ? 'cancel' : 'search'} onClick={() => setShown(!shown)} />
              </div>
            )}
          </Field>
          <Button kind="primary" type="submit" busy={busy}>{t('action.sign_in')}</Button>
          <p class="signin-languages">
            {languages.map((l) => (
              <button key={l.id} type="button" class="linklike" lang={l.id} aria-pressed={language.value === l.id} onClick={() => void choose(l.id)}>{l.name}</button>
            ))}
          </p>
        </form>
      </main>
    </div>
  );
}
