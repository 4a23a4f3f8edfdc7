/** What a line is drawn from: a metric, or what follows from several, row by row; smoothed where the reader wants it. */
import { grown, type History } from './history.ts';
import { Smoothing } from './smooth.ts';

export interface Source {
  /** Names it among all sources. */
  readonly key: string;
  readonly columns: readonly string[];
  /** Default: the one column itself. NaN in, NaN out. */
  readonly of?: (a: number, b: number, c: number) => number;
}

export const metric = (name: string): Source => ({ key: name, columns: [name] });

/** The value in a row; null where one of its metrics is absent. */
export function valueAt(history: History, { columns, of }: Source, row: number): number | null {
  const values = columns.map((name) => history.columns.get(name)?.at(row) ?? null);
  if (values.includes(null)) return null;
  const [a, b, c] = values as number[];
  return of ? of(a, b, c) : a;
}

/** The last value that there is. */
export function lastOf(history: History, source: Source): number | null {
  const ends = source.columns.map((name) => history.columns.get(name)?.lastRow ?? -1);
  for (let row = Math.min(...ends); row >= 0; row--) {
    const value = valueAt(history, source, row);
    if (value !== null) return value;
  }
  return null;
}

/** A source's numbers, computed once and carried on as the history grows. The last row may still change. */
class Derived {
  private values: Float64Array = new Float64Array(0);
  private done = 0;

  numbers(rows: number, fill: (out: Float64Array, from: number, rows: number) => void): Float64Array {
    this.values = grown(this.values, rows);
    fill(this.values, this.done, rows);
    this.done = Math.max(0, rows - 1);
    return this.values;
  }
}

interface Kept {
  readonly derived: Derived;
  smoothed?: Smoothing;
}

/** By the history's columns, which stay the same object while the run grows. */
const kept = new WeakMap<History['columns'], Map<string, Kept>>();

/** A number a row, NaN where there is none. `weight` 0 smooths nothing. */
export function numbersOf(history: History, source: Source, weight = 0): Float64Array {
  const rows = history.steps.length;
  const sources = kept.get(history.columns) ?? new Map<string, Kept>();
  kept.set(history.columns, sources);
  const entry = sources.get(source.key) ?? { derived: new Derived() };
  sources.set(source.key, entry);
  const values = rawNumbers(history, source, entry.derived, rows);
  if (weight === 0) return values;
  if (entry.smoothed?.weight !== weight) entry.smoothed = new Smoothing(weight);
  return entry.smoothed.numbers(values, rows);
}

function rawNumbers(
  { columns }: History,
  { columns: names, of }: Source,
  derived: Derived,
  rows: number,
): Float64Array {
  const [a, b, c] = names.map((name) => columns.get(name)?.numbers(rows));
  if (!of && a) return a;
  return derived.numbers(rows, (out, from) => {
    // Absent metrics leave NaN.
    for (let i = from; i < rows; i++)
      out[i] = of && a ? of(a[i], b ? b[i] : Number.NaN, c ? c[i] : Number.NaN) : Number.NaN;
  });
}
