/** A run's numbers by step: what the curves, their tables and their files are made of. */
import type { HeldOut, HistoryRow } from '../../worker/protocol.ts';

/** One metric, a number a row. It is grown in place: copying it at each step would make a long run quadratic. */
export class Column {
  private values: Float64Array = new Float64Array(0);
  /** Rows in which the metric was there, and was no number. */
  private readonly notNumbers = new Set<number>();
  /** The last row that has a value. */
  private end = -1;

  get lastRow(): number {
    return this.end;
  }

  set(row: number, value: number): void {
    this.values = grown(this.values, row + 1);
    this.values[row] = value;
    if (Number.isNaN(value)) this.notNumbers.add(row);
    else this.notNumbers.delete(row);
    this.end = Math.max(this.end, row);
  }

  /** As it was recorded; null where it was not. */
  at(row: number): number | null {
    if (row > this.end || row < 0) return null;
    const value = this.values[row];
    return Number.isNaN(value) && !this.notNumbers.has(row) ? null : value;
  }

  /** At least `rows` of them, NaN where there is none. */
  numbers(rows: number): Float64Array {
    this.values = grown(this.values, rows);
    return this.values;
  }
}

/** Row 0 stands for the start, before any update. Steps ascend. */
export interface History {
  readonly steps: number[];
  readonly columns: Map<string, Column>;
}

export const emptyHistory = (): History => ({ steps: [0], columns: new Map() });

/** The numbers are shared between states; only the object around them is new, so that what draws them notices. */
export function withRow(history: History, step: number, values: Readonly<Record<string, number>>): History {
  addRow(history, step, values);
  return { ...history };
}

/** The numbers kept with a run, in the order in which they were written. */
export function historyOf(rows: readonly HistoryRow[]): History {
  const history = emptyHistory();
  for (const { step, metrics } of rows) addRow(history, step, metrics);
  return history;
}

/** An evaluation under the names that its row in the log has. */
export const heldOutMetrics = ({ questions, accuracy, accuracyError, shares }: HeldOut) => ({
  eval_accuracy: accuracy,
  eval_accuracy_error: accuracyError,
  eval_samples: questions,
  ...(shares && {
    'eval_errors/perception': shares.perception,
    'eval_errors/reasoning': shares.reasoning,
    'eval_errors/format': shares.format,
  }),
});

/** The same numbers with room for at least `length`, NaN where there is none. */
export function grown(values: Float64Array, length: number): Float64Array {
  if (length <= values.length) return values;
  const larger = new Float64Array(Math.max(64, length, 2 * values.length)).fill(Number.NaN);
  larger.set(values);
  return larger;
}

/** The row of the last step that is not after `step`; −1 where all are. */
export function rowAt(steps: readonly number[], step: number): number {
  return firstAfter(steps, step) - 1;
}

/** The first row whose step is after `step`. */
export function firstAfter(steps: readonly number[], step: number, from = 0): number {
  let low = from;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

function addRow({ steps, columns }: History, step: number, values: Readonly<Record<string, number>>): void {
  if (steps[steps.length - 1] !== step) steps.push(step);
  for (const name in values) {
    let column = columns.get(name);
    if (!column) {
      column = new Column();
      columns.set(name, column);
    }
    column.set(steps.length - 1, values[name]);
  }
}
