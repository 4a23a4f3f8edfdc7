/** A run's numbers by step, as the curves draw them. */
import type { HistoryRow } from '../../worker/protocol.ts';

/** Row 0 stands for the start, before any update. */
export interface History {
  readonly steps: number[];
  readonly columns: Map<string, (number | null)[]>;
}

export const emptyHistory = (): History => ({ steps: [0], columns: new Map() });

/** The history is shared between states and grown in place: copying it would make a long run quadratic. */
export function withRow(
  { steps, columns }: History,
  step: number,
  values: Readonly<Record<string, number>>,
): History {
  if (steps[steps.length - 1] !== step) {
    steps.push(step);
    for (const column of columns.values()) column.push(null);
  }
  for (const [name, value] of Object.entries(values)) {
    let column = columns.get(name);
    if (!column) {
      column = new Array<number | null>(steps.length).fill(null);
      columns.set(name, column);
    }
    column[steps.length - 1] = value;
  }
  return { steps, columns };
}

/** The numbers kept with a run, in the order in which they were written. */
export function historyOf(rows: readonly HistoryRow[]): History {
  return rows.reduce(
    (history, { step, kind, metrics }) =>
      withRow(history, step, kind === 'step' ? metrics : { held_out: metrics.eval_accuracy }),
    emptyHistory(),
  );
}
