// How an import goes: numbers, what it waits for, and the rows that were rejected.
import { count, duration, relative } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { link } from '../../router.ts';
import { Button, errorText, LinkButton, Notice, Panel } from '../../ui/basic.tsx';
import { ask } from '../../ui/dialog.tsx';
import { now } from '../../ui/now.ts';
import { Progress } from '../../ui/progress.tsx';
import { download } from '../../files.ts';
import { goOn, stop, tryNow, type Running } from './running.ts';

const outcomes = ['created', 'updated', 'unchanged', 'rejected'] as const;

// Watch shows an import. again is called to import another file.
export function Watch({ r, again }: { r: Running; again: () => void }) {
  const state = r.state.value;
  const totals = r.totals.value;
  const { kind } = state;
  const active = kind === 'running' || kind === 'stopping' || kind === 'waiting';
  const name = t(state.kind === 'waiting' && state.why === 'session' ? 'import.state.session' : `import.state.${kind}`);
  const rows = Math.max(r.rows, totals.read);
  const discard = () => {
    const n = rows - totals.read;
    ask({
      title: t('import.discard'),
      text: <p>{t('import.discard.about', { n })}</p>,
      action: t('import.discard.act', { n }),
      kind: 'danger',
      run: async () => again(),
    });
  };
  return (
    <>
      <Panel
        title={`${name}: ${r.name}`}
        actions={
          <>
            {(kind === 'running' || kind === 'waiting') && <Button icon="pause" onClick={() => stop(r)}>{t('import.stop')}</Button>}
            {(kind === 'stopped' || (kind === 'failed' && !state.unreadable)) && <Button kind="primary" icon="resume" onClick={() => goOn(r)}>{t('import.go_on')}</Button>}
            {(kind === 'stopped' || kind === 'failed') && <Button kind="quiet" onClick={discard}>{t('import.give_up')}</Button>}
            {kind === 'done' && <Button icon="upload" onClick={again}>{t('import.again')}</Button>}
            {kind === 'done' && <LinkButton kind="primary" to={link('clients')}>{t('import.to_clients')}</LinkButton>}
          </>
        }
      >
        <Progress part={kind === 'done' ? 1 : totals.read / Math.max(1, rows)} label={name} />
        <p class="visually-hidden" role="status">{name}</p>
        <p class="muted">
          <Line r={r} rows={rows} />
        </p>
        <dl class="stats">
          {outcomes.map((o) => (
            <div key={o} class="stat">
              <dt>{t(`import.${o}`)}</dt>
              <dd class={o === 'rejected' && totals.rejected > 0 ? 'bad' : ''}>{count(totals[o])}</dd>
            </div>
          ))}
        </dl>
        {state.kind === 'waiting' && state.why === 'away' && (
          <Notice kind="warning" actions={<Button icon="retry" onClick={tryNow}>{t('import.try_now')}</Button>}>{t('import.away', { time: relative(state.until, now.value) })}</Notice>
        )}
        {state.kind === 'waiting' && state.why === 'session' && <Notice kind="warning">{t('import.session')}</Notice>}
        {state.kind === 'failed' && <Notice kind="error">{state.unreadable ? t('import.fault.unreadable.about', { name: r.name }) : errorText(state.error)}</Notice>}
        {kind === 'stopped' && <p>{t('import.stopped.about')}</p>}
        {active && <p class="muted">{t('import.keep_open')}</p>}
        {r.job.resent && totals.unchanged > 0 && <p class="muted">{t('import.resent')}</p>}
        {kind === 'done' && totals.rejected === 0 && <Notice kind="good">{t('import.none_rejected')}</Notice>}
      </Panel>
      {totals.rejected > 0 && <Rejected r={r} />}
    </>
  );
}

function Line({ r, rows }: { r: Running; rows: number }) {
  const { read } = r.totals.value;
  const speed = r.speed.perSecond;
  const { kind } = r.state.value;
  const parts = [t('import.rows_of', { done: read, total: rows })];
  if (kind === 'running' && speed) {
    parts.push(t('import.speed', { n: Math.round(speed) }), t('import.left', { time: duration((rows - read) / speed) }));
  }
  if (kind === 'done') parts.push(t('import.took', { time: duration(Math.max(1, r.speed.elapsed / 1000)) }));
  return <>{parts.join(' · ')}</>;
}

function Rejected({ r }: { r: Running }) {
  const { first } = r.rejects;
  const kinds = [...r.rejects.kinds].sort((a, b) => b[1] - a[1]).slice(0, 10);
  const n = r.totals.value.rejected;
  const save = () => download(`${r.name.replace(/\.\w+$/, '')}-${t('import.file.rejected')}.csv`, r.rejects.file());
  return (
    <Panel flush title={t('import.rejected.title', { n })} actions={<Button icon="download" onClick={save}>{t('import.rejected.download')}</Button>}>
      <ul class="kinds">
        {kinds.map(([kind, rows]) => (
          <li key={kind}>
            <strong>{count(rows)}</strong>
            <span>{kind}</span>
          </li>
        ))}
      </ul>
      <p class="inset muted">{t('import.rejected.about')} {n > first.length && t('import.rejected.first', { n: first.length })}</p>
      <div class="table-wrap">
        <table class="cards" aria-label={t('import.rejected.title', { n })}>
          <thead>
            <tr>
              <th scope="col" class="number">{t('import.line')}</th>
              <th scope="col">{t('import.reason')}</th>
              <th scope="col">{t('import.rejected.row')}</th>
            </tr>
          </thead>
          <tbody>
            {first.map((row) => (
              <tr key={row.line}>
                <td class="number" data-label={t('import.line')}>{count(row.line)}</td>
                <td class="long" data-label={t('import.reason')}>{row.reason}</td>
                <td class="clip half long" data-label={t('import.rejected.row')}><code title={row.cells.join(' · ')}>{row.cells.join(' · ')}</code></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
