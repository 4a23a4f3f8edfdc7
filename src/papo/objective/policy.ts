// The policy term of a token: the clipped ratio times the advantage, negated.
import { clamp, div, exp, less, maximum, minimum, mul, neg, scale, where } from '../../ops/elementwise.ts';
import type { Graph, Tensor } from '../../ops/graph.ts';
import { sum } from '../../ops/reduce.ts';
import type { ObjectiveSettings } from '../objective.ts';

export interface Policy {
  /** To be minimised, [B, T], or [B, 1] at sequence level. */
  perToken: Tensor;
  /** π / π_old as the clip metrics see it: TRL's coef_1, already bounded by delta. */
  ratio: Tensor;
  /** What else its source logs, per token. */
  metrics: Record<string, Tensor>;
}

/** log(π / π_old) [B, T] → itself, or its mean over each completion [B, 1] at sequence level (GSPO). */
export function logWeights(g: Graph, logRatio: Tensor, mask: Tensor, settings: ObjectiveSettings): Tensor {
  if (settings.importance_sampling_level === 'token') return logRatio;
  const lengths = maximum(g, sum(g, mask, 1), g.scalar(1));
  return div(g, sum(g, mul(g, logRatio, mask), 1), lengths);
}

/** −min(r A, clip(r) A), r bounded by delta; for A < 0 at most −dual_clip · A. advantages [B, 1]. */
export function clippedPolicy(
  g: Graph,
  logWeight: Tensor,
  advantages: Tensor,
  { epsilon, epsilon_high, delta, dual_clip }: ObjectiveSettings,
): Policy {
  const unbounded = exp(g, logWeight);
  const clipped = clamp(g, unbounded, 1 - epsilon, 1 + epsilon_high);
  const ratio = delta === null ? unbounded : minimum(g, unbounded, g.scalar(delta));
  const perToken = neg(g, minimum(g, mul(g, ratio, advantages), mul(g, clipped, advantages)));
  return { perToken: dualClip(g, perToken, advantages, dual_clip), ratio, metrics: {} };
}

/** The authors clamp the log-ratio to ±20 (core_algos.py:496). */
export const clampLogRatios = (g: Graph, logRatio: Tensor): Tensor => clamp(g, logRatio, -20, 20);

/** The same in log space with a dual clip, and the authors' own metrics (core_algos.py:494-521). */
export function authorsPolicy(
  g: Graph,
  logRatio: Tensor,
  advantages: Tensor,
  { epsilon, epsilon_high, dual_clip }: ObjectiveSettings,
): Policy {
  const ratio = exp(g, logRatio);
  const clipped = exp(g, clamp(g, logRatio, Math.log(1 - epsilon), Math.log(1 + epsilon_high)));
  const minusA = neg(g, advantages);
  const [plain, bounded] = [mul(g, minusA, ratio), mul(g, minusA, clipped)];
  const higher = maximum(g, plain, bounded);
  const metrics: Record<string, Tensor> = {
    pg_clipfrac_higher: less(g, plain, bounded),
    ppo_kl: neg(g, logRatio),
  };
  if (dual_clip !== null)
    metrics.pg_clipfrac_lower = mul(
      g,
      less(g, scale(g, minusA, dual_clip), higher),
      less(g, advantages, g.scalar(0)),
    );
  return { perToken: dualClip(g, higher, advantages, dual_clip), ratio, metrics };
}

function dualClip(g: Graph, loss: Tensor, advantages: Tensor, dual: number | null): Tensor {
  if (dual === null) return loss;
  const bound = minimum(g, loss, scale(g, advantages, -dual));
  return where(g, less(g, advantages, g.scalar(0)), bound, loss);
}
