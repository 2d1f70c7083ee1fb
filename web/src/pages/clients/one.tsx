// One client with all of its messages.
import { useState } from 'preact/hooks';
import { api, ApiError, call, type Client, type Message } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { useKept, useLive } from '../../api/live.ts';
import { count } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { gather, pageNumber, trail } from '../../paging.ts';
import { go, link, place, replace } from '../../router.ts';
import { Button, Empty, Failed, Notice, Page, Panel, Skeleton, Time } from '../../ui/basic.tsx';
import { Pager } from '../../ui/pager.tsx';
import { StatusBadge, statusName, statuses } from '../../ui/status.tsx';
import { zoneText } from './data.ts';
import { askDelete } from './delete.tsx';
import { ClientDialog, isDerived } from './dialog.tsx';

export function OneClient() {
  const id = Number(place.value.path[1]);
  const live = useLive((signal) => call(api.GET('/api/clients/{id}', { params: { path: { id } }, signal })), () => false, [id]);
  const [editing, setEditing] = useState(false);
  const c = live.data.value;
  const error = live.error.value;
  const missing = error instanceof ApiError && error.status === 404;
  return (
    <Page
      title={c && !missing ? c.phone : t('client.deleted.title', { id: String(id) })}
      back={{ to: link('clients'), text: t('page.clients') }}
      actions={c && !missing && isAdmin() && (
        <>
          <Button icon="edit" onClick={() => setEditing(true)}>{t('action.edit')}</Button>
          <Button kind="quiet" icon="trash" onClick={() => askDelete(c, () => go(link('clients')))}>{t('action.delete')}</Button>
        </>
      )}
    >
      {missing && <Notice kind="warning" title={t('client.missing')}>{t('client.missing.about', { id: String(id) })}</Notice>}
      {error !== undefined && !missing && <Failed error={error} retry={live.reload} />}
      {!c && error === undefined && <Panel><Skeleton lines={4} /></Panel>}
      {c && !missing && <Facts c={c} />}
      {(c || missing) && <Messages client={id} />}
      {editing && c && <ClientDialog client={c} close={() => setEditing(false)} saved={live.reload} />}
    </Page>
  );
}

function Facts({ c }: { c: Client }) {
  return (
    <Panel>
      <dl class="facts wide">
        <div>
          <dt>{t('field.operator_code')}</dt>
          <dd>{c.operator_code} <small>{t(isDerived(c) ? 'client.operator.derived' : 'client.operator.moved')}</small></dd>
        </div>
        <div>
          <dt>{t('field.tag')}</dt>
          <dd>{c.tag ? <a href={link('clients', { tag: c.tag })}>{c.tag}</a> : <span class="muted">{t('clients.no_tag')}</span>}</dd>
        </div>
        <div>
          <dt>{t('field.timezone')}</dt>
          <dd class="zone">{c.timezone} <small>{zoneText(c.timezone)}</small></dd>
        </div>
        <div>
          <dt>{t('client.id')}</dt>
          <dd>{c.id}</dd>
        </div>
      </dl>
    </Panel>
  );
}

const size = 50; // messages of a page

// The API looks for a client's messages in those of all mailings, so a page may need
// many reads, and is not read again by itself.
const reads = 40;

function Messages({ client }: { client: number }) {
  const query = place.value.query;
  const status = statuses.find((s) => s === query.get('status'));
  const page = pageNumber(query.get('page'));
  const pages = trail(`messages?client=${client}&status=${status ?? ''}`);
  const at = pages.at(page);
  const live = useLive(
    async (signal) => {
      const found = await gather(size, at ?? '', async (cursor, limit) => {
        const { data } = await call(api.GET('/api/messages', { params: { query: { client_id: client, limit, ...(status ? { status } : {}), ...(cursor ? { cursor } : {}) } }, signal }));
        return { items: data.items, next: data.next_cursor ?? '' };
      }, reads);
      pages.leave(page, found.next);
      return { data: found };
    },
    () => false,
    [client, status, page],
    { once: true },
  );
  const { value: found, old } = useKept(live.data.value);
  const to = (p: number) => link(`clients/${client}`, { status, page: p > 1 ? p : undefined });
  if (at === undefined) replace(to(1));
  const filter = (
    <select aria-label={t('client.messages.status')} value={status ?? ''} onChange={(e) => go(link(`clients/${client}`, { status: e.currentTarget.value }))}>
      <option value="">{t('client.messages.any')}</option>
      {statuses.map((s) => <option key={s} value={s}>{statusName(s)}</option>)}
    </select>
  );
  return (
    <Panel flush title={t('client.messages')} actions={filter}>
      {live.error.value !== undefined && <div class="inset"><Failed error={live.error.value} retry={live.reload} /></div>}
      {!found && live.error.value === undefined && (
        <>
          <Skeleton lines={4} />
          <p class="list-foot">{t('client.messages.searching')}</p>
        </>
      )}
      {found && found.items.length === 0 && found.next === '' && page === 1 && !old && (
        <Empty icon="send" title={t('client.messages.none')}>{t(status ? 'client.messages.none.status' : 'client.messages.none.about')}</Empty>
      )}
      {found && found.items.length > 0 && <Table messages={found.items} old={old} />}
      {found && <Pager page={page} size={size} shown={found.items.length} more={found.next !== ''} to={to} />}
    </Panel>
  );
}

function Table({ messages, old }: { messages: Message[]; old: boolean }) {
  return (
    <div class="table-wrap">
      <table class={`cards${old ? ' old' : ''}`} aria-label={t('client.messages')} aria-busy={old}>
        <thead>
          <tr>
            <th scope="col">{t('client.messages.mailing')}</th>
            <th scope="col">{t('client.messages.status')}</th>
            <th scope="col" class="number">{t('client.messages.attempts')}</th>
            <th scope="col">{t('client.messages.error')}</th>
            <th scope="col">{t('client.messages.created')}</th>
            <th scope="col">{t('client.messages.sent')}</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((m) => (
            <tr key={m.id}>
              <td class="head"><a class="named" href={link(`mailings/${m.mailing_id}`)}>{t('client.messages.named', { id: String(m.mailing_id) })}</a>{m.test && <small> {t('client.messages.test')}</small>}</td>
              <td data-label={t('client.messages.status')}><StatusBadge status={m.status} /></td>
              <td class="number" data-label={t('client.messages.attempts')}>{count(m.attempts)}</td>
              <td data-label={t('client.messages.error')}>{m.last_error ? <code>{m.last_error}</code> : <span class="muted">—</span>}</td>
              <td data-label={t('client.messages.created')}><Time at={m.created_at} as="brief" /></td>
              <td data-label={t('client.messages.sent')}>{m.sent_at ? <Time at={m.sent_at} as="brief" /> : <span class="muted">{t('client.messages.not_sent')}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
