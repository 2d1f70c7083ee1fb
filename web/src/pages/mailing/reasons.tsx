// Why messages failed, and why the outcome of others is unknown: the codes of their last
// errors, as bars.
import { useEffect, useRef } from 'preact/hooks';
import { api, call, type Counts, type Message } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import { count, share } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { gather } from '../../paging.ts';
import { bars, reasonOf, type Bar } from '../../reasons.ts';
import { Failed, Panel, Skeleton } from '../../ui/basic.tsx';
import { statusName } from '../../ui/status.tsx';

// sample is how many messages of each status are read at most.
const sample = 300;

const explained = ['failed', 'uncertain'] as const;

interface Group {
  status: (typeof explained)[number];
  bars: Bar[];
  // read is the number of messages that the bars are made of.
  read: number;
  // complete reports whether there are no others.
  complete: boolean;
}

async function readGroup(id: number, status: Group['status'], signal: AbortSignal): Promise<Group> {
  const { items, next } = await gather<Message>(sample, '', async (cursor, limit) => {
    const query = { mailing_id: id, status, limit: Math.min(100, limit), ...(cursor ? { cursor } : {}) };
    const { data } = await call(api.GET('/api/messages', { params: { query }, signal }));
    return { items: data.items, next: data.next_cursor ?? '' };
  });
  return { status, bars: bars(items.map((m) => m.last_error)), read: items.length, complete: next === '' };
}

// over reports whether the mailing has come to its end: then the bars are brought up to
// date at once.
export function Reasons({ id, counts, over }: { id: number; counts: Counts; over: boolean }) {
  const latest = useRef(counts);
  latest.current = counts;
  const last = useRef('');
  const live = useLive(async (signal) => {
    const c = latest.current;
    const state = `${c.failed} ${c.uncertain}`;
    // Without a change there is nothing to read: an answer without data keeps the last one.
    if (state === last.current) return { data: undefined as unknown as Group[] };
    const data = await Promise.all(explained.filter((s) => c[s] > 0).map((s) => readGroup(id, s, signal)));
    last.current = state;
    return { data };
  }, () => false, [id]);
  useEffect(() => {
    if (live.data.peek()) live.reload();
  }, [over]);
  const groups = live.data.value;
  return (
    <Panel title={t('mailing.reasons')}>
      {!groups && live.error.value !== undefined && <Failed error={live.error.value} retry={live.reload} />}
      {!groups && live.error.value === undefined && <Skeleton lines={4} />}
      {groups?.every((g) => g.read === 0) && <p class="muted">{t('mailing.messages.gone.about')}</p>}
      {groups?.filter((g) => g.read > 0).map((g) => <GroupOf key={g.status} g={g} total={counts[g.status]} />)}
    </Panel>
  );
}

function GroupOf({ g, total }: { g: Group; total: number }) {
  return (
    <div class="reasons">
      <h3>{statusName(g.status)}</h3>
      <ul>
        {g.bars.map((b) => (
          <li key={b.code} class={`reason s-${g.status}`}>
            <span>{t(`reason.${reasonOf(b.code)}` as Key)} {b.code && <code>{b.code}</code>}</span>
            <span class="number"><strong>{count(b.n)}</strong> <small>{share(b.part)}</small></span>
            <span class="reason-bar" aria-hidden="true"><span style={{ width: `${b.part * 100}%` }} /></span>
          </li>
        ))}
      </ul>
      <small>{g.complete && g.read >= total ? t('mailing.reasons.all', { n: g.read }) : t('mailing.reasons.some', { n: g.read, total: Math.max(total, g.read) })}</small>
    </div>
  );
}
