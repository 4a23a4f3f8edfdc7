/** uPlot's options for a chart: axes, colours of the theme, areas, and the letters at the ends of the lines. */
import uPlot from 'uplot';
import type { ChartDef } from './charts.ts';
import { type DrawnRun, markOf } from './drawn-run.ts';
import { type Painting, type Stroke, stackAlpha } from './strokes.ts';

/** Room for a run's letter. */
const markWidth = 10;
/** Up to this many points each is seen as one. */
const fewPoints = 40;
const incrs = [1, 2, 5].flatMap((digit) => [0, 1, 2, 3, 4, 5, 6, 7].map((power) => digit * 10 ** power));
incrs.sort((a, b) => a - b);

export interface Look {
  readonly element: HTMLElement;
  readonly size: { readonly width: number; readonly height: number };
  readonly isLog: boolean;
  onZoom(min: number, max: number): void;
  onReset(): void;
  onPoint(step: number | undefined): void;
}

export function optionsOf(
  { isShare = false }: ChartDef,
  { strokes, areas }: Painting,
  runs: readonly DrawnRun[],
  { element, size, isLog, onZoom, onReset, onPoint }: Look,
): uPlot.Options {
  const css = getComputedStyle(element);
  const color = (name: string) => css.getPropertyValue(name).trim();
  // The style sheet has them as #rrggbb.
  const faded = (name: string, alpha: number) =>
    `${color(name)}${Math.round(255 * alpha)
      .toString(16)
      .padStart(2, '0')}`;
  const axis = {
    stroke: color('--text-soft'),
    grid: { stroke: color('--grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${css.fontFamily}`,
  };
  const seriesOf = (stroke: Stroke): uPlot.Series => {
    const { color: name, dash, isFaint, isSparse, isFilled } = stroke;
    if (name === undefined) return { width: 0, points: { show: false } };
    const own = isFaint ? faded(name, 0.3) : color(name);
    return {
      stroke: own,
      width: isFaint ? 1 : 1.75,
      ...(dash.length && { dash: [...dash] }),
      ...(isFilled && { fill: faded(name, stackAlpha) }),
      spanGaps: isSparse ?? false,
      points: {
        show: (_, __, from, to) => (isSparse || to - from <= fewPoints) && !isFaint,
        size: isSparse ? 6 : 4,
        width: 0,
        fill: own,
      },
    };
  };
  return {
    ...size,
    padding: [8, runs.length > 1 ? 4 + markWidth * runs.length : 10, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: {
        dblclick: () => () => {
          onReset();
          return null;
        },
      },
    },
    scales: {
      x: { time: false, auto: false },
      y: isLog
        ? {
            distr: 3,
            range: (_, min, max) => (min > 0 ? uPlot.rangeLog(min, max, 10, false) : [0.1, 1]),
          }
        : { range: isShare ? [0, 1] : (_, min, max) => roomy(min, max) },
    },
    axes: [
      { ...axis, size: 26, space: 44, incrs, values: (_, ticks) => ticks.map(tickText) },
      {
        ...axis,
        size: 46,
        space: 28,
        values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : tickText(tick))),
      },
    ],
    series: [{}, ...strokes.map(seriesOf)],
    bands: areas.map(({ high, low, color: name, alpha }) => ({
      series: [high + 1, low + 1],
      fill: faded(name, alpha),
    })),
    hooks: {
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < 4) return;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
        },
      ],
      setCursor: [
        (u) => {
          const { left = -1 } = u.cursor;
          onPoint(left < 0 ? undefined : Math.round(u.posToVal(left, 'x')));
        },
      ],
      draw: [(u) => drawMarks(u, strokes, runs, color, css.fontFamily)],
    },
  };
}

/** The letter of each run where its line ends, beside each other so that none covers another. */
function drawMarks(
  u: uPlot,
  strokes: readonly Stroke[],
  runs: readonly DrawnRun[],
  color: (name: string) => string,
  family: string,
): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.font = `600 ${11 * devicePixelRatio}px ${family}`;
  ctx.textBaseline = 'middle';
  strokes.forEach(({ isMarked, run, color: name }, s) => {
    if (!isMarked || name === undefined) return;
    const points = u.data[s + 1];
    let i = points.length - 1;
    while (i > 0 && (points[i] === null || points[i] === undefined || u.data[0][i] > u.scales.x.max!)) i--;
    const value = points[i];
    if (value === null || value === undefined || u.data[0][i] < u.scales.x.min!) return;
    const x =
      Math.min(u.valToPos(u.data[0][i], 'x', true), bbox.left + bbox.width) +
      (3 + run * markWidth) * devicePixelRatio;
    const y = u.valToPos(value, 'y', true);
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.fillStyle = color(name);
    ctx.fillText(markOf(runs[run]), x, y);
  });
  ctx.restore();
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
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return tick.toExponential(0).replaceAll('-', '−');
  return String(Number(tick.toPrecision(6))).replace('-', '−');
};
