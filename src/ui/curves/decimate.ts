/**
 * As many points as a screen can show of as many as a run has: each column of pixels keeps its first, smallest, largest
 * and last value, in their order, so that no spike and no gap is lost. All lines of a chart share one x axis.
 */
import { firstAfter } from './history.ts';

/** undefined: no row there, the line goes on; null: a row without a value, the line is broken. */
export type Point = number | null | undefined;

export interface Line {
  /** A number a row, NaN where there is none. */
  readonly values: Float64Array;
  /** Measured now and then, so that rows without a value break nothing. */
  readonly isSparse?: boolean;
}

export interface Lines {
  readonly steps: readonly number[];
  readonly lines: readonly Line[];
}

export interface Decimated {
  readonly x: number[];
  /** The points of each line, run by run. */
  readonly y: Point[][];
  /** Columns of pixels stand for more points than they show. */
  readonly isDense: boolean;
}

const slots = 4;

/** The points of all lines between two steps, and one on either side where the lines come from and go to. */
export function decimate(runs: readonly Lines[], min: number, max: number, columns: number): Decimated {
  const seen = runs.map(({ steps }) => visible(steps, min, max));
  return seen.every(([from, to]) => to - from <= 2 * columns)
    ? everyPoint(runs, seen)
    : byColumn(runs, min, max, columns);
}

/** Rows from the last that is not after `min` to behind the first after `max`. */
function visible(steps: readonly number[], min: number, max: number): [from: number, to: number] {
  const from = firstAfter(steps, min);
  const to = firstAfter(steps, max, from);
  // The row of `min` itself, or the one before it.
  return [Math.max(0, from - 1), Math.min(steps.length, to + 1)];
}

function everyPoint(runs: readonly Lines[], seen: readonly [from: number, to: number][]): Decimated {
  const all = Float64Array.from(runs.flatMap(({ steps }, r) => steps.slice(...seen[r]))).sort();
  const x = Array.from(all).filter((step, i) => i === 0 || step !== all[i - 1]);
  const y = runs.flatMap(({ steps, lines }, r) =>
    lines.map(({ values, isSparse }) => {
      const [from, to] = seen[r];
      const points = new Array<Point>(x.length).fill(undefined);
      for (let row = from, i = 0; row < to; row++, i++) {
        while (x[i] < steps[row]) i++;
        points[i] = isNumber(values[row]) ? values[row] : isSparse ? undefined : null;
      }
      return points;
    }),
  );
  return { x, y, isDense: false };
}

function byColumn(runs: readonly Lines[], min: number, max: number, columns: number): Decimated {
  const width = (max - min) / columns;
  // One more column on either side.
  const left = min - width;
  const count = columns + 2;
  const x = Array.from({ length: slots * count }, (_, i) => left + ((i + 0.5) / slots) * width);
  const y = runs.flatMap(({ steps, lines }) => {
    const bounds = columnBounds(steps, left, width, count);
    return lines.map((line) => ofColumns(line, bounds));
  });
  return { x, y, isDense: true };
}

/** The row with which each column begins, and behind the last. A column holds the steps in [begin, end). */
export function columnBounds(
  steps: readonly number[],
  left: number,
  width: number,
  count: number,
): Int32Array {
  const bounds = new Int32Array(count + 1);
  let row = 0;
  for (let c = 0; c <= count; c++) {
    const edge = left + c * width;
    row = firstAfter(steps, edge, row);
    while (row > 0 && steps[row - 1] === edge) row--;
    bounds[c] = row;
  }
  return bounds;
}

/** First, smallest, largest and last of each column. */
export function ofColumns({ values, isSparse }: Line, bounds: Int32Array): Point[] {
  const points = new Array<Point>(slots * (bounds.length - 1)).fill(undefined);
  for (let c = 0; c < bounds.length - 1; c++) {
    let from = bounds[c];
    let to = bounds[c + 1];
    if (from === to) continue;
    while (from < to && !isNumber(values[from])) from++;
    while (from < to && !isNumber(values[to - 1])) to--;
    const at = slots * c;
    if (from === to) {
      if (!isSparse) points.fill(null, at, at + slots);
      continue;
    }
    let min = values[from];
    let max = min;
    let minAt = from;
    let maxAt = from;
    for (let i = from + 1; i < to; i++) {
      const value = values[i];
      if (value < min && value !== Number.NEGATIVE_INFINITY) {
        min = value;
        minAt = i;
      } else if (value > max && value !== Number.POSITIVE_INFINITY) {
        max = value;
        maxAt = i;
      }
    }
    points[at] = values[from];
    points[at + 1] = minAt < maxAt ? min : max;
    points[at + 2] = minAt < maxAt ? max : min;
    points[at + 3] = values[to - 1];
  }
  return points;
}

/** Neither NaN nor infinite. */
const isNumber = (value: number) => value - value === 0;
