/** A generation batch: prompts, their completions, rewards, advantages and masked views. */
import type { Dataset, Row } from '../data/dataset.ts';
import type { RasterImage } from '../data/raster.ts';
import { UserError } from '../errors.ts';
import { type PolicyPrompt, roundUp } from '../policy/layout.ts';
import type { Completions, Policy } from '../policy/policy.ts';
import type { RewardFailure } from '../rewards/guard.ts';
import type { RewardArgs } from '../rewards/rewards.ts';
import { type GroupAdvantages, groupAdvantages, type Reward } from './advantages.ts';
import { type BatchPlan, microBatches, shuffleCompletions } from './batches.ts';
import type { ResolvedConfig } from './config.ts';
import { maskRandom } from './masked-image.ts';
import { maskedView } from './masked-view.ts';
import { Purpose, RandomStream, uniform } from './random.ts';
import { drawInformativeGroups } from './sampling.ts';
import { completionMetrics, diagnosisMetrics } from './step-metrics.ts';

export interface GenerationOptions {
  readonly policy: Policy;
  /** By name; the names are those of the metrics `rewards/<name>/mean`. */
  readonly rewards: RewardScorer;
  /** Prompts rolled out at a time; default: all of a generation. */
  readonly promptsPerRun?: number;
}

/** What the reward functions make of completions; see RewardGuard. */
export interface RewardScorer {
  readonly names: readonly string[];
  compute(args: RewardArgs): Promise<{
    readonly rewards: Readonly<Record<string, readonly Reward[]>>;
    readonly failures: readonly RewardFailure[];
    readonly wholeStepFailed: boolean;
  }>;
}

/** Throws a UserError where there is no reward function, or reward_weights has not one number for each. */
export function checkRewards(
  names: readonly string[],
  { reward_weights }: Pick<ResolvedConfig, 'reward_weights'>,
): void {
  const functions = names.length;
  if (functions === 0) throw new UserError('reward_funcs: at least one is needed');
  const weights = reward_weights?.length ?? functions;
  if (weights !== functions)
    throw new UserError(
      `reward_weights: expected ${functions}, one per reward function (${names.join(', ')}), got ${weights}`,
    );
}

/** What cannot be computed again once the weights have moved: together with the settings it gives the Generation. */
export interface Rollout {
  /** Number of the generation, from 0. */
  readonly index: number;
  /** Numbers of the prompts that were kept, and how many were drawn. */
  readonly prompts: number[];
  readonly drawn: number;
  /** Draws after the first (dynamic sampling). */
  readonly retries: number;
  /** [P · G, T], padded behind the end token. */
  readonly ids: Int32Array;
  /** [P · G][functions] */
  readonly rewards: Reward[][];
  readonly failures: readonly RewardFailure[];
  readonly rewardsFailed: boolean;
  /** [P, patches]: attention that each patch receives, where mask_type is semantic. */
  readonly saliency?: Float32Array;
  /** The sampling temperature: log-probs of these completions are always taken at it. */
  readonly temperature: number;
  /** By micro-batch, [B, T] each: π_old, the reference, and π_old on the masked images (see Trainer.scoresMasked). */
  readonly oldLogps: Map<number, Float32Array>;
  readonly refLogps: Map<number, Float32Array>;
  readonly maskedLogps: Map<number, Float32Array>;
}

/** Everything that the micro-batches of a generation need, completion by completion. */
export interface Generation extends Rollout {
  readonly rows: Row[];
  readonly inputs: PolicyPrompt[];
  readonly maskedInputs: PolicyPrompt[];
  readonly masked: RasterImage[];
  readonly completions: Completions;
  readonly advantages: GroupAdvantages;
  /** [n][T] */
  readonly completionMask: Float32Array;
  readonly prefixLength: number;
  /** Completion numbers of each micro-batch. */
  readonly microBatches: number[][];
  readonly metrics: Record<string, number>;
}

/** Prompts as the data have them, and as the policy takes them. */
export interface Prompts {
  readonly rows: Row[];
  readonly inputs: PolicyPrompt[];
}

export async function readPrompts(policy: Policy, dataset: Dataset, numbers: number[]): Promise<Prompts> {
  const { preparation } = policy;
  const rows = await Promise.all(
    numbers.map(async (n) => {
      const row = await dataset.row(n, preparation);
      return { ...row, image: preparation.prepare(row.image) };
    }),
  );
  return { rows, inputs: rows.map((row) => policy.prompt(row.prompt, row.image)) };
}

/** Draws prompts from number `first` on, writes G completions of each, and has them rewarded. */
export async function rollOut(
  { policy, rewards: scorer, promptsPerRun }: GenerationOptions,
  config: ResolvedConfig,
  plan: BatchPlan,
  index: number,
  dataset: Dataset,
  first: number,
): Promise<Prompts & { rollout: Rollout }> {
  const { num_generations: G, max_completion_length: T } = config;
  const wanted = plan.promptsPerGeneration;
  const failures: RewardFailure[] = [];
  let rewardsFailed = true;
  let next = first;
  const drawGroups = async (attempt: number) => {
    const numbers = Array.from({ length: wanted }, () => next++);
    const { rows, inputs } = await readPrompts(policy, dataset, numbers);
    const completions = await policy.generate(inputs, {
      group: G,
      maxTokens: T,
      temperature: config.temperature,
      topK: config.top_k,
      topP: config.top_p,
      minP: config.min_p ?? 0,
      uniform: (t, n) => uniform(config.seed, Purpose.sampling, index, attempt, t, n),
      padToMultipleOf: config.pad_to_multiple_of ?? undefined,
      promptsPerRun,
    });
    const scored = await scorer.compute(rewardArgs(rows, completions, G));
    failures.push(...scored.failures);
    rewardsFailed &&= scored.wholeStepFailed;
    return numbers.map((number, p) => {
      const own = Array.from({ length: G }, (_, k) => p * G + k);
      return {
        number,
        row: rows[p],
        input: inputs[p],
        ids: completions.ids.subarray(p * G * T, (p + 1) * G * T),
        rewards: own.map((n) => scorer.names.map((name) => scored.rewards[name][n])),
      };
    });
  };
  const total = (r: Reward[]) => weightedSum(r, config.reward_weights);
  const drawn = config.dynamic_sampling
    ? await drawInformativeGroups(
        drawGroups,
        (g) => g.rewards.map(total),
        wanted,
        config.max_resample_attempts,
      )
    : { groups: await drawGroups(0), retries: 0 };
  const { groups, retries } = drawn;
  const ids = new Int32Array(groups.length * G * T);
  groups.forEach((g, p) => {
    ids.set(g.ids, p * G * T);
  });
  const inputs = groups.map((g) => g.input);
  const saliency =
    config.mask_type === 'semantic'
      ? await policy.saliency(
          inputs.map((i) => i.pixelValues),
          promptsPerRun,
        )
      : undefined;
  const rollout: Rollout = {
    index,
    prompts: groups.map((g) => g.number),
    drawn: next - first,
    retries,
    ids,
    rewards: groups.flatMap((g) => g.rewards),
    failures,
    rewardsFailed,
    saliency,
    temperature: config.temperature,
    oldLogps: new Map(),
    refLogps: new Map(),
    maskedLogps: new Map(),
  };
  return { rollout, rows: groups.map((g) => g.row), inputs };
}

/**
 * What follows from a rollout: advantages, masked images, micro-batches; the same for a rollout read from a checkpoint.
 * `unit`: completions of one prompt that stay together when micro-batches are shuffled.
 */
export function toGeneration(
  { policy, rewards: scorer }: GenerationOptions,
  config: ResolvedConfig,
  plan: BatchPlan,
  unit: number,
  rollout: Rollout,
  { rows, inputs }: Prompts,
): Generation {
  const { index } = rollout;
  const completions = policy.readCompletions(rollout.ids, config.max_completion_length);
  const advantages = groupAdvantages(rollout.rewards, scorer.names, config);
  const { masked, inputs: maskedInputs } = maskImages(policy, rows, inputs, rollout, config);
  const random = new RandomStream(config.seed, Purpose.shuffle, index);
  const order = shuffleCompletions(completions.texts.length, unit, () => random.next());
  const longest = inputs.reduce((most, input) => Math.max(most, input.ids.length), 0);
  return {
    ...rollout,
    rows,
    inputs,
    maskedInputs,
    masked,
    completions,
    advantages,
    completionMask: completionMask(completions, config.mask_truncated_completions),
    prefixLength: roundUp(longest, config.pad_to_multiple_of ?? 8),
    // Without several micro-batches the order is of no consequence; then groups stay as they were drawn.
    microBatches: microBatches(plan, plan.stepsPerGeneration > 1 ? order : order.map((_, i) => i)),
    metrics: {
      ...advantages.metrics,
      ...completionMetrics(completions),
      ...diagnosisMetrics(completions.texts, rows, config.num_generations),
      ...(config.dynamic_sampling && {
        'dynamic_sampling/retries': rollout.retries,
        'dynamic_sampling/drawn': rollout.drawn,
      }),
    },
  };
}

/** The reward functions' arguments: a prompt's columns once for each of its completions. */
export function rewardArgs(
  rows: readonly Row[],
  completions: Pick<Completions, 'texts'>,
  G: number,
): RewardArgs {
  const repeated = completions.texts.map((_, n) => rows[Math.floor(n / G)]);
  const names = new Set(rows.flatMap((row) => Object.keys(row.columns)));
  return {
    ...Object.fromEntries([...names].map((name) => [name, repeated.map((row) => row.columns[name] ?? null)])),
    prompts: repeated.map((row) => row.prompt),
    completions: completions.texts,
    answer: repeated.map((row) => row.answer),
  };
}

/** The masked view of each prompt's image: one mask a prompt, shared by its group. */
function maskImages(
  policy: Policy,
  rows: Row[],
  inputs: PolicyPrompt[],
  { index, saliency }: Rollout,
  config: ResolvedConfig,
) {
  const patches = saliency ? saliency.length / inputs.length : 0;
  const views = rows.map(({ image }, p) => {
    const random = maskRandom(config.seed, { generation: index, index: p });
    const own = saliency?.subarray(p * patches, (p + 1) * patches);
    const { masked, pixelValues } = maskedView(policy, image, config, own, random);
    return { masked, input: { ...inputs[p], pixelValues } };
  });
  return { masked: views.map((v) => v.masked), inputs: views.map((v) => v.input) };
}

/** 1 for every token up to and with the end token; all 0 for a truncated completion where those are left out. */
function completionMask({ ids, lengths, terminated }: Completions, dropTruncated: boolean): Float32Array {
  const T = ids.length / lengths.length;
  return Float32Array.from(ids, (_, i) => {
    const n = Math.floor(i / T);
    return i % T < lengths[n] && (terminated[n] || !dropTruncated) ? 1 : 0;
  });
}

function weightedSum(rewards: readonly Reward[], weights: readonly number[] | null): Reward {
  const known = rewards
    .map((r, i) => (r === null ? null : r * (weights?.[i] ?? 1)))
    .filter((r) => r !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
}
