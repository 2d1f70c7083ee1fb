// The pages #/mailings/new, #/mailings/new?from=3 and #/mailings/3/edit.
import { useEffect, useMemo } from 'preact/hooks';
import { api, ApiError, call, type Mailing } from '../../api/client.ts';
import { session } from '../../api/connection.ts';
import { useLive } from '../../api/live.ts';
import { zone } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { link, place } from '../../router.ts';
import { Empty, Failed, LinkButton, Notice, Page, Skeleton } from '../../ui/basic.tsx';
import { mailingStatusName } from '../../ui/status.tsx';
import './edit.css';
import { copyOf, draftOf, empty, valuesOf, type Draft } from './draft.ts';
import { openForm } from './form.ts';
import { keptAt } from './kept.ts';
import { Editor } from './view.tsx';

export function NewMailing() {
  const from = place.value.query.get('from') ?? '';
  // What was typed before is there without reading the mailing again.
  const left = useMemo(() => keptAt(copyAddress(from)) !== undefined, [from]);
  if (isViewer()) return <Forbidden title={t('edit.title.new')} />;
  if (/^\d+$/.test(from) && !left) return <Copy key={from} id={Number(from)} />;
  const address = left ? copyAddress(from) : 'mailings/new';
  return <NewForm key={address} address={address} first={empty(Date.now(), zone)} />;
}

// isViewer reports whether the person may only look. It is false while a session has
// ended: the form stays as it is until the person signs in again.
const isViewer = () => session.value?.role === 'viewer';

const copyAddress = (id: string) => `mailings/new?from=${id}`;

function NewForm({ address, first }: { address: string; first: Draft }) {
  const form = useMemo(() => openForm(address, null, first), [address]);
  useEffect(() => () => form.close(false), [form]);
  return <Editor form={form} />;
}

// Copy reads the mailing that a new one is to be like.
function Copy({ id }: { id: number }) {
  const live = useLive((signal) => call(api.GET('/api/mailings/{id}', { params: { path: { id } }, signal })), () => false, [id]);
  const m = live.data.value;
  if (m) return <NewForm address={copyAddress(String(id))} first={copyOf(m, Date.now(), zone)} />;
  return <Waiting title={t('edit.title.new')} error={live.error.value} retry={live.reload} />;
}

export function EditMailing() {
  const id = Number(place.value.path[1]);
  return <Edit key={id} id={id} />;
}

function Edit({ id }: { id: number }) {
  const title = t('edit.title.edit', { id: String(id) });
  const live = useLive(
    (signal) => call(api.GET('/api/mailings/{id}/info', { params: { path: { id }, query: { limit: 0 } }, signal })),
    (info) => info.mailing.status === 'running',
    [id],
  );
  const info = live.data.value;
  if (isViewer()) return <Forbidden title={title} />;
  if (!info) return <Waiting title={title} error={live.error.value} retry={live.reload} />;
  const { mailing, counts } = info;
  if (mailing.status === 'completed' || mailing.status === 'cancelled') return <Ended m={mailing} />;
  const waiting = counts.queued + counts.retrying + counts.deferred;
  return <EditForm latest={mailing} {...(mailing.status !== 'scheduled' && info.expanded ? { left: waiting } : {})} />;
}

function EditForm({ latest, left }: { latest: Mailing; left?: number }) {
  const address = `mailings/${latest.id}/edit`;
  const form = useMemo(() => openForm(address, latest, draftOf(valuesOf(latest), zone)), [address]);
  useEffect(() => () => form.close(false), [form]);
  return <Editor form={form} latest={latest} {...(left === undefined ? {} : { left })} />;
}

const back = () => ({ to: link('mailings'), text: t('page.mailings') });

function Waiting({ title, error, retry }: { title: string; error: unknown; retry: () => void }) {
  const gone = error instanceof ApiError && error.status === 404;
  return (
    <Page title={title} back={back()}>
      {gone ? (
        <Empty icon="search" title={t('edit.gone')} action={<LinkButton to={link('mailings')}>{t('page.mailings')}</LinkButton>}>{t('edit.gone.about')}</Empty>
      ) : error !== undefined ? (
        <Failed error={error} retry={retry} />
      ) : (
        <div class="panel"><Skeleton lines={8} /></div>
      )}
    </Page>
  );
}

function Forbidden({ title }: { title: string }) {
  return (
    <Page title={title} back={back()}>
      <Notice kind="info" title={t('edit.viewer')}>{t('edit.viewer.about')}</Notice>
    </Page>
  );
}

// Ended says that a mailing takes no edits any more, and what can be done in place.
function Ended({ m }: { m: Mailing }) {
  return (
    <Page title={t('edit.title.edit', { id: String(m.id) })} back={{ to: link(`mailings/${m.id}`), text: t('edit.back', { id: String(m.id) }) }}>
      <Empty icon="lock" title={t('edit.ended', { status: mailingStatusName(m.status).toLowerCase() })} action={<LinkButton kind="primary" icon="copy" to={link('mailings/new', { from: m.id })}>{t('edit.copy')}</LinkButton>}>
        {t('edit.ended.about')}
      </Empty>
    </Page>
  );
}
