// From hidden states of both views to the [B, T] tensors that the objective reads.
import { where } from '../../ops/elementwise.ts';
import { gather } from '../../ops/gather.ts';
import type { Graph, Tensor } from '../../ops/graph.ts';
import { head } from '../../ops/head.ts';
import { detach, reshape } from '../../ops/reshape.ts';
import type { ObjectiveInputs } from '../objective.ts';

export interface HeadInputs {
  /** [views · B · T, d]: the rows that predict the completions' tokens; the original view first. */
  hidden: Tensor;
  /** [V, d] */
  weight: Tensor;
  /** i32 [B · T] */
  targets: Tensor;
  /** [1, 1] */
  temperature: Tensor;
}

export interface HeadShape {
  readonly B: number;
  readonly T: number;
  readonly views: 1 | 2;
  readonly detachMaskedBranch: boolean;
  /** See HeadAttributes. */
  readonly chunkBytes?: number;
}

export type HeadOutputs = Pick<
  ObjectiveInputs,
  'per_token_logps' | 'entropy' | 'per_token_logps_masked' | 'entropy_masked' | 'kl_exact'
>;

/**
 * The head over one or two views of B completions of T tokens. With detachMaskedBranch no gradient goes into the
 * masked view's rows, not through the exact KL either (which the objective alone could not see to).
 */
export function buildHead(
  g: Graph,
  inputs: HeadInputs,
  { B, T, views, detachMaskedBranch, chunkBytes }: HeadShape,
): HeadOutputs {
  const { weight, targets, temperature } = inputs;
  const N = B * T;
  let { hidden } = inputs;
  if (views === 2 && detachMaskedBranch) {
    const original = Float32Array.from({ length: 2 * N }, (_, row) => (row < N ? 1 : 0));
    hidden = where(g, g.constant(original, [2 * N, 1], 'original rows'), hidden, detach(g, hidden));
  }
  const { logps, entropy, kl } = head(g, hidden, weight, targets, temperature, views, chunkBytes);
  const view = (x: Tensor, k: number): Tensor => {
    const row =
      views === 1 ? x : gather(g, reshape(g, x, [2, N]), g.constant(Int32Array.of(k), [1], `view ${k}`));
    return reshape(g, row, [B, T]);
  };
  if (views === 1) return { per_token_logps: view(logps, 0), entropy: view(entropy, 0) };
  return {
    per_token_logps: view(logps, 0),
    entropy: view(entropy, 0),
    per_token_logps_masked: view(logps, 1),
    entropy_masked: view(entropy, 1),
    kl_exact: reshape(g, kl, [B, T]),
  };
}
