/** What the page shows at the moment, as far as the lesson's checks need it. */
import type { ComparisonResult } from '../../worker/evaluation-protocol.ts';
import type { AskView } from '../../worker/lab-protocol.ts';
import type { GroupView, HeldOut, RunState } from '../../worker/protocol.ts';
import type { History } from '../curves/history.ts';
import type { State } from '../state.ts';

/** What a training run came to. γ and η tell which run of the lesson it stands for, whoever set them. */
export interface Measured {
  readonly id: string;
  readonly gamma: number;
  readonly eta: number;
  readonly steps: number;
  readonly accuracy: number;
  /** Standard error. */
  readonly accuracyError: number;
  readonly format: number;
  /** Perception KL, nats a token; null where the masked view was not computed. */
  readonly kl: number | null;
}

export interface Facts {
  readonly run: RunState | 'none';
  /** Updates of the run that is shown. */
  readonly step: number;
  readonly groups: readonly GroupView[];
  readonly history: History;
  readonly heldOut: readonly HeldOut[];
  /** The settings that the run that is shown has, or ended with. */
  readonly gamma: number;
  readonly eta: number;
  /** Runs measured while the lesson was open, by what they stand for. */
  readonly runs: Readonly<Partial<Record<Part, Measured>>>;
  /** What Look shows: the share of its picture that is masked, and the answers with and without. */
  readonly looked?: { readonly share: number; readonly view: AskView };
  /** The cured run against the collapsed one, on the same questions. */
  readonly compared?: ComparisonResult;
  /** The large model whose LoRA run is shown. */
  readonly real?: string;
  /** A LoRA run of the smallest real model does not fit here: what it needs, and what there is. */
  readonly tooMuch?: { readonly needed: number; readonly limit: number | null };
  /** A checkpoint that was handed over while the lesson was open: what the page said of it. */
  readonly handedOver?: string;
}

/** Which part a run plays: PAPO as it should be, γ too high alone, γ too high with double entropy. */
export type Part = 'papo' | 'hacked' | 'mended';

/** From here on γ is too high for papo-nano: see docs/results.md. */
export const highGamma = 0.1;

export function partOf(gamma: number, eta: number): Part | undefined {
  if (gamma >= highGamma) return eta > 0 ? 'mended' : 'hacked';
  return gamma > 0 ? 'papo' : undefined;
}

/** γ and the smaller η: double entropy is double where both have a weight. */
export function weightsOf(values: Readonly<Record<string, string>>): { gamma: number; eta: number } {
  const number = (name: string) => Number(values[name] ?? 0) || 0;
  return {
    gamma: number('perception_loss_weight'),
    eta: Math.min(number('der_loss_weight1'), number('der_loss_weight2')),
  };
}

/** The numbers of a metric over the rows of a run, oldest first; rows without one are left out. */
export function valuesOf({ steps, columns }: History, name: string): number[] {
  const column = columns.get(name);
  if (!column) return [];
  return steps
    .map((_, row) => column.at(row))
    .filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means of the first and of the last five values; null where there are fewer than ten. */
export function endsOf(history: History, name: string): { first: number; last: number } | null {
  const values = valuesOf(history, name);
  return values.length < 10 ? null : { first: mean(values.slice(0, 5)), last: mean(values.slice(-5)) };
}

/** The run that is shown as a measured one; undefined before it was evaluated after training. */
export function measuredOf(id: string, { gamma, eta, heldOut, history }: Facts): Measured | undefined {
  const last = heldOut.at(-1);
  if (!last || last.step === 0) return undefined;
  return {
    id,
    gamma,
    eta,
    steps: last.step,
    accuracy: last.accuracy,
    accuracyError: last.accuracyError,
    format: last.shares?.format ?? 0,
    kl: endsOf(history, 'perception_kl')?.last ?? null,
  };
}

export const factsOf = (
  state: State,
  more: Pick<Facts, 'gamma' | 'eta' | 'runs' | 'looked' | 'compared' | 'handedOver' | 'real' | 'tooMuch'>,
): Facts => ({
  run: state.run,
  step: state.progress?.step ?? 0,
  groups: state.groups,
  history: state.history,
  heldOut: state.heldOut,
  ...more,
});
