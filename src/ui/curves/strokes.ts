/** A chart's definition and its runs as the lines and areas that are painted, in their order. */
import type { ChartDef } from './charts.ts';
import { decimate, type Lines, type Point } from './decimate.ts';
import { type DrawnRun, legendOf } from './drawn-run.ts';
import { numbersOf, type Source } from './source.ts';

export interface Stroke {
  readonly run: number;
  readonly source: Source;
  readonly isSmoothed: boolean;
  /** A custom property; undefined: the edge of an area, not painted itself. */
  readonly color?: string;
  readonly dash: readonly number[];
  /** The values as they are, behind the smoothed ones. */
  readonly isFaint?: boolean;
  readonly isSparse?: boolean;
  /** Filled down to 0. */
  readonly isFilled?: boolean;
  /** The run's letter stands at its end. */
  readonly isMarked?: boolean;
}

export interface Area {
  /** Strokes by number. */
  readonly high: number;
  readonly low: number;
  readonly color: string;
  readonly alpha: number;
}

export interface Painting {
  readonly strokes: readonly Stroke[];
  readonly areas: readonly Area[];
}

const bandAlpha = 0.16;
export const stackAlpha = 0.45;

export function paintingOf(chart: ChartDef, runs: readonly DrawnRun[], isSmoothed: boolean): Painting {
  const strokes: Stroke[] = [];
  const areas: Area[] = [];
  const legend = legendOf(chart, runs);
  const perRun = legend.length / Math.max(1, runs.length);
  if (chart.band)
    runs.forEach((_, run) => {
      const { low, high } = chart.band!;
      const at = strokes.push({ run, source: high, isSmoothed, dash: [] }) - 1;
      strokes.push({ run, source: low, isSmoothed, dash: [] });
      areas.push({ high: at, low: at + 1, color: legend[run * perRun].color, alpha: bandAlpha });
    });
  runs.forEach((_, run) => {
    if (!isSmoothed || chart.isStack) return;
    chart.lines.forEach(({ source, isSparse }, i) => {
      const { color, dash } = legend[run * perRun + i];
      if (!isSparse) strokes.push({ run, source, isSmoothed: false, color, dash, isFaint: true });
    });
  });
  // The first run is painted last, over the others.
  for (let run = runs.length - 1; run >= 0; run--)
    chart.lines.forEach(({ source, drawn = source, isSparse }, i) => {
      const { color, dash, look } = legend[run * perRun + i];
      const isFilled = look === 'area';
      const at =
        strokes.push({
          run,
          source: drawn,
          isSmoothed: isSmoothed && !isSparse,
          color,
          dash,
          isSparse,
          isFilled: isFilled && i === 0,
          isMarked: i === 0 && runs.length > 1,
        }) - 1;
      if (isFilled && i > 0) areas.push({ high: at, low: at - 1, color, alpha: stackAlpha });
    });
  return { strokes, areas };
}

/** What uPlot takes: the steps, then the points of each stroke. On a log axis only what is above 0 can be drawn. */
export function pointsOf(
  { strokes }: Painting,
  runs: readonly DrawnRun[],
  {
    min,
    max,
    columns,
    weight,
    isLog,
  }: {
    min: number;
    max: number;
    columns: number;
    weight: number;
    isLog: boolean;
  },
): { data: [number[], ...Point[][]]; hasHidden: boolean; isDense: boolean } {
  // decimate takes the lines run by run; strokes have an order of their own.
  const order = runs.flatMap((_, r) => strokes.flatMap((stroke, s) => (stroke.run === r ? [s] : [])));
  const { x, y, isDense } = decimate(
    runs.map(
      ({ history }, r): Lines => ({
        steps: history.steps,
        lines: strokes
          .filter(({ run }) => run === r)
          .map(({ source, isSmoothed, isSparse }) => ({
            values: numbersOf(history, source, isSmoothed ? weight : 0),
            isSparse,
          })),
      }),
    ),
    min,
    max,
    columns,
  );
  const points: Point[][] = [];
  order.forEach((s, i) => {
    points[s] = y[i];
  });
  let hasHidden = false;
  if (isLog)
    for (const line of points)
      line.forEach((value, i) => {
        if (value === null || value === undefined || value > 0) return;
        line[i] = null;
        hasHidden = true;
      });
  return { data: [x, ...points], hasHidden, isDense };
}
