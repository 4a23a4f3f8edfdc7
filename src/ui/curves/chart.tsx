import { useEffect, useRef, useSyncExternalStore } from 'react';
import uPlot from 'uplot';
import { short } from '../parts/format.ts';
import type { History } from './history.ts';

export interface Series {
  readonly column: string;
  readonly label: string;
  readonly points?: boolean;
  readonly dashed?: boolean;
  readonly dotted?: boolean;
}

interface ChartProps {
  title: string;
  meaning: string;
  series: readonly Series[];
  isShare?: boolean;
  absent?: string;
  history: History;
}

const height = 150;
const dark = window.matchMedia('(prefers-color-scheme: dark)');

/** One small plot of a run's numbers by step; its caption says the last values in words. */
export function Chart({ title, meaning, series, isShare = false, absent, history }: ChartProps) {
  const isDark = useSyncExternalStore(
    (listener) => {
      dark.addEventListener('change', listener);
      return () => dark.removeEventListener('change', listener);
    },
    () => dark.matches,
  );
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const data = [history.steps, ...series.map(({ column }) => columnOf(history, column))] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew when the colours change, not for new data
  useEffect(() => {
    const element = box.current!;
    const chart = new uPlot(options(element, series, isShare), latest.current, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [isDark]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a history is new whenever its numbers are
  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [history]);

  const lasts = series.map(({ column, label }) => ({ label, value: lastOf(history, column) }));
  const hasRun = history.steps.length > 1;
  const isAbsent = hasRun && lasts.every(({ value }) => value === null);
  return (
    <figure className="chart">
      <figcaption>
        <strong>{title}</strong> <span className="hint">{meaning}</span>
        <ul className="key">
          {series.map((s, i) => (
            <li key={s.column}>
              <span className={`line c${i} ${style(s)}`} aria-hidden="true" /> {s.label}{' '}
              <b>{short(lastOf(history, s.column))}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        ref={box}
        className="plot"
        role="img"
        aria-label={`${title} over ${history.steps.length - 1} steps. Last values: ${lasts
          .map(({ label, value }) => `${label} ${short(value)}`)
          .join(', ')}.`}
      />
      {isAbsent && absent && <p className="absent">{absent}</p>}
    </figure>
  );
}

const style = ({ points, dashed, dotted }: Series) =>
  points ? 'points' : dashed ? 'dashed' : dotted ? 'dotted' : 'solid';

function columnOf({ steps, columns }: History, name: string): (number | null)[] {
  return columns.get(name) ?? new Array<number | null>(steps.length).fill(null);
}

function lastOf(history: History, name: string): number | null {
  return history.columns.get(name)?.findLast((value) => value !== null) ?? null;
}

/** A range with some air, for flat curves and none at all too. */
function roomy(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const air = 0.06 * (max - min) || 0.1 * Math.abs(max) || 0.5;
  return [min >= 0 && min - air < 0 ? 0 : min - air, max + air];
}

/** Ticks are round numbers: no more digits than they have. */
const tickText = (tick: number) => {
  const size = Math.abs(tick);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return tick.toExponential(0).replaceAll('-', '−');
  return String(Number(tick.toPrecision(3))).replace('-', '−');
};

function options(element: HTMLElement, series: readonly Series[], isShare: boolean): uPlot.Options {
  const css = getComputedStyle(element);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const font = `11px ${css.fontFamily}`;
  const axis = {
    stroke: color('--text-soft'),
    grid: { stroke: color('--grid'), width: 1 },
    ticks: { show: false },
    font,
  };
  return {
    width: element.clientWidth || 240,
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'papo' }, drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: false, range: (_, min, max) => [min ?? 0, Math.max(max ?? 0, 10)] },
      y: { range: isShare ? [0, 1] : (_, min, max) => roomy(min, max) },
    },
    axes: [
      { ...axis, size: 26, space: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      { ...axis, size: 46, space: 28, values: (_, ticks) => ticks.map(tickText) },
    ],
    series: [
      {},
      ...series.map((s, i): uPlot.Series => {
        const stroke = color(`--line-${i}`);
        return {
          stroke,
          width: 1.75,
          spanGaps: true,
          ...(s.dashed && { dash: [6, 4] }),
          ...(s.dotted && { dash: [2, 3] }),
          points: { show: s.points ?? false, size: 7, fill: stroke },
        };
      }),
    ],
  };
}
