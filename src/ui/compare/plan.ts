/** A comparison as it is kept in this browser: what is to be run, and what has been. It can go on after a reload. */
import { createStore, del, get, set } from 'idb-keyval';
import type { ComparisonResult, MeasuredPair, RunMeasure } from '../../worker/evaluation-protocol.ts';
import type { RunRequest } from '../../worker/protocol.ts';
import type { Arms, Planned } from './pairs.ts';

export interface PlannedRun extends Planned {
  /** The kept run's id, from its start on. */
  readonly run?: string;
  readonly measure?: RunMeasure;
}

export interface Plan {
  readonly arms: Arms;
  readonly shared: RunRequest;
  readonly steps: number;
  readonly seeds: number;
  readonly questions: number;
  readonly samples: number;
  readonly model: string;
  /** In the order in which they run: both of a seed, then the next seed. */
  readonly runs: readonly PlannedRun[];
  readonly result?: ComparisonResult;
}

export const plannedRuns = (seeds: number): PlannedRun[] =>
  Array.from({ length: 2 * seeds }, (_, i) => ({ arm: (i % 2) as 0 | 1, seed: 1 + (i >> 1) }));

/** Those seeds of which both runs are measured. */
export function measuredPairs({ runs, seeds }: Plan): MeasuredPair[] {
  return Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) => {
    const [first, second] = ([0, 1] as const).map(
      (arm) => runs.find((run) => run.seed === seed && run.arm === arm)?.measure,
    );
    return first && second ? [{ seed, first, second }] : [];
  });
}

const store = createStore('papo-web-comparison', 'plans');
const key = 'plan-v1';

/** None where storage is denied: a comparison then ends with its tab. */
export const keptPlan = () => get<Plan>(key, store).catch(() => undefined);
export const keepPlan = (plan: Plan) => set(key, plan, store).catch(() => undefined);
export const forgetPlan = () => del(key, store).catch(() => undefined);
