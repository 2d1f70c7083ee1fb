// How far a mailing is: one bar, numbers by status, and its rate while it runs.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, call, type Mailing, type Status } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { open, timeLeft } from '../../counts.ts';
import { count, duration, rate as rateText, relative, share } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { Button, Empty, Panel, Skeleton } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { Legend, StackedBar } from '../../ui/status.tsx';
import { roughly } from '../mailings/rules.ts';
import type { Info } from './mailing.tsx';

export function Progress({ info, status, choose, retry }: {
  info: Info;
  status: Status | undefined;
  choose: (s: Status | undefined) => void;
  // retry opens its dialog, undefined where nothing can be tried again.
  retry: (() => void) | undefined;
}) {
  const { mailing: m, counts } = info;
  if (m.status === 'scheduled') return <Scheduled m={m} />;
  if (counts.total === 0) return <None info={info} />;
  const done = counts.total - open(counts);
  return (
    <Panel title={t('mailings.progress')} actions={retry && isAdmin() && <Button icon="retry" onClick={retry}>{t('mailing.retry')}</Button>}>
      <dl class="stats">
        <Stat name={t('mailing.done')} small={t('counts.of', { done: count(done), total: count(counts.total) })}>{share(done / counts.total)}</Stat>
        <Stat name={t('status.sent')} small={done > 0 && t('mailing.sent.share', { share: share(counts.sent / done) })}>{count(counts.sent)}</Stat>
        {m.status === 'running' && <Running info={info} />}
      </dl>
      <StackedBar counts={counts} />
      <div role="group" aria-label={t('mailing.messages.filter')}>
        <Legend counts={counts} chosen={status} choose={choose} />
      </div>
      {!info.expanded && (m.status === 'running' || m.status === 'paused') && <p class="muted">{t('mailing.expanding.about')}</p>}
    </Panel>
  );
}

function Stat({ name, small, children }: { name: string; small?: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="stat">
      <dt>{name}</dt>
      <dd>
        {children}
        {small && <small>{small}</small>}
      </dd>
    </div>
  );
}

function Running({ info }: { info: Info }) {
  const { counts, rate } = info;
  // Messages that are tried again wait longer and longer: no forecast is made of them alone.
  const left = counts.queued > 0 ? timeLeft(counts, rate) : null;
  const about = [
    counts.queued === 0 && counts.retrying > 0 ? t('mailing.left.retrying', { n: counts.retrying }) : '',
    counts.deferred > 0 ? t('mailing.left.deferred', { n: counts.deferred }) : '',
  ].filter(Boolean).join(', ');
  return (
    <>
      <Stat name={t('mailing.rate')} small={t('mailing.rate.about')}>{rateText(rate)}</Stat>
      <Stat name={t('mailing.left')} small={about || t('mailing.left.end', { end: relative(info.mailing.end_at, now.value) })}>
        {left === null ? '–' : t('mailing.left.about', { time: duration(roughly(left)) })}
      </Stat>
    </>
  );
}

// Scheduled says when the mailing starts, and how many clients it would reach now.
function Scheduled({ m }: { m: Mailing }) {
  const [n, setN] = useState<number | undefined>();
  const filter = JSON.stringify(m.filter);
  useEffect(() => {
    const stop = new AbortController();
    call(api.POST('/api/mailings/preview', { body: { filter: m.filter }, signal: stop.signal }))
      .then((a) => setN(a.data.recipients))
      .catch(() => undefined); // the page says enough without the number
    return () => stop.abort();
  }, [filter]);
  const started = new Date(m.start_at) <= now.value;
  return (
    <Panel>
      <Empty icon="clock" title={started ? t('mailing.starts.now') : t('mailing.starts', { when: relative(m.start_at, now.value) })}>
        {n !== undefined && t('mailing.scheduled.matches', { n })} {t('mailing.scheduled.about')}
      </Empty>
    </Panel>
  );
}

// None is a mailing without messages: its recipients are still collected, or there are
// none.
function None({ info }: { info: Info }) {
  const { mailing: m, expanded } = info;
  if (!expanded && m.status === 'running') {
    return (
      <Panel title={t('mailing.expanding.title')}>
        <Skeleton lines={3} />
      </Panel>
    );
  }
  return (
    <Panel>
      <Empty icon="clients" title={t('mailing.no_messages')}>
        {m.status === 'completed' ? t('mailing.no_messages.about') : t('mailing.no_messages.before')}
      </Empty>
    </Panel>
  );
}
