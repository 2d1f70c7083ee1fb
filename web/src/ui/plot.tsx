// Bars over time, drawn by uPlot. Colours are those of the style sheet, and change with it.
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { compact } from '../format.ts';
import { locale } from '../i18n/index.ts';
import { scheme } from '../theme.ts';
import { stack, steps, tickLabels, timeRange, timeSteps } from './stacking.ts';

export interface Series {
  // color is the name of a colour in the style sheet: --s-sent.
  color: string;
  values: number[];
}

// StackedPlot draws one bar a step, as large as its place in the page allows. at are seconds since 1970 at which steps begin. Screen
// readers get the label: offer the numbers as a table, too. hover is called with the
// number of the bar under the pointer.
export function StackedPlot({ at, step, series, label, hover }: {
  at: number[];
  step: number;
  series: Series[];
  label: string;
  hover: (bar: number | null) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = toData(at, series);
  const latest = useRef(data);
  latest.current = data;
  const span = useRef({ at, step });
  span.current = { at, step };
  useEffect(() => {
    const root = box.current!;
    let ended = false;
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: root.clientWidth, height: root.clientHeight }));
    // The library is a file of its own: most pages do not need it.
    void import('uplot').then(({ default: UPlot }) => {
      if (ended) return;
      plot.current = new UPlot(options(UPlot, root, span, series, hover), latest.current, root);
      watch.observe(root);
    });
    return () => {
      ended = true;
      watch.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [scheme.value, locale.value]);
  useEffect(() => plot.current?.setData(data), [at, series]);
  return <div class="plot" ref={box} role="img" aria-label={label} />;
}

// toData puts the highest bars first: the lower ones are drawn over them.
function toData(at: number[], series: Series[]): uPlot.AlignedData {
  return [at, ...stack(series.map((s) => s.values)).reverse()];
}

function options(UPlot: typeof uPlot, root: HTMLElement, span: { current: { at: number[]; step: number } }, series: Series[], hover: (bar: number | null) => void): uPlot.Options {
  const css = getComputedStyle(root);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const axis = { stroke: color('--muted'), font: `12px ${css.fontFamily}`, ticks: { show: false }, grid: { stroke: color('--line'), width: 1 } };
  return {
    width: root.clientWidth,
    height: root.clientHeight,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => timeRange(span.current.at, span.current.step) },
      y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 92, incrs: () => timeSteps.filter((s) => s >= span.current.step), size: 40, values: (u, splits, _axis, _space, apart) => uncut(u, splits, tickLabels(splits, apart, locale.peek())) },
      { ...axis, space: 40, size: 46, incrs: steps, values: (_u, splits) => splits.map(compact) },
    ],
    series: [
      {},
      ...[...series].reverse().map((s) => ({
        fill: color(s.color),
        width: 0,
        points: { show: false },
        paths: UPlot.paths.bars!({ align: 1, size: [0.86, 60] }),
      })),
    ],
    hooks: { setCursor: [(u) => hover(u.cursor.idx ?? null)] },
  };
}

// labelHalf is about half the width of a label, in pixels.
const labelHalf = 38;

// uncut leaves out labels that the right edge would cut.
function uncut(u: uPlot, splits: number[], labels: string[]): string[] {
  return labels.map((label, i) => (u.valToPos(splits[i]!, 'x') > u.over.clientWidth - labelHalf ? '' : label));
}
