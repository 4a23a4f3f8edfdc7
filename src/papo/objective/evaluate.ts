/**
 * Evaluates a case of a golden file (golden.ts) on any device, from logits to loss, metrics and the gradients of both
 * branches' logits, through the head op that training uses: hidden states are the logits, the head's weight is the
 * identity. No file system: the command line, the Node tests and the browser tests share it.
 */
import type { Device, Program, RunInputs } from '../../device/device.ts';
import { partialGradients } from '../../ops/backward.ts';
import { Graph, type Tensor } from '../../ops/graph.ts';
import { buildHead, buildObjective, type Coefficients, type ObjectiveInputs } from '../objective.ts';
import type { LossCase, LossInputs } from './golden.ts';

export interface Evaluation {
  loss: number;
  metrics: Record<string, number>;
  /** [B, T, V] flat, with respect to logits before temperature. */
  gradLogits: Float64Array;
  gradLogitsMasked: Float64Array;
}

/** Errors of loss and gradients: see `gradientError`; of the loss, |a − b| / max(|b|, floor). */
export interface CaseErrors {
  loss: number;
  grad_logits: number;
  grad_logits_masked: number;
}

/** Held against ReferenceDevice (float64), and against the float32 devices. */
export const TOLERANCE = { reference: 1e-9, cpu: 1e-5, webgpu: 1e-5 };

/**
 * Below this size an error counts as absolute: FLOOR · tolerance. Losses are differences of terms of order 1, whose
 * cancellation no float32 arithmetic undoes; a gradient that should be zero has no relative error.
 */
const FLOOR = { loss: 0.1, gradient: 1e-3 };

/** Golden gradients are printed with 9 significant digits (the paper's) or 10, losses with 15. */
const DIGITS = 9;

/**
 * ‖a − b‖ / max(‖b‖, floor), Euclidean norms over whole tensors, where an entry of a − b counts only as far as it is
 * beyond half a unit in the last printed digit of b's (up to 5e-9 of it). NaN where `got` is not finite.
 */
function gradientError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    const unit = want[i] === 0 ? 0 : 10 ** (Math.floor(Math.log10(Math.abs(want[i]))) + 1 - DIGITS);
    difference += Math.max(Math.abs(got[i] - want[i]) - unit / 2, 0) ** 2;
    size += want[i] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), FLOOR.gradient);
}

export function caseErrors(got: Evaluation, want: LossCase['expected']): CaseErrors {
  return {
    loss: Math.abs(got.loss - want.loss) / Math.max(Math.abs(want.loss), FLOOR.loss),
    grad_logits: gradientError(got.gradLogits, want.gradLogits),
    grad_logits_masked: gradientError(got.gradLogitsMasked, want.gradLogitsMasked),
  };
}

/** The largest of them; NaN counts as infinite. */
export function worstError(errors: CaseErrors): number {
  return Math.max(...Object.values(errors).map((error) => (Number.isNaN(error) ? Infinity : error)));
}

/** One case: its micro-batches one after the other, losses summed and gradients put together. */
export async function evaluateCase(device: Device, c: LossCase): Promise<Evaluation> {
  const { B, T, V } = c.inputs;
  const program = await device.compile(caseGraph(c), []);
  try {
    return await runMicroBatches(program, device.kind === 'reference', c, B, T, V);
  } finally {
    program.dispose();
  }
}

async function runMicroBatches(
  program: Program,
  float64: boolean,
  c: LossCase,
  B: number,
  T: number,
  V: number,
): Promise<Evaluation> {
  const out: Evaluation = {
    loss: 0,
    metrics: {},
    gradLogits: new Float64Array(B * T * V),
    gradLogitsMasked: new Float64Array(B * T * V),
  };
  const N = c.microBatch * T * V;
  for (let start = 0; start < B; start += c.microBatch) {
    const { loss, gradient, ...metrics } = await program.run(feeds(c, start, float64));
    out.loss += loss[0];
    out.gradLogits.set(gradient.subarray(0, N), start * T * V);
    out.gradLogitsMasked.set(gradient.subarray(N), start * T * V);
    for (const [name, value] of Object.entries(metrics)) {
      // Losses are shares of the update's; anything else is a mean over micro-batches.
      const share = name.endsWith('_loss') ? value[0] : (value[0] * c.microBatch) / B;
      out.metrics[name] = (out.metrics[name] ?? 0) + share;
    }
  }
  return out;
}

const perToken = ['completion_mask', 'old_per_token_logps', 'ref_per_token_logps'] as const;
const scalars = ['temperature', 'num_items_in_batch'] as const;

function caseGraph(c: LossCase): Graph {
  const g = new Graph();
  const { T, V } = c.inputs;
  const B = c.microBatch;
  const identity = new Float32Array(V * V);
  for (let v = 0; v < V; v++) identity[v * V + v] = 1;
  const hidden = g.input('logits', [2 * B * T, V]);
  const token = (name: (typeof perToken)[number]): Tensor | undefined =>
    c.inputs[name] && g.input(name, [B, T]);
  const coefficients = Object.fromEntries(
    Object.keys(c.coefficients).map((name) => [name, g.input(name, [1, 1])]),
  ) as unknown as Coefficients;
  const head = buildHead(
    g,
    {
      hidden,
      weight: g.constant(identity, [V, V]),
      targets: g.input('completion_ids', [B * T], 'i32'),
      temperature: g.input('temperature', [1, 1]),
    },
    { B, T, views: 2, detachMaskedBranch: c.settings.detach_masked_branch },
  );
  const inputs: ObjectiveInputs = {
    ...head,
    completion_mask: token('completion_mask') as Tensor,
    old_per_token_logps: token('old_per_token_logps'),
    ref_per_token_logps: token('ref_per_token_logps'),
    advantages: g.input('advantages', [B, 1]),
    num_items_in_batch: g.input('num_items_in_batch', [1, 1]),
    coefficients,
  };
  const { loss, metrics } = buildObjective(g, inputs, c.settings);
  const [gradient] = partialGradients(g, new Map([[loss, g.scalar(1)]]), [hidden]);
  if (!gradient) throw new Error(`${c.name}: the loss does not depend on the logits`);
  g.output('loss', loss);
  g.output('gradient', gradient);
  for (const [name, tensor] of Object.entries(metrics)) g.output(name, tensor);
  return g;
}

/** Rows [start, start + microBatch) of the case's inputs. */
function feeds(c: LossCase, start: number, float64: boolean): RunInputs {
  const { T, V } = c.inputs;
  const end = start + c.microBatch;
  // The reference device computes in float64 and takes its inputs so, whatever the interface says of devices at large.
  const float = (x: ArrayLike<number>): Float32Array =>
    float64 ? (Float64Array.from(x) as unknown as Float32Array) : Float32Array.from(x);
  const rows = (x: Float64Array, width: number): Float64Array => x.subarray(start * width, end * width);
  const both = (name: 'logits' | 'logits_masked'): number[] => [...rows(c.inputs[name], T * V)];
  const inputs: RunInputs = {
    logits: float([...both('logits'), ...both('logits_masked')]),
    completion_ids: Int32Array.from(rows(c.inputs.completion_ids, T)),
    advantages: float(rows(c.inputs.advantages, 1)),
  };
  for (const name of perToken) {
    const data: LossInputs[typeof name] = c.inputs[name];
    if (data) inputs[name] = float(rows(data, T));
  }
  for (const name of scalars) inputs[name] = float([c[name]]);
  for (const [name, value] of Object.entries(c.coefficients)) inputs[name] = float([value]);
  return inputs;
}
