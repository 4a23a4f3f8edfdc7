// The training curve as a picture (SVG): training values by step as a line, held-out values as points with error bars.
import type { LogRow } from '../store/run-store.ts';

export interface CurvePoint {
  readonly step: number;
  readonly value: number;
  /** One standard error. */
  readonly error?: number;
}

export interface CurveSeries {
  readonly label: string;
  readonly kind: 'line' | 'points';
  readonly points: readonly CurvePoint[];
}

export interface CurvePlot {
  readonly title: string;
  /** What the vertical axis shows. */
  readonly quantity: string;
  /** Shares are drawn from 0 to 100 %. */
  readonly isShare: boolean;
  readonly series: readonly CurveSeries[];
}

/** The picture's size in pixels. */
export const curveSize = { width: 720, height: 400 } as const;

const { width, height } = curveSize;
const box = { left: 84, right: width - 24, top: 78, bottom: height - 52 };
const palette = ['#1d4ed8', '#c2570c', '#12805c', '#7c3aed'];
const ink = '#16191f';
const soft = '#555d6b';
const grid = '#e3e6eb';

function series(rows: readonly LogRow[], kind: LogRow['kind'], name: string, error?: string): CurvePoint[] {
  return rows
    .filter((row) => row.kind === kind && Number.isFinite(row.metrics[name]))
    .map(({ step, metrics }) => ({
      step,
      value: metrics[name],
      error: error !== undefined && Number.isFinite(metrics[error]) ? metrics[error] : undefined,
    }));
}

/** Accuracy in training and held out where it was measured, else the reward. Null when there is nothing to draw. */
export function trainingCurve(rows: readonly LogRow[], title: string): CurvePlot | null {
  for (const [metric, isShare] of [
    ['accuracy', true],
    ['reward', false],
  ] as const) {
    const all: CurveSeries[] = [
      { label: 'training', kind: 'line', points: series(rows, 'step', metric) },
      {
        label: 'held out (± 1 standard error)',
        kind: 'points',
        points: series(rows, 'evaluation', `eval_${metric}`, `eval_${metric}_error`),
      },
    ];
    const drawn = all.filter(({ points }) => points.length > 0);
    if (drawn.length > 0) return { title, quantity: isShare ? 'accuracy' : metric, isShare, series: drawn };
  }
  return null;
}

/** Text of an XML document: escaped, without the characters that XML cannot hold. */
function text(value: string): string {
  return value
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/[^\t\n\r\u{20}-\u{fffd}\u{10000}-\u{10ffff}]/gu, ' ')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Round numbers from `low` to `high`, about `wanted` of them. */
function ticks(low: number, high: number, wanted: number, whole = false): number[] {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999) ?? 10 * power;
  const size = whole ? Math.max(1, round) : round;
  const first = Math.ceil(low / size - 1e-9);
  const last = Math.floor(high / size + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * size);
}

/** Means over the last `window` points. */
function smooth(points: readonly CurvePoint[], window: number): CurvePoint[] {
  return points.map(({ step }, i) => {
    const recent = points.slice(Math.max(0, i + 1 - window), i + 1);
    return { step, value: recent.reduce((sum, point) => sum + point.value, 0) / recent.length };
  });
}

function range(plot: CurvePlot): [number, number] {
  if (plot.isShare) return [0, 1];
  const ends = plot.series.flatMap(({ points }) =>
    points.flatMap(({ value, error = 0 }) => [value - error, value + error]),
  );
  const low = ends.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = ends.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!(low < high)) return Number.isFinite(low) ? [low - 1, low + 1] : [0, 1];
  return [low - (high - low) * 0.05, high + (high - low) * 0.05];
}

const number = (x: number) => String(Math.round(x * 100) / 100);

export function curveSvg(plot: CurvePlot): string {
  const finite: CurvePlot = {
    ...plot,
    series: plot.series.map((s) => ({
      ...s,
      points: s.points.filter(({ step, value }) => Number.isFinite(step) && Number.isFinite(value)),
    })),
  };
  const [low, high] = range(finite);
  const steps = finite.series.flatMap(({ points }) => points.map(({ step }) => step));
  const first = steps.reduce((a, b) => Math.min(a, b), 0);
  const last = steps.reduce((a, b) => Math.max(a, b), first + 1);
  const x = (step: number) => number(box.left + ((step - first) / (last - first)) * (box.right - box.left));
  const y = (value: number) => {
    const inside = Math.min(high, Math.max(low, value));
    return number(box.bottom - ((inside - low) / (high - low)) * (box.bottom - box.top));
  };
  const size = (high - low) / 5;
  const digits = Math.max(0, Math.ceil(-Math.log10(size)));
  const tickLabel = (v: number) => (plot.isShare ? `${Math.round(v * 100)} %` : v.toFixed(digits));
  const path = (points: readonly CurvePoint[]) =>
    points.map(({ step, value }, i) => `${i ? 'L' : 'M'}${x(step)} ${y(value)}`).join('');

  const parts: string[] = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${box.left}" y="30" font-size="18" font-weight="600" fill="${ink}">${text(shorten(plot.title, 64))}</text>`,
  ];
  for (const v of ticks(low, high, 5)) {
    parts.push(
      `<path d="M${box.left} ${y(v)}H${box.right}" stroke="${grid}"/>`,
      `<text x="${box.left - 8}" y="${Number(y(v)) + 5}" text-anchor="end" fill="${soft}">${tickLabel(v)}</text>`,
    );
  }
  for (const v of ticks(first, last, 8, true)) {
    parts.push(
      `<path d="M${x(v)} ${box.bottom}v5" stroke="${soft}"/>`,
      `<text x="${x(v)}" y="${box.bottom + 21}" text-anchor="middle" fill="${soft}">${v}</text>`,
    );
  }
  const middle = (box.top + box.bottom) / 2;
  parts.push(
    `<path d="M${box.left} ${box.bottom}H${box.right}" stroke="${soft}"/>`,
    `<text x="${(box.left + box.right) / 2}" y="${height - 10}" text-anchor="middle" fill="${soft}">step</text>`,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle" fill="${soft}">${text(plot.quantity)}</text>`,
  );
  let legend: number = box.left;
  finite.series.forEach(({ label, kind, points }, i) => {
    const color = palette[i % palette.length];
    // About 1/20 of the run: enough to see where a noisy line goes.
    const window = Math.ceil(points.length / 20);
    const smoothed = kind === 'line' && window > 1;
    if (kind === 'line') {
      if (smoothed)
        parts.push(
          `<path d="${path(points)}" fill="none" stroke="${color}" stroke-opacity="0.3" stroke-width="1.2"/>`,
        );
      parts.push(
        `<path d="${path(smooth(points, window))}" fill="none" stroke="${color}" stroke-width="2.2" stroke-linejoin="round"/>`,
      );
    } else {
      for (const { step, value, error } of points) {
        if (error !== undefined && Number.isFinite(error)) {
          const [top, bottom] = [y(value + error), y(value - error)];
          parts.push(
            `<path d="M${x(step)} ${top}V${bottom}m-5 0h10M${Number(x(step)) - 5} ${top}h10" stroke="${color}" stroke-width="1.6" fill="none"/>`,
          );
        }
        parts.push(
          `<circle cx="${x(step)}" cy="${y(value)}" r="3.5" fill="${color}" stroke="#ffffff" stroke-width="1.2"/>`,
        );
      }
    }
    const shown = shorten(smoothed ? `${label} (mean of ${window} steps)` : label, 40);
    parts.push(
      kind === 'line'
        ? `<path d="M${legend} 52h22" stroke="${color}" stroke-width="2.5"/>`
        : `<path d="M${legend + 11} 44v16" stroke="${color}" stroke-width="1.6"/><circle cx="${legend + 11}" cy="52" r="4.5" fill="${color}"/>`,
      `<text x="${legend + 29}" y="57" fill="${ink}">${text(shown)}</text>`,
    );
    legend += 29 + shown.length * 7.6 + 24;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="14" role="img" aria-label="${text(plot.title)}">` +
    `${parts.join('')}</svg>`
  );
}

function shorten(value: string, length: number): string {
  const characters = [...value];
  return characters.length <= length ? value : `${characters.slice(0, length - 1).join('')}…`;
}
