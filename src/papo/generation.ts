/** A generation batch: prompts, their completions, rewards, advantages and masked views. */
import type { Example } from '../data/examples.ts';
import type { RasterImage } from '../data/raster.ts';
import { type PolicyPrompt, roundUp } from '../policy/layout.ts';
import type { Completions, Policy } from '../policy/policy.ts';
import { computeRewards, type RewardFunction } from '../rewards/rewards.ts';
import { type GroupAdvantages, groupAdvantages, type Reward } from './advantages.ts';
import { type BatchPlan, microBatches, shuffleCompletions } from './batches.ts';
import type { ResolvedConfig } from './config.ts';
import { applyMask, applyMaskNormalised, makeMask } from './masks.ts';
import { Purpose, RandomStream, uniform } from './random.ts';
import { drawInformativeGroups } from './sampling.ts';
import { completionMetrics, diagnosisMetrics } from './step-metrics.ts';

export interface GenerationOptions {
  readonly policy: Policy;
  /** By name; the names are those of the metrics `rewards/<name>/mean`. */
  readonly reward_funcs: Readonly<Record<string, RewardFunction>>;
}

/** Everything that the micro-batches of a generation need, completion by completion. */
export interface Generation {
  readonly examples: Example[];
  readonly prompts: PolicyPrompt[];
  readonly maskedPrompts: PolicyPrompt[];
  readonly masked: RasterImage[];
  readonly completions: Completions;
  readonly rewards: Reward[][];
  readonly advantages: GroupAdvantages;
  /** [n][T] */
  readonly completionMask: Float32Array;
  readonly prefixLength: number;
  /** Completion numbers of each micro-batch. */
  readonly microBatches: number[][];
  /** The sampling temperature: log-probs of these completions are always taken at it. */
  readonly temperature: number;
  /** By micro-batch, [B, T] each: π_old, the reference, and π_old on the masked images (see scoresMasked). */
  readonly oldLogps: Map<number, Float32Array>;
  readonly refLogps: Map<number, Float32Array>;
  readonly maskedLogps: Map<number, Float32Array>;
  readonly metrics: Record<string, number>;
}

/**
 * Rollouts of generation `index` with rewards, advantages and masked images. `unit`: completions of one prompt that
 * stay together when micro-batches are shuffled. `draw` gives the next training example.
 */
export async function generate(
  { policy, reward_funcs }: Pick<GenerationOptions, 'policy' | 'reward_funcs'>,
  config: ResolvedConfig,
  plan: BatchPlan,
  unit: number,
  index: number,
  draw: () => Example,
): Promise<Generation> {
  const G = config.num_generations;
  const wanted = plan.promptsPerGeneration;
  const drawGroups = async (attempt: number) => {
    const examples = Array.from({ length: wanted }, draw);
    const prompts = examples.map((e) => policy.prompt(e.prompt, e.image));
    const completions = await policy.generate(prompts, {
      group: G,
      maxTokens: config.max_completion_length,
      temperature: config.temperature,
      topK: config.top_k,
      topP: config.top_p,
      minP: config.min_p ?? 0,
      uniform: (t, n) => uniform(config.seed, Purpose.sampling, index, attempt, t, n),
      padToMultipleOf: config.pad_to_multiple_of ?? undefined,
    });
    const rewards = await reward(reward_funcs, examples, completions, G);
    return examples.map((example, p) => ({
      example,
      prompt: prompts[p],
      rows: Array.from({ length: G }, (_, k) => row(completions, p * G + k, config.max_completion_length)),
      rewards: rewards.slice(p * G, (p + 1) * G),
    }));
  };
  const total = (r: Reward[]) => weightedSum(r, config.reward_weights);
  const drawn = config.dynamic_sampling
    ? await drawInformativeGroups(
        drawGroups,
        (g) => g.rewards.map(total),
        wanted,
        config.max_resample_attempts,
      )
    : { groups: await drawGroups(0), retries: 0, drawn: wanted };

  const { groups } = drawn;
  const examples = groups.map((g) => g.example);
  const completions = joinRows(
    policy,
    groups.flatMap((g) => g.rows),
  );
  const rewards = groups.flatMap((g) => g.rewards);
  const names = Object.keys(reward_funcs);
  const advantages = groupAdvantages(rewards, names, config);
  const { masked, prompts: maskedPrompts } = await maskImages(
    policy,
    examples,
    groups.map((g) => g.prompt),
    index,
    config,
  );
  const random = new RandomStream(config.seed, Purpose.shuffle, index);
  const order = shuffleCompletions(completions.texts.length, unit, () => random.next());
  const longest = Math.max(...groups.map((g) => g.prompt.ids.length));
  return {
    examples,
    prompts: groups.map((g) => g.prompt),
    maskedPrompts,
    masked,
    completions,
    rewards,
    advantages,
    completionMask: completionMask(completions, config.mask_truncated_completions),
    prefixLength: roundUp(longest, config.pad_to_multiple_of ?? 8),
    // Without several micro-batches the order is of no consequence; then groups stay as they were drawn.
    microBatches: microBatches(plan, plan.stepsPerGeneration > 1 ? order : order.map((_, i) => i)),
    temperature: config.temperature,
    oldLogps: new Map(),
    refLogps: new Map(),
    maskedLogps: new Map(),
    metrics: {
      ...advantages.metrics,
      ...completionMetrics(completions),
      ...diagnosisMetrics(completions.texts, examples, G),
      ...(config.dynamic_sampling && {
        'dynamic_sampling/retries': drawn.retries,
        'dynamic_sampling/drawn': drawn.drawn,
      }),
    },
  };
}

async function reward(
  reward_funcs: GenerationOptions['reward_funcs'],
  examples: Example[],
  completions: Completions,
  G: number,
): Promise<Reward[][]> {
  const repeated = completions.texts.map((_, n) => examples[Math.floor(n / G)]);
  const args = {
    prompts: repeated.map((e) => e.prompt),
    completions: completions.texts,
    answer: repeated.map((e) => e.answer),
    kind: repeated.map((e) => e.kind),
    vision_dependency: repeated.map((e) => e.vision_dependency),
  };
  const columns = await Promise.all(
    Object.entries(reward_funcs).map(([name, f]) => computeRewards(name, f, args)),
  );
  return completions.texts.map((_, n) => columns.map((c) => c[n]));
}

/** The masked view of each prompt's image: one mask a prompt, shared by its group. */
async function maskImages(
  policy: Policy,
  examples: Example[],
  prompts: PolicyPrompt[],
  index: number,
  config: ResolvedConfig,
) {
  const semantic = config.mask_type === 'semantic';
  const saliency = semantic ? await policy.saliency(prompts.map((p) => p.pixelValues)) : undefined;
  const patches = saliency ? saliency.length / prompts.length : 0;
  const { image_mean = [0.5, 0.5, 0.5], image_std = [0.5, 0.5, 0.5] } = policy.imageProcessor;
  const views = examples.map(({ image }, p) => {
    const random = new RandomStream(config.seed, Purpose.mask, index, p);
    const options = {
      width: image.width,
      height: image.height,
      ratio: config.mask_ratio,
      patchSize: semantic ? policy.config.vision.patchSize : config.mask_patch_size,
      saliency: saliency?.subarray(p * patches, (p + 1) * patches),
    };
    const mask = makeMask(config.mask_type, options, () => random.next());
    const mean = image_mean.map((m) => 255 * m) as [number, number, number];
    const masked = applyMask(image, mask, mean);
    const pixelValues =
      mask.fill === 'black'
        ? policy.pixels(masked)
        : applyMaskNormalised(policy.pixels(image), mask, image_mean, image_std);
    return { masked, prompt: { ids: prompts[p].ids, pixelValues } };
  });
  return { masked: views.map((v) => v.masked), prompts: views.map((v) => v.prompt) };
}

const row = (completions: Completions, n: number, T: number) => completions.ids.subarray(n * T, (n + 1) * T);

function joinRows(policy: Policy, rows: Int32Array[]): Completions {
  const T = rows[0].length;
  const ids = new Int32Array(rows.length * T);
  rows.forEach((r, i) => {
    ids.set(r, i * T);
  });
  return policy.readCompletions(ids, T);
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
