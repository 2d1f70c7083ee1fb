// The overview: what runs, what comes next, what needs a person, and all messages.
import { api, call, type CountedMailing, type Schemas } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { useLive } from '../../api/live.ts';
import { timeLeft, progress } from '../../counts.ts';
import { count, duration, moment, rate as rateText, relative, share } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { link } from '../../router.ts';
import { Empty, Failed, LinkButton, Page, Panel, Skeleton, Time } from '../../ui/basic.tsx';
import { Icon } from '../../ui/icons.tsx';
import { now } from '../../ui/now.ts';
import { Legend, StackedBar } from '../../ui/status.tsx';
import { Attention } from './attention.tsx';

// shown is how many mailings a panel lists.
const shown = 6;

export interface Facts {
  all: Schemas['FullInfo'];
  running: Schemas['FullInfo'];
  scheduled: Schemas['FullInfo'];
  paused: Schemas['FullInfo'];
  queues: Schemas['QueueList'];
  // rates holds messages a second, by mailing.
  rates: Map<number, number>;
}

async function read(signal: AbortSignal): Promise<{ data: Facts }> {
  const statistics = async (status?: 'running' | 'scheduled' | 'paused') =>
    (await call(api.GET('/api/mailings/fullinfo', { params: { query: { limit: status ? 100 : 1, ...(status ? { status } : {}) } }, signal }))).data;
  const [all, running, scheduled, paused, queues] = await Promise.all([
    statistics(), statistics('running'), statistics('scheduled'), statistics('paused'),
    call(api.GET('/api/queues', { params: { query: { limit: 0 } }, signal })).then((a) => a.data),
  ]);
  const infos = await Promise.all(
    running.mailings.slice(0, shown).map((m) => call(api.GET('/api/mailings/{id}/info', { params: { path: { id: m.id }, query: { limit: 0 } }, signal }))),
  );
  return { data: { all, running, scheduled, paused, queues, rates: new Map(infos.map((i) => [i.data.mailing.id, i.data.rate])) } };
}

export function Overview() {
  const live = useLive(read, (d) => d.running.mailings.length > 0, []);
  const d = live.data.value;
  const actions = isAdmin() && <LinkButton kind="primary" icon="plus" to={link('mailings/new')}>{t('overview.first.mailing')}</LinkButton>;
  return (
    <Page title={t('page.overview')} actions={actions}>
      {!d && live.error.value !== undefined && <Failed error={live.error.value} retry={live.reload} />}
      {!d && live.error.value === undefined && <Loading />}
      {d && (isNew(d) ? <First /> : <Content d={d} />)}
    </Page>
  );
}

function isNew(d: Facts): boolean {
  return Object.values(d.all.mailings_by_status).every((n) => n === 0);
}

function Loading() {
  return (
    <>
      <Panel><Skeleton lines={2} /></Panel>
      <div class="columns">
        <Panel><Skeleton lines={5} /></Panel>
        <Panel><Skeleton lines={5} /></Panel>
      </div>
    </>
  );
}

function First() {
  return (
    <Panel>
      <Empty
        icon="send"
        title={t('overview.first')}
        action={isAdmin() && (
          <div class="actions">
            <LinkButton icon="clients" to={link('clients/import')}>{t('overview.first.clients')}</LinkButton>
            <LinkButton kind="primary" icon="plus" to={link('mailings/new')}>{t('overview.first.mailing')}</LinkButton>
          </div>
        )}
      >
        {t('overview.first.about')}
      </Empty>
    </Panel>
  );
}

function Content({ d }: { d: Facts }) {
  const mailings = Object.values(d.all.mailings_by_status).reduce((sum, n) => sum + n, 0);
  const more = d.all.mailings_by_status.running - Math.min(shown, d.running.mailings.length);
  return (
    <>
      <Attention d={d} />
      <div class="columns">
        <Panel title={t('overview.running')} flush>
          {d.running.mailings.length === 0 ? (
            <Empty icon="resume" title={t('overview.running.none')}>{t('overview.running.none.about')}</Empty>
          ) : (
            <ul class="rows">
              {d.running.mailings.slice(0, shown).map((m) => <Running key={m.id} m={m} rate={d.rates.get(m.id) ?? 0} />)}
              {more > 0 && <li><a href={link('mailings', { status: 'running' })}>{t('overview.running.more', { n: more })}</a></li>}
            </ul>
          )}
        </Panel>
        <Panel title={t('overview.next')} flush>
          {d.scheduled.mailings.length === 0 ? (
            <p class="row-text muted">{t('overview.next.none')}</p>
          ) : (
            <ul class="rows">{soonest(d.scheduled.mailings).map((m) => <Next key={m.id} m={m} />)}</ul>
          )}
        </Panel>
      </div>
      <Panel title={t('overview.totals')} actions={<span class="muted">{t('counts.messages', { n: d.all.totals.total })} {t('overview.totals.about', { n: mailings })}</span>}>
        <StackedBar counts={d.all.totals} />
        <Legend counts={d.all.totals} />
      </Panel>
    </>
  );
}

function soonest(all: CountedMailing[]): CountedMailing[] {
  return [...all].sort((a, b) => a.start_at.localeCompare(b.start_at)).slice(0, shown);
}

function Running({ m, rate }: { m: CountedMailing; rate: number }) {
  const part = progress(m.counts);
  const left = timeLeft(m.counts, rate);
  const facts = [
    part === null ? t('overview.expanding') : t('counts.of', { done: count(Math.round(part * m.counts.total)), total: count(m.counts.total) }),
    rate > 0 ? t('overview.rate', { rate: rateText(rate) }) : '',
    left !== null ? t('overview.left', { time: duration(left) }) : '',
    m.counts.deferred > 0 ? t('overview.waiting_window', { n: m.counts.deferred }) : '',
  ].filter(Boolean);
  return (
    <li>
      <a class="row-link" href={link(`mailings/${m.id}`)}>
        <span class="row-head">
          <span class="row-title">{m.text}</span>
          <strong>{part === null ? '–' : share(part)}</strong>
        </span>
        <StackedBar counts={m.counts} thin />
        <small>{facts.join(' · ')}</small>
      </a>
    </li>
  );
}

function Next({ m }: { m: CountedMailing }) {
  return (
    <li>
      <a class="row-link" href={link(`mailings/${m.id}`)}>
        <span class="row-head">
          <span class="row-title">{m.text}</span>
          <Time at={m.start_at} />
        </span>
        <small><Icon name="clock" width="12" height="12" /> {moment(m.start_at)} · {t('overview.ends', { when: relative(m.end_at, now.value) })}</small>
      </a>
    </li>
  );
}
