// What a person can do with a mailing, from its row and from its page.
import { useEffect, useState } from 'preact/hooks';
import { api, call, type Counts, type Mailing } from '../../api/client.ts';
import { open } from '../../counts.ts';
import { t } from '../../i18n/index.ts';
import { go, link } from '../../router.ts';
import { errorText } from '../../ui/basic.tsx';
import { ask } from '../../ui/dialog.tsx';
import type { Item } from '../../ui/menu.tsx';
import { now } from '../../ui/now.ts';
import { toast } from '../../ui/toast.tsx';
import { cancellable, editable, pausable, resumable, title } from './rules.ts';

// Changed is called after an act: with the mailing as it is now, or null if it is gone.
export type Changed = (m: Mailing | null) => void;

export async function pause(m: Mailing, changed: Changed) {
  await act(async () => {
    changed((await call(api.POST('/api/mailings/{id}/pause', { params: { path: { id: m.id } } }))).data);
    toast(t('mailing.paused.done'));
  });
}

export async function resume(m: Mailing, changed: Changed) {
  await act(async () => {
    changed((await call(api.POST('/api/mailings/{id}/resume', { params: { path: { id: m.id } } }))).data);
    toast(t('mailing.resumed.done'));
  });
}

async function act(run: () => Promise<void>) {
  try {
    await run();
  } catch (e) {
    toast(errorText(e), 'error');
  }
}

function askCancel(m: Mailing, counts: Counts, changed: Changed) {
  ask({
    title: t('mailing.cancel.title'),
    text: (
      <>
        <Quoted m={m} />
        {m.status === 'scheduled' ? <p><Audience m={m} /></p> : <p>{t('mailing.cancel.open', { n: open(counts) })} {t('mailing.cancel.sent', { n: counts.sent })}</p>}
        <p>{t('mailing.cancel.final')}</p>
      </>
    ),
    action: t('mailing.cancel'),
    kind: 'danger',
    run: async () => {
      changed((await call(api.POST('/api/mailings/{id}/cancel', { params: { path: { id: m.id } } }))).data);
      toast(t('mailing.cancel.done'));
    },
  });
}

function askDelete(m: Mailing, counts: Counts, changed: Changed) {
  ask({
    title: t('mailing.delete.title'),
    text: (
      <>
        <Quoted m={m} />
        {cancellable(m) && <p>{m.status === 'scheduled' ? <Audience m={m} /> : t('mailing.delete.live', { n: open(counts) })}</p>}
        <p>{counts.total > 0 ? t('mailing.delete.messages', { n: counts.total }) : t('mailing.delete.empty')} {t('mailing.delete.final')}</p>
      </>
    ),
    action: t('action.delete'),
    kind: 'danger',
    run: async () => {
      await call(api.DELETE('/api/mailings/{id}', { params: { path: { id: m.id } } }));
      changed(null);
      toast(t('mailing.delete.done'));
    },
  });
}

function Quoted({ m }: { m: Mailing }) {
  return (
    <blockquote class="quoted">
      {title(m.text, 120)} <small>#{m.id}</small>
    </blockquote>
  );
}

// Audience says how many people a scheduled mailing would reach. It asks the API when the
// question is shown.
function Audience({ m }: { m: Mailing }) {
  const [n, setN] = useState<number | undefined>();
  useEffect(() => {
    const stop = new AbortController();
    call(api.POST('/api/mailings/preview', { body: { filter: m.filter }, signal: stop.signal }))
      .then((a) => setN(a.data.recipients))
      .catch(() => undefined); // the question can be answered without the number
    return () => stop.abort();
  }, []);
  return <span aria-live="polite">{n === undefined ? t('mailing.cancel.scheduled') : t('mailing.cancel.recipients', { n })}</span>;
}

// actionsOf returns the acts for a menu. Those that the state of the mailing forbids are
// left out.
export function actionsOf(m: Mailing, counts: Counts, changed: Changed): Item[] {
  const items: (Item | false)[] = [
    pausable(m) && { text: t('mailing.pause'), icon: 'pause', run: () => void pause(m, changed) },
    resumable(m, now.peek()) && { text: t('mailing.resume'), icon: 'resume', run: () => void resume(m, changed) },
    editable(m) && { text: t('action.edit'), icon: 'edit', run: () => go(link(`mailings/${m.id}/edit`)) },
    { text: t('mailing.duplicate'), icon: 'copy', run: () => go(link('mailings/new', { from: m.id })) },
    cancellable(m) && { text: t('mailing.cancel'), icon: 'cancel', danger: true, run: () => askCancel(m, counts, changed) },
    { text: t('mailing.delete'), icon: 'trash', danger: true, run: () => askDelete(m, counts, changed) },
  ];
  return items.filter((item) => item !== false);
}
