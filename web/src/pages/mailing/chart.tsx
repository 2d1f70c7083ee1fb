// Messages over time, as bars and as a table.
import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { api, call, type Mailing, type Schemas, type Status } from '../../api/client.ts';
import { useLive } from '../../api/live.ts';
import { brief, clock, count, duration } from '../../format.ts';
import { t } from '../../i18n/index.ts';
import { Failed, Panel, Skeleton } from '../../ui/basic.tsx';
import { now } from '../../ui/now.ts';
import { StackedPlot } from '../../ui/plot.tsx';
import { statusName } from '../../ui/status.tsx';

type Points = Schemas['Series'];

const shown = ['sent', 'failed', 'uncertain'] as const satisfies Status[];

const sum = (series: Points, s: (typeof shown)[number]) => series.points.reduce((all, p) => all + p[s], 0);

// often is the largest step, in seconds, with which the points are read as often as the
// numbers. Larger ones belong to long mailings, whose points are many and change slowly.
const often = 30;

// done is the number of messages with a final status.
export function Chart({ m, done }: { m: Mailing; done: number }) {
  const running = useRef(false);
  running.current = m.status === 'running';
  const live = useLive((stop) => call(api.GET('/api/mailings/{id}/series', { params: { path: { id: m.id } }, signal: stop })), (d) => running.current && d.step <= often, [m.id]);
  // The first messages and the last ones are shown at once, not at the next idle read.
  useEffect(() => {
    if (live.data.peek()) live.reload();
  }, [m.status, done === 0]);
  const series = live.data.value;
  const over = m.status === 'completed' || m.status === 'cancelled';
  return (
    <Panel title={t('mailing.chart')} actions={series && series.points.length > 0 && <small>{t('mailing.chart.step', { step: duration(series.step) })}</small>}>
      {!series && live.error.value !== undefined && <Failed error={live.error.value} retry={live.reload} />}
      {!series && live.error.value === undefined && <div class="plot-loading"><Skeleton lines={5} /></div>}
      {series && series.points.length === 0 && <p class="muted">{over && done > 0 ? t('mailing.chart.gone') : t('mailing.chart.none')}</p>}
      {series && series.points.length > 0 && <Bars series={series} />}
    </Panel>
  );
}

function Bars({ series }: { series: Points }) {
  const under = useMemo(() => signal<number | null>(null), []);
  const data = useMemo(() => ({
    at: series.points.map((p) => new Date(p.at).getTime() / 1000),
    series: shown.map((s) => ({ color: `--s-${s}`, values: series.points.map((p) => p[s]) })),
  }), [series]);
  const label = `${t('mailing.chart')}: ${shown.map((s) => `${statusName(s)} ${count(sum(series, s))}`).join(', ')}`;
  return (
    <>
      <Readout series={series} under={under} />
      <StackedPlot at={data.at} step={series.step} series={data.series} label={label} hover={(bar) => (under.value = bar)} />
      <Numbers series={series} />
    </>
  );
}

// Readout names the colours, with the numbers of the bar under the pointer.
function Readout({ series, under }: { series: Points; under: Signal<number | null> }) {
  const p = under.value === null ? undefined : series.points[under.value];
  return (
    <div class="readout">
      {shown.map((s) => (
        <span key={s} class={`s-${s}`}>
          <span class="key" />
          {statusName(s)} {p && <strong>{count(p[s])}</strong>}
        </span>
      ))}
      {p && <span class="muted">{span(p.at, series.step)}</span>}
    </div>
  );
}

// span says when a step began and ended.
function span(at: string, step: number): string {
  const end = new Date(new Date(at).getTime() + step * 1000);
  const write = (d: Date | string) => (step < 60 ? clock(d) : brief(d, now.peek()));
  return `${write(at)} – ${write(end)}`;
}

// Numbers is the chart as a table. Steps in which nothing happened are left out.
function Numbers({ series }: { series: Points }) {
  const points = series.points.filter((p) => shown.some((s) => p[s] > 0));
  return (
    <details class="numbers">
      <summary>{t('mailing.chart.table')}</summary>
      <p class="muted">{t('mailing.chart.about')}</p>
      <div class="table-wrap" tabIndex={0} role="group" aria-label={t('mailing.chart')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('mailing.chart.from')}</th>
              {shown.map((s) => <th key={s} scope="col" class="number">{statusName(s)}</th>)}
            </tr>
          </thead>
          <tbody>
            {points.map((p) => (
              <tr key={p.at}>
                <td>{span(p.at, series.step)}</td>
                {shown.map((s) => <td key={s} class="number">{count(p[s])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
