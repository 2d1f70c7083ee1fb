// The small parts that all pages are made of.
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { ApiError, Unreachable } from '../api/client.ts';
import { brief, exact, moment, relative } from '../format.ts';
import { t } from '../i18n/index.ts';
import { Icon, type IconName } from './icons.tsx';
import { now } from './now.ts';

type ButtonProps = {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  icon?: IconName;
  busy?: boolean;
} & Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon'>;

// Button is a button with a text. While busy it cannot be pressed.
export function Button({ kind = 'plain', icon, busy = false, children, type = 'button', disabled = false, ...more }: ButtonProps) {
  return (
    <button class={`button ${kind}`} type={type} disabled={disabled || busy} aria-busy={busy} {...more}>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}

// IconButton is a button that shows an icon only. label names it for screen readers and
// on hover.
export function IconButton({ label, icon, ...more }: { label: string; icon: IconName } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon' | 'label'>) {
  return (
    <button class="button quiet only-icon" type="button" aria-label={label} title={label} {...more}>
      <Icon name={icon} />
    </button>
  );
}

// LinkButton is a link that looks like a button: it leads to another page.
export function LinkButton({ to, kind = 'plain', icon, children }: { to: string; kind?: 'primary' | 'plain' | 'quiet'; icon?: IconName; children: ComponentChildren }) {
  return (
    <a class={`button ${kind}`} href={to}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </a>
  );
}

// Page is the frame of a page: its title, its actions, its content. The title is also
// the title of the browser's tab.
export function Page({ title, back, actions, about, children }: { title: string; back?: { to: string; text: string }; actions?: ComponentChildren; about?: ComponentChildren; children: ComponentChildren }) {
  document.title = `${title} · Postrider`;
  return (
    <main id="content" tabIndex={-1}>
      <header class="page-head">
        <div>
          {back && (
            <a class="back" href={back.to}>
              <Icon name="left" />
              {back.text}
            </a>
          )}
          <h1>{title}</h1>
          {about && <p class="about">{about}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

export function Panel({ title, actions, children, flush = false }: { title?: string; actions?: ComponentChildren; children: ComponentChildren; flush?: boolean }) {
  const id = useId();
  return (
    <section class={`panel${flush ? ' flush' : ''}`} {...(title ? { 'aria-labelledby': id } : {})}>
      {(title || actions) && (
        <header class="panel-head">
          {title && <h2 id={id}>{title}</h2>}
          {actions && <div class="actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

// Time shows an instant as a distance from now, with the exact time on hover. as="moment"
// shows date and time, as="brief" the same for tables.
export function Time({ at, as = 'relative' }: { at: string | Date; as?: 'relative' | 'moment' | 'brief' }) {
  const date = new Date(at);
  return (
    <time dateTime={date.toISOString()} title={as === 'relative' ? exact(date) : `${exact(date)} · ${relative(date, now.value)}`}>
      {as === 'moment' ? moment(date) : as === 'brief' ? brief(date, now.value) : relative(date, now.value)}
    </time>
  );
}

// Field is a labelled control with a hint and errors. The control gets the id and the
// ids of hint and errors. group is for several controls, such as buttons to choose from:
// the label then names them together.
export function Field({ label, hint, errors = [], optional = false, group = false, children }: {
  label: string;
  hint?: ComponentChildren;
  errors?: string[];
  optional?: boolean;
  group?: boolean;
  children: (ids: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean }) => ComponentChildren;
}) {
  const id = useId();
  const described = [hint ? `${id}-hint` : '', errors.length ? `${id}-errors` : ''].filter(Boolean).join(' ');
  const name = (
    <>
      {label}
      {optional && <span class="optional"> {t('form.optional')}</span>}
    </>
  );
  return (
    <div class="field" {...(group ? { role: 'group' as const, 'aria-labelledby': `${id}-label`, ...(described ? { 'aria-describedby': described } : {}) } : {})}>
      {group ? <span class="label" id={`${id}-label`}>{name}</span> : <label for={id}>{name}</label>}
      {children({ id, ...(described ? { 'aria-describedby': described } : {}), ...(errors.length ? { 'aria-invalid': true } : {}) })}
      {hint && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {errors.length > 0 && (
        <div class="errors" id={`${id}-errors`}>
          {errors.map((e) => (
            <p key={e}>
              <Icon name="warning" />
              {e}
            </p>
          ))}
        </div>
      )}
    </div>
  );
}

// Notice is a message in the page: an explanation, a warning, an error.
export function Notice({ kind, title, children, actions }: { kind: 'info' | 'warning' | 'error' | 'good'; title?: string; children?: ComponentChildren; actions?: ComponentChildren }) {
  const icons: Record<typeof kind, IconName> = { info: 'info', warning: 'warning', error: 'warning', good: 'check' };
  return (
    <div class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <Icon name={icons[kind]} />
      <div class="notice-text">
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
      {actions && <div class="actions">{actions}</div>}
    </div>
  );
}

// errorText returns the sentence about a failed call that a person can act on.
export function errorText(e: unknown): string {
  if (e instanceof Unreachable) return t('error.unreachable');
  if (e instanceof ApiError) return e.status >= 500 ? t('error.server') : (e.problem?.detail ?? t('error.status', { status: String(e.status) }));
  return t('error.unknown');
}

// Failed is the state of a page or panel whose data could not be read.
export function Failed({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <Notice kind="error" title={t('error.title')} actions={<Button icon="retry" onClick={retry}>{t('action.try_again')}</Button>}>
      {errorText(error)}
    </Notice>
  );
}

// Empty is the state of a list without entries: what it would show, and the first step.
export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} width="28" height="28" />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

// Skeleton is the grey shape of lines that are being loaded.
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label={t('state.loading')}>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} style={{ '--w': `${90 - ((i * 23) % 50)}%` }} />
      ))}
    </div>
  );
}
