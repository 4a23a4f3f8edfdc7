// From rewards to advantages, and the reward metrics, as TRL (trl/trainer/grpo_trainer.py at 2d4da7103,
// lines 2405-2482) and the authors (verl/trainer/core_algos.py:167-209) compute them.

import type { Settings } from './settings.ts';

/** What a reward function gives for one completion; null = it has no opinion. */
export type Reward = number | null;

export interface AdvantageSettings
  extends Pick<
    Settings,
    | 'num_generations'
    | 'scale_rewards'
    | 'multi_objective_aggregation'
    | 'reward_weights'
    | 'advantage_epsilon'
  > {}

/** Of n completions: */
export interface GroupAdvantages {
  /** [n]; 0 where a completion could not be scored. */
  advantages: Float64Array;
  /** [n]: the weighted sum of the rewards; NaN where no function gave one. */
  rewards: Float64Array;
  /** [n]: the standard deviation that was divided by, or would have been with scale_rewards none. */
  stdRewards: Float64Array;
  /** [n]: that standard deviation is 0 (up to 1e-8). */
  isStdZero: boolean[];
  /** TRL's names: reward, reward_std, frac_reward_zero_std, rewards/<function>/mean and /std. */
  metrics: Record<string, number>;
}

const known = (values: Float64Array): Float64Array => values.filter((value) => !Number.isNaN(value));

/** [n] → the mean of what is not NaN; NaN where nothing is left. */
export function nanMean(values: Float64Array): number {
  const left = known(values);
  return left.reduce((sum, value) => sum + value, 0) / left.length;
}

/**
 * [n] → the unbiased standard deviation of what is not NaN; NaN of fewer than two. TRL's nanstd computes Bessel's
 * n / (n − 1) in float32 whatever the data are: so do we, to give the same digits.
 */
export function nanStd(values: Float64Array): number {
  const left = known(values);
  if (left.length < 2) return Number.NaN;
  const mean = nanMean(left);
  const variance = nanMean(left.map((value) => (value - mean) ** 2));
  return Math.sqrt(variance * Math.fround(left.length / (left.length - 1)));
}

/** rewards [n][functions] times weights → [n], nulls left out, NaN where all are null. */
function weightedSums(
  rewards: readonly Float64Array[],
  weights: Float64Array,
  unscorable: boolean[],
): Float64Array {
  return Float64Array.from(rewards, (row, i) => {
    if (unscorable[i]) return Number.NaN;
    let sum = 0;
    for (let k = 0; k < row.length; k++) if (!Number.isNaN(row[k])) sum += row[k] * weights[k];
    return sum;
  });
}

/** [n] → the same per-group number repeated for each member; groups are `size` consecutive entries. */
function perGroup(values: Float64Array, size: number, reduce: (group: Float64Array) => number): Float64Array {
  const out = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += size) {
    out.fill(reduce(values.subarray(start, start + size)), start, start + size);
  }
  return out;
}

function check(
  rewards: readonly (readonly Reward[])[],
  names: readonly string[],
  settings: AdvantageSettings,
): void {
  const { num_generations: size, reward_weights: weights } = settings;
  if (rewards.length === 0 || rewards.length % size !== 0) {
    throw new RangeError(
      `groupAdvantages: ${rewards.length} completions do not make whole groups of ${size}`,
    );
  }
  const ragged = rewards.findIndex((row) => row.length !== names.length);
  if (ragged >= 0) {
    throw new RangeError(
      `groupAdvantages: completion ${ragged} has ${rewards[ragged].length} rewards, there are ${names.length} functions`,
    );
  }
  if (weights !== null && weights.length !== names.length) {
    throw new RangeError(
      `groupAdvantages: reward_weights has ${weights.length} entries, there are ${names.length} reward functions`,
    );
  }
}

/**
 * rewards [n][functions], n = groups × num_generations and a group's completions consecutive; names [functions].
 * Throws a RangeError where these do not fit together.
 *
 * sum_then_normalize: A = R − mean of the group, over (std + ε) of the group or the batch, or not scaled.
 * normalize_then_sum: each function's rewards are normalised in the group, weighted and summed, and the sums are
 * normalised over the batch; scale_rewards plays no part.
 */
export function groupAdvantages(
  rewards: readonly (readonly Reward[])[],
  names: readonly string[],
  settings: AdvantageSettings,
): GroupAdvantages {
  check(rewards, names, settings);
  const { num_generations: size, scale_rewards: scale, advantage_epsilon: epsilon } = settings;
  const n = rewards.length;
  // TRL holds the weights in a float32 tensor.
  const weights = Float64Array.from(names, (_, k) => Math.fround(settings.reward_weights?.[k] ?? 1));
  const rows = rewards.map((row) => Float64Array.from(row, (value) => value ?? Number.NaN));
  const columns = names.map((_, k) => Float64Array.from(rows, (row) => row[k]));
  const unscorable = rows.map((row) => row.every(Number.isNaN));
  const sums = weightedSums(rows, weights, unscorable);

  let stdRewards: Float64Array;
  let advantages: Float64Array;
  if (settings.multi_objective_aggregation === 'sum_then_normalize') {
    const means = perGroup(sums, size, nanMean);
    stdRewards = scale === 'batch' ? new Float64Array(n).fill(nanStd(sums)) : perGroup(sums, size, nanStd);
    advantages = sums.map((sum, i) => (sum - means[i]) / (scale === 'none' ? 1 : stdRewards[i] + epsilon));
  } else {
    const normalised = columns.map((column) => {
      const means = perGroup(column, size, nanMean);
      const stds = perGroup(column, size, nanStd);
      return column.map((value, i) => (value - means[i]) / (stds[i] + epsilon));
    });
    const normalisedRows = rows.map((_, i) => Float64Array.from(normalised, (column) => column[i]));
    const totals = weightedSums(normalisedRows, weights, unscorable);
    const mean = nanMean(totals);
    stdRewards = new Float64Array(n).fill(nanStd(totals));
    advantages = totals.map((total, i) => (total - mean) / (stdRewards[i] + epsilon));
  }
  // No reward, or a group with a single one (its deviation is NaN): no learning signal.
  advantages = advantages.map((value) => (Number.isNaN(value) ? 0 : value));

  const isStdZero = Array.from(stdRewards, (std) => Math.abs(std) <= 1e-8);
  const metrics: Record<string, number> = {};
  names.forEach((name, k) => {
    metrics[`rewards/${name}/mean`] = nanMean(columns[k]);
    metrics[`rewards/${name}/std`] = nanStd(columns[k]);
  });
  metrics.reward = nanMean(sums);
  metrics.reward_std = nanStd(sums);
  metrics.frac_reward_zero_std = Math.fround(isStdZero.filter(Boolean).length / n);
  return { advantages, rewards: sums, stdRewards, isStdZero, metrics };
}

/**
 * The authors' advantages: scores [n], group [n] (any ids, groups of two or more) → [n], (score − mean) / (std + ε)
 * with the unbiased standard deviation. Throws a RangeError for a group of one.
 */
export function authorsAdvantages(
  scores: readonly number[],
  group: readonly (number | string)[],
  epsilon = 1e-6,
): Float64Array {
  const members = new Map<number | string, number[]>();
  scores.forEach((score, i) => {
    const list = members.get(group[i]);
    if (list) list.push(score);
    else members.set(group[i], [score]);
  });
  const moments = new Map<number | string, { mean: number; std: number }>();
  for (const [id, list] of members) {
    if (list.length < 2) throw new RangeError(`authorsAdvantages: group ${id} has a single completion`);
    const mean = list.reduce((sum, score) => sum + score, 0) / list.length;
    const squares = list.reduce((sum, score) => sum + (score - mean) ** 2, 0);
    moments.set(id, { mean, std: Math.sqrt(squares / (list.length - 1)) });
  }
  return Float64Array.from(scores, (score, i) => {
    const { mean, std } = moments.get(group[i])!;
    return (score - mean) / (std + epsilon);
  });
}
