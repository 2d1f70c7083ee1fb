// The table of a mailing's messages.
import { useEffect, useRef } from 'preact/hooks';
import { api, call, type Counts, type Mailing, type Message, type Status } from '../../api/client.ts';
import { useKept, useLive } from '../../api/live.ts';
import { open } from '../../counts.ts';
import { count } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { gather, pageNumber, trail, type Part } from '../../paging.ts';
import { reasonOf } from '../../reasons.ts';
import { link, place } from '../../router.ts';
import { Button, Empty, Failed, Panel, Skeleton, Time } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { Pager } from '../../ui/pager.tsx';
import { arrows, useTop } from '../../ui/rows.ts';
import { StatusBadge, statuses, statusName } from '../../ui/status.tsx';
import { moving } from '../mailings/rules.ts';

const size = 25;

async function read(id: number, status: Status | undefined, page: number, signal: AbortSignal): Promise<{ data: Part<Message> }> {
  const pages = trail(`messages ${id} ${status}`);
  const part = await gather<Message>(size, pages.at(page) ?? '', async (cursor, limit) => {
    const query = { mailing_id: id, limit, ...(status ? { status } : {}), ...(cursor ? { cursor } : {}) };
    const { data } = await call(api.GET('/api/messages', { params: { query }, signal }));
    return { items: data.items, next: data.next_cursor ?? '' };
  });
  pages.leave(page, part.next);
  return { data: part };
}

export function Messages({ m, counts, status, choose, save }: {
  m: Mailing;
  counts: Counts;
  status: Status | undefined;
  choose: (s: Status | undefined) => void;
  // save opens the export of what is shown.
  save: () => void;
}) {
  const asked = pageNumber(place.value.query.get('page'));
  const page = trail(`messages ${m.id} ${status}`).at(asked) === undefined ? 1 : asked;
  const moves = useRef(true);
  moves.current = moving(m, open(counts), now.peek());
  const live = useLive((signal) => read(m.id, status, page, signal), () => moves.current, [m.id, status, page]);
  // When the numbers stand still the table is read seldom. What changes then, and the last
  // messages of a mailing, are shown at once.
  const still = moves.current ? '' : JSON.stringify(counts);
  useEffect(() => {
    if (live.data.peek()) live.reload();
  }, [m.status, still]);
  const { value: d, old } = useKept(live.data.value);
  const top = useRef<HTMLDivElement>(null);
  useTop(top, page);
  const error = live.error.value;
  const total = status ? counts[status] : counts.total;
  const actions = (
    <>
      <select aria-label={t('mailing.messages.filter')} value={status ?? ''} onChange={(e) => choose(statuses.find((s) => s === e.currentTarget.value))}>
        <option value="">{t('mailing.messages.all', { n: counts.total })}</option>
        {statuses.filter((s) => counts[s] > 0 || s === status).map((s) => <option key={s} value={s}>{statusName(s)} ({count(counts[s])})</option>)}
      </select>
      <Button icon="download" disabled={total === 0} onClick={save}>{t('mailing.messages.export')}</Button>
    </>
  );
  return (
    <div ref={top} class="anchor">
      <Panel title={t('mailing.messages')} actions={actions} flush>
        {!d && error === undefined && <Skeleton lines={8} />}
        {(!d || old) && error !== undefined && <Failed error={error} retry={live.reload} />}
        {d && d.items.length === 0 && page === 1 && !old && <None m={m} status={status} total={total} choose={choose} />}
        {d && d.items.length > 0 && <Table messages={d.items} old={old} />}
        {d && !old && d.items.length > 0 && page === 1 && d.next === '' && isWaiting(status) && total > d.items.length && <p class="list-foot">{t('mailing.messages.held', { n: total - d.items.length })}</p>}
        {d && <Pager page={page} size={size} shown={d.items.length} total={total} more={d.next !== ''} to={(p) => link(`mailings/${m.id}`, { status, page: p > 1 ? p : undefined })} />}
      </Panel>
    </div>
  );
}

// isWaiting reports whether messages of a status wait for a sender. While one holds them,
// they show the status sending, so that the list is shorter than their number.
function isWaiting(s: Status | undefined): boolean {
  return s === 'queued' || s === 'retrying' || s === 'deferred';
}

function None({ m, status, total, choose }: { m: Mailing; status: Status | undefined; total: number; choose: (s: undefined) => void }) {
  const all = status && <Button onClick={() => choose(undefined)}>{t('mailing.messages.show_all')}</Button>;
  if (total > 0 && isWaiting(status)) return <Empty icon="send" title={t('mailing.messages.held', { n: total })} action={all} />;
  if (total > 0 && (m.status === 'completed' || m.status === 'cancelled')) return <Empty icon="clock" title={t('mailing.messages.gone')}>{t('mailing.messages.gone.about')}</Empty>;
  return <Empty icon="mailings" title={status ? t('mailing.messages.none.status', { status: statusName(status) }) : t('counts.none')} action={all} />;
}

function Table({ messages, old }: { messages: Message[]; old: boolean }) {
  return (
    <div class={`table-wrap${old ? ' old' : ''}`} aria-busy={old}>
      <table class="cards messages" onKeyDown={arrows}>
        <thead>
          <tr>
            <th scope="col">{t('mailing.message.phone')}</th>
            <th scope="col">{t('mailings.status')}</th>
            <th scope="col" class="number">{t('mailing.message.attempts')}</th>
            <th scope="col">{t('mailing.message.outcome')}</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((x) => <Row key={x.id} x={x} />)}
        </tbody>
      </table>
    </div>
  );
}

const nothing = <span class="muted">–</span>;

function Row({ x }: { x: Message }) {
  return (
    <tr>
      <td class="head main-cell">
        <a href={link(`clients/${x.client_id}`)} data-row>{x.phone || t('mailing.message.no_client', { id: String(x.client_id) })}</a>
        <small title={t('mailing.message.id')}>{x.id}</small>
      </td>
      <td data-label={t('mailings.status')}><StatusBadge status={x.status} /></td>
      <td data-label={t('mailing.message.attempts')} class={`number${x.attempts === 0 ? ' none' : ''}`}>
        <div>
          {x.attempts === 0 ? nothing : count(x.attempts)}
          {x.uncertain_attempts > 0 && <small title={t('mailing.message.uncertain.about')}>{t('mailing.message.uncertain', { n: x.uncertain_attempts })}</small>}
        </div>
      </td>
      <td data-label={t('mailing.message.outcome')} class={`reason-cell${x.sent_at || x.last_error ? '' : ' none'}`}><Outcome x={x} /></td>
    </tr>
  );
}

// Outcome says when a message was sent, or what went wrong last.
function Outcome({ x }: { x: Message }) {
  const error = x.last_error && <span>{t(`reason.${reasonOf(x.last_error)}` as Key)} <code>{x.last_error}</code></span>;
  if (!x.sent_at) return error || nothing;
  return (
    <div>
      <Time at={x.sent_at} as="brief" />
      {error && <small>{t('mailing.message.before')} {error}</small>}
    </div>
  );
}
