// Quantities of tokens [B, T], and the ways in which the objectives sum them up.
import { clamp, div, exp, lessEqual, maximum, mul, neg, scale, sub, where } from '../../ops/elementwise.ts';
import type { Graph, Tensor } from '../../ops/graph.ts';
import { sum } from '../../ops/reduce.ts';
import type { ObjectiveSettings } from '../objective.ts';

/** Of KL[π‖π'] from the log-probability of a token drawn from π; abs is the authors' fourth. */
export type Estimator = 'k1' | 'k2' | 'k3' | 'k3_paper_literal' | 'abs';

/**
 * logps, other [B, T] → an estimate of KL[π‖other] per token, with d = other − logps:
 * k3: exp(d) − d − 1; k3_paper_literal: the same with −d (what the paper prints, its expectation is another);
 * k1: −d; k2: d² / 2; abs: |d|. The authors clamp k3's d to ±20 and its value to ±10 (core_algos.py:597-601).
 */
export function divergence(
  g: Graph,
  estimator: Estimator,
  logps: Tensor,
  other: Tensor,
  objective: ObjectiveSettings['objective'],
): Tensor {
  const minus = sub(g, logps, other);
  if (estimator === 'k1') return minus;
  if (estimator === 'k2') return scale(g, mul(g, minus, minus), 0.5);
  if (estimator === 'abs') return maximum(g, minus, neg(g, minus));
  const clamped = objective === 'authors';
  let d = estimator === 'k3' ? sub(g, other, logps) : minus;
  if (clamped) d = clamp(g, d, -20, 20);
  const k3 = sub(g, sub(g, exp(g, d), d), g.scalar(1));
  return clamped ? clamp(g, k3, -10, 10) : k3;
}

/** a ≥ b as 0 or 1. */
export const notLess = (g: Graph, a: Tensor, b: Tensor): Tensor => lessEqual(g, b, a);

/** Each sums tokens [B, T] (or completions [B, 1]) to [1, 1], weighted as its term of the loss asks. */
export interface TokenWeights {
  policy(x: Tensor): Tensor;
  perception(x: Tensor): Tensor;
  entropy(x: Tensor): Tensor;
  /** For metrics: the mean over completion tokens, or over rows for [B, 1]. */
  mean(x: Tensor): Tensor;
}

/**
 * The authors divide by count + 1e-8 (torch_functional.py:72-74). The count is a float32 there, so that the sum is the
 * count itself, except where that is 0.
 */
const authorsCount = (g: Graph, count: Tensor): Tensor => maximum(g, count, g.scalar(1e-8));

export function tokenWeights(
  g: Graph,
  mask: Tensor,
  numItemsInBatch: Tensor,
  settings: ObjectiveSettings,
): TokenWeights {
  const [B, T] = mask.shape;
  const { objective, loss_type, loss_avg_mode, gradient_accumulation_steps: accumulation } = settings;
  const zero = g.scalar(0);
  const count = sum(g, mask);
  const lengths = sum(g, mask, 1);
  const weighted = (weights: Tensor) => (x: Tensor) => sum(g, mul(g, x, weights));
  const atLeastOne = (x: Tensor): Tensor => maximum(g, x, g.scalar(1));

  const inverseCount = div(g, g.scalar(1), atLeastOne(count));
  const mean = (x: Tensor): Tensor =>
    x.shape[1] === 1 && (T !== 1 || objective === 'trl')
      ? scale(g, sum(g, x), 1 / B)
      : mul(g, sum(g, where(g, mask, x, zero)), inverseCount);

  if (objective === 'authors') {
    const byToken = weighted(div(g, mask, scale(g, authorsCount(g, count), accumulation)));
    if (loss_avg_mode === 'token') return { policy: byToken, perception: byToken, entropy: byToken, mean };
    const byRow = weighted(div(g, mask, scale(g, authorsCount(g, lengths), B * accumulation)));
    return { policy: byRow, perception: byRow, entropy: byToken, mean };
  }
  const divisor = loss_type === 'dapo' ? numItemsInBatch : scale(g, atLeastOne(lengths), B * accumulation);
  const policy = weighted(div(g, mask, divisor));
  if (objective === 'paper') return { policy, perception: policy, entropy: policy, mean };
  const plain = (x: Tensor): Tensor => scale(g, sum(g, x), 1 / (B * T));
  return { policy, perception: plain, entropy: plain, mean };
}
