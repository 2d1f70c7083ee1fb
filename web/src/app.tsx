// The frame around all pages: navigation, banner, sign-in, keyboard shortcuts.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { awaySince, lastAnswer, loadSession, session, signOut } from './api/connection.ts';
import { clock } from './format.ts';
import { choose, language, languages, t } from './i18n/index.ts';
import { pages, pageOf } from './pages/index.tsx';
import { SignIn } from './pages/signin.tsx';
import { go, link, place } from './router.ts';
import { chooseTheme, theme, type Theme } from './theme.ts';
import { IconButton, Notice } from './ui/basic.tsx';
import { Questions } from './ui/dialog.tsx';
import { Icon } from './ui/icons.tsx';
import { Menu } from './ui/menu.tsx';
import { now } from './ui/now.ts';
import { toast, Toasts } from './ui/toast.tsx';

const drawer = signal(false);

// wasSignedIn is true after the first sign-in of this page: from then on the sign-in form
// covers the page, so that what was typed is kept.
const wasSignedIn = signal(false);

export function App() {
  useEffect(() => {
    void loadSession();
  }, []);
  const who = session.value;
  if (who) wasSignedIn.value = true;
  document.documentElement.lang = language.value;
  return (
    <>
      {who === undefined && <Starting />}
      {who === null && <SignIn again={wasSignedIn.value} />}
      {wasSignedIn.value && (
        <div class="frame" inert={who === null}>
          <a class="skip" href="#content" onClick={(e) => { e.preventDefault(); document.getElementById('content')?.focus(); }}>{t('nav.skip')}</a>
          <Side />
          <div class="main">
            <Banner />
            <Current />
          </div>
        </div>
      )}
      <Questions />
      <Toasts />
      <Shortcuts />
    </>
  );
}

// Starting is shown until it is known who the person is; also when the service does not
// answer at that time.
function Starting() {
  useEffect(() => {
    const timer = setInterval(() => void loadSession(), 3_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="starting">
      <span class="spinner" role="status" aria-label={t('state.loading')} />
      {awaySince.value && <Notice kind="warning" title={t('away.title')}>{t('error.unreachable')}</Notice>}
    </div>
  );
}

function Current() {
  const { path } = place.value;
  const page = pageOf(path);
  const first = useRef(true);
  const address = path.join('/');
  useEffect(() => {
    drawer.value = false;
    if (!first.current) {
      scrollTo(0, 0);
      document.getElementById('content')?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [address]);
  return <page.View key={address} />;
}

function Side() {
  const here = place.value.path[0] ?? '';
  return (
    <header class="contents">
      <div class="topbar">
        <IconButton label={t('nav.menu')} icon="menu" aria-expanded={drawer.value} onClick={() => (drawer.value = !drawer.value)} />
        <Logo />
      </div>
      {drawer.value && <div class="shade" onClick={() => (drawer.value = false)} />}
      <div class={`side${drawer.value ? ' open' : ''}`}>
        <Logo />
        <nav aria-label={t('nav.label')}>
          {pages.map((p) => (
            <a key={p.path} href={link(p.path)} aria-current={here === p.path ? 'page' : undefined} onClick={() => (drawer.value = false)}>
              <Icon name={p.icon} />
              {t(p.name)}
            </a>
          ))}
        </nav>
        <Account />
      </div>
    </header>
  );
}

function Logo() {
  return (
    <a class="logo" href={link('')}>
      <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
        <path d="M2 6h14l6 6-6 6H2l5-6z" fill="currentColor" />
      </svg>
      Postrider
    </a>
  );
}

function Account() {
  const who = session.value;
  const themes: Theme[] = ['system', 'light', 'dark'];
  const leave = async () => {
    try {
      await signOut();
      history.replaceState(null, '', link('')); // the next person begins at the overview
      location.reload(); // forgets all that was read
    } catch {
      toast(t('error.unreachable'), 'error');
    }
  };
  return (
    <div class="account">
      {who && (
        <p title={t('nav.signed_in', { name: who.name })}>
          <strong>{who.name}</strong>
          <small>{t(`role.${who.role}`)}</small>
        </p>
      )}
      <div class="account-tools">
        <Menu up label={t('settings.language')} icon="globe" items={languages.map((l) => ({ text: l.name, chosen: language.value === l.id, run: () => void choose(l.id) }))} />
        <Menu up label={t('settings.theme')} icon={theme.value === 'dark' ? 'moon' : theme.value === 'light' ? 'sun' : 'system'} items={themes.map((x) => ({ text: t(`theme.${x}`), chosen: theme.value === x, run: () => chooseTheme(x) }))} />
        <IconButton label={t('action.sign_out')} icon="signout" onClick={() => void leave()} />
      </div>
    </div>
  );
}

// graceful is how long the service may be away before the banner says so, in
// milliseconds: a single failed read is not worth it.
const graceful = 3_000;

function Banner(): ComponentChildren {
  const since = awaySince.value;
  const shown = since !== null && now.value.getTime() - since.getTime() >= graceful;
  return (
    <div aria-live="polite">
      {shown && (
        <div class="banner">
          <Icon name="warning" />
          <span>
            <strong>{t('away.title')}.</strong> {t('away.text', { time: clock(lastAnswer.value ?? since) })}
          </span>
        </div>
      )}
    </div>
  );
}

// Shortcuts listens for keys outside of fields: g and a letter lead to a page, ? to the
// help, / to the search of the page, n to a new mailing.
function Shortcuts() {
  useEffect(() => {
    let before = '';
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onKey = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey || e.altKey || target.closest('input, textarea, select, dialog, [role=menu]') || !session.value) return;
      const page = before === 'g' && pages.find((p) => p.shortcut === e.key);
      clearTimeout(timer);
      before = e.key;
      timer = setTimeout(() => (before = ''), 1_500);
      if (page) go(link(page.path));
      else if (e.key === '?') go(link('help'));
      else if (e.key === 'n' && session.value.role === 'admin') go(link('mailings/new'));
      else if (e.key === '/') document.querySelector<HTMLInputElement>('[data-search]')?.focus();
      else return;
      e.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return null;
}
