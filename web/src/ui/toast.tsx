// Short messages about what has been done, at the edge of the page.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { t } from '../i18n/index.ts';
import { IconButton } from './basic.tsx';
import { Icon } from './icons.tsx';

interface Toast {
  id: number;
  kind: 'good' | 'error';
  text: ComponentChildren;
}

const shown = 6_000; // milliseconds; errors stay until they are closed
const toasts = signal<Toast[]>([]);
let last = 0;

export function toast(text: ComponentChildren, kind: Toast['kind'] = 'good') {
  const id = ++last;
  toasts.value = [...toasts.value, { id, kind, text }].slice(-3);
  if (kind === 'good') setTimeout(() => remove(id), shown);
}

function remove(id: number) {
  toasts.value = toasts.value.filter((x) => x.id !== id);
}

// Toasts is in the page once. Screen readers read new messages aloud.
export function Toasts() {
  return (
    <div class="toasts" role="region" aria-label={t('toasts')} aria-live="polite">
      {toasts.value.map((x) => (
        <div key={x.id} class={`toast ${x.kind}`}>
          <Icon name={x.kind === 'good' ? 'check' : 'warning'} />
          <div>{x.text}</div>
          <IconButton label={t('action.close')} icon="cancel" onClick={() => remove(x.id)} />
        </div>
      ))}
    </div>
  );
}
