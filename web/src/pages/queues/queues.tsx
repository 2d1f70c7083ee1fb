// The queues: how much waits, whether the sending API answers, and dead letters.
import { useState } from 'preact/hooks';
import { api, call, type Schemas } from '../../api/client.ts';
import { isAdmin } from '../../api/connection.ts';
import { useLive } from '../../api/live.ts';
import { clock, count, duration, relative } from '../../format.ts';
import { t, type Key } from '../../i18n/index.ts';
import { link } from '../../router.ts';
import { Button, Empty, Failed, IconButton, Notice, Page, Panel, Skeleton, Time } from '../../ui/basic.tsx';
import { ask } from '../../ui/dialog.tsx';
import { now } from '../../ui/now.ts';
import { toast } from '../../ui/toast.tsx';
import { redrive, summary, type Some } from './redrive.ts';

type Queue = Schemas['Queue'];
type Letter = Schemas['DeadLetter'];

export function Queues() {
  const live = useLive((signal) => call(api.GET('/api/queues', { signal })), busy, []);
  const d = live.data.value;
  return (
    <Page title={t('page.queues')} about={t('queues.about')}>
      {!d && live.error.value !== undefined && <Failed error={live.error.value} retry={live.reload} />}
      {!d && live.error.value === undefined && <div class="columns">{[0, 1, 2].map((i) => <Panel key={i}><Skeleton lines={4} /></Panel>)}</div>}
      {d && (
        <>
          <Provider since={d.provider.down_since} next={d.provider.next_probe_at} />
          <div class="columns three">{d.queues.map((q) => <QueuePanel key={q.name} q={q} />)}</div>
          <Letters letters={d.dead_letters} total={size(d.queues.find((q) => q.name === 'dead-letters'))} reload={live.reload} />
        </>
      )}
    </Page>
  );
}

function busy(d: Schemas['QueueList']): boolean {
  return d.provider.down_since !== null || d.queues.some((q) => !q.name.startsWith('dead-') && size(q) > 0);
}

function size(q: Queue | undefined): number {
  return q ? q.waiting + q.in_flight + q.delayed : 0;
}

function Provider({ since, next }: { since: string | null; next: string | null }) {
  if (!since) return <Notice kind="good" title={`${t('queues.provider')}: ${t('queues.provider.up').toLowerCase()}`}>{t('queues.provider.up.about')}</Notice>;
  return (
    <Notice kind="error" title={`${t('queues.provider')}: ${t('queues.provider.down', { time: clock(since) }).toLowerCase()}`}>
      {t('queues.provider.down.about', { next: relative(next ?? now.value, now.value) })}
    </Notice>
  );
}

function QueuePanel({ q }: { q: Queue }) {
  const facts: [Key, number][] = [['queues.waiting', q.waiting], ['queues.in_flight', q.in_flight], ['queues.delayed', q.delayed]];
  return (
    <Panel title={t(`queues.${q.name}`)}>
      <p class="muted">{t(`queues.${q.name}.about`)}</p>
      <dl class="stats three">
        {facts.map(([name, n]) => (
          <div class="stat" key={name}>
            <dt>{t(name)}</dt>
            <dd>{count(n)}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        {q.oldest_age_seconds === null ? t('queues.oldest.none') : `${t('queues.oldest')} ${duration(q.oldest_age_seconds)}`}
      </p>
    </Panel>
  );
}

function Letters({ letters, total, reload }: { letters: Letter[]; total: number; reload: () => void }) {
  const [reason, setReason] = useState('');
  const reasons = [...new Set(letters.map((l) => l.reason))].sort();
  const shown = reason ? letters.filter((l) => l.reason === reason) : letters;
  const tryAgain = async (some: Some) => {
    toast(summary(await redrive(some)));
    reload();
  };
  const several = () =>
    ask(reason
      ? {
        title: t('queues.redrive.reason.title', { reason }), text: <p>{t('queues.redrive.reason.text')}</p>, action: t('queues.redrive.reason'),
        run: () => tryAgain({ reason }),
      }
      : {
        title: t('queues.redrive.title'), text: <p>{t('queues.redrive.text', { n: total })}</p>, action: t('queues.redrive'),
        run: () => tryAgain({}),
      });
  const one = (l: Letter) =>
    ask({
      title: t('queues.redrive.one.title', { id: String(l.message_id) }), text: <p>{t('queues.redrive.one.text', { reason: l.reason })}</p>, action: t('queues.redrive.one'),
      run: () => tryAgain({ message_id: l.message_id }),
    });
  const actions = (
    <>
      {reasons.length > 1 && (
        <select aria-label={t('queues.reason')} value={reason} onChange={(e) => setReason(e.currentTarget.value)}>
          <option value="">{t('queues.letters.all_reasons')}</option>
          {reasons.map((r) => <option key={r}>{r}</option>)}
        </select>
      )}
      {isAdmin() && total > 0 && <Button icon="retry" onClick={several}>{t(reason ? 'queues.redrive.reason' : 'queues.redrive')}</Button>}
    </>
  );
  return (
    <Panel title={t('queues.letters')} actions={actions} flush>
      {total === 0 && letters.length === 0 ? (
        <Empty icon="check" title={t('queues.letters.none')}>{t('queues.letters.none.about')}</Empty>
      ) : (
        <>
          {shown.length > 0 && <div class="table-wrap"><LetterTable letters={shown} redrive={one} /></div>}
          <p class="list-foot">{t('queues.letters.some', { n: shown.length })}. {t('queues.letters.hidden')}</p>
        </>
      )}
    </Panel>
  );
}

function LetterTable({ letters, redrive }: { letters: Letter[]; redrive: (l: Letter) => void }) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>{t('queues.letter.reason')}</th>
          <th>{t('queues.letter.message')}</th>
          <th>{t('queues.letter.mailing')}</th>
          <th>{t('queues.letter.client')}</th>
          <th class="number">{t('queues.letter.attempts')}</th>
          <th>{t('queues.letter.at')}</th>
          {isAdmin() && <th class="actions-cell"><span class="visually-hidden">{t('queues.redrive.one')}</span></th>}
        </tr>
      </thead>
      <tbody>
        {letters.map((l) => (
          <tr key={`${l.message_id}/${l.at}`}>
            <td class="head"><code>{l.reason}</code></td>
            <td data-label={t('queues.letter.message')}>{l.message_id || '–'}</td>
            <td data-label={t('queues.letter.mailing')}>{l.mailing_id ? <a class="named" href={link(`mailings/${l.mailing_id}`, { status: 'failed' })}>{l.mailing_id}</a> : t('queues.letter.test')}</td>
            <td data-label={t('queues.letter.client')}>{l.client_id ? <a class="named" href={link(`clients/${l.client_id}`)}>{l.client_id}</a> : '–'}</td>
            <td class="number" data-label={t('queues.letter.attempts')}>{count(l.attempts)}</td>
            <td data-label={t('queues.letter.at')}><Time at={l.at} /></td>
            {isAdmin() && (
              <td class="actions-cell">
                {l.mailing_id > 0 && l.message_id > 0 && (
                  <IconButton icon="retry" label={t('queues.redrive.one.of', { id: String(l.message_id) })} onClick={() => redrive(l)} />
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
