// The bookkeeping of TRL's batches: which prompts are generated together, which completions make a micro-step, when
// the weights move, and what a loss is divided by.
//
// A micro-step is one forward and backward pass over per_device_train_batch_size completions.
// gradient_accumulation_steps of them make an update. steps_per_generation of them use up a generation batch,
// num_iterations times over (trl/trainer/grpo_trainer.py:1071-1107, 1337-1366; grpo_config.py:1049-1090).

import type { Settings } from './settings.ts';

export interface BatchSettings
  extends Pick<
    Settings,
    'per_device_train_batch_size' | 'gradient_accumulation_steps' | 'num_generations' | 'num_iterations'
  > {
  steps_per_generation: number;
}

export interface BatchPlan {
  /** Completions in a micro-step. */
  microBatchSize: number;
  /** Completions, and prompts, generated at once. */
  completionsPerGeneration: number;
  promptsPerGeneration: number;
  /** Micro-batches that a generation batch is cut into. */
  stepsPerGeneration: number;
  /** Micro-steps from one generation to the next: stepsPerGeneration × num_iterations. */
  generateEvery: number;
  /** Micro-steps in an update. */
  stepsPerUpdate: number;
  /**
   * The policy that generated may be older than the one trained, so its log-probs must be kept. Otherwise every
   * completion is used once, by the very weights that made it: the ratio is 1 and old log-probs are the current
   * ones (TRL's rule, grpo_trainer.py:2293-2308).
   */
  needsOldLogps: boolean;
}

/** Throws a RangeError where a generation batch does not hold whole groups. */
export function planBatches(settings: BatchSettings): BatchPlan {
  const { per_device_train_batch_size: size, steps_per_generation: steps, num_generations: group } = settings;
  const completions = size * steps;
  if (completions % group !== 0) {
    throw new RangeError(`planBatches: ${completions} completions do not make whole groups of ${group}`);
  }
  const generateEvery = steps * settings.num_iterations;
  return {
    microBatchSize: size,
    completionsPerGeneration: completions,
    promptsPerGeneration: completions / group,
    stepsPerGeneration: steps,
    generateEvery,
    stepsPerUpdate: settings.gradient_accumulation_steps,
    needsOldLogps: settings.gradient_accumulation_steps % generateEvery !== 0,
  };
}

export interface MicroStep {
  /** Generate before this one. */
  generates: boolean;
  /** Number of the generation batch it uses, and of the pass over it. */
  generation: number;
  iteration: number;
  /** Which of the generation's micro-batches it uses. */
  microBatch: number;
  /** Number of the update it belongs to, and whether the weights move after it. */
  update: number;
  updates: boolean;
}

/** What happens in micro-step `step`, counted from 0 over the run. */
export function microStep(plan: BatchPlan, step: number): MicroStep {
  const within = step % plan.generateEvery;
  return {
    generates: within === 0,
    generation: Math.floor(step / plan.generateEvery),
    iteration: Math.floor(within / plan.stepsPerGeneration),
    microBatch: within % plan.stepsPerGeneration,
    update: Math.floor(step / plan.stepsPerUpdate),
    updates: (step + 1) % plan.stepsPerUpdate === 0,
  };
}

function shuffled(n: number, random: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * The generation batch in a random order: completion i belongs to prompt floor(i / num_generations). TRL shuffles
 * single completions (unit 1); with unit = num_generations whole groups move, so that a micro-batch keeps its
 * shared prefixes. Advantages are computed before, on whole groups, and move along.
 */
export function shuffleCompletions(count: number, unit: number, random: () => number): number[] {
  if (count % unit !== 0) throw new RangeError(`shuffleCompletions: ${count} completions, units of ${unit}`);
  return shuffled(count / unit, random).flatMap((u) => Array.from({ length: unit }, (_, k) => u * unit + k));
}

/** order [completionsPerGeneration] → [stepsPerGeneration][microBatchSize], consecutive pieces. */
export function microBatches(plan: BatchPlan, order: readonly number[]): number[][] {
  if (order.length !== plan.completionsPerGeneration) {
    throw new RangeError(
      `microBatches: expected ${plan.completionsPerGeneration} completions, got ${order.length}`,
    );
  }
  return Array.from({ length: plan.stepsPerGeneration }, (_, s) =>
    order.slice(s * plan.microBatchSize, (s + 1) * plan.microBatchSize),
  );
}

/**
 * num_items_in_batch, what loss_type dapo divides the sum over tokens by: the tokens of all micro-batches of the
 * update, each counted as often as it is used, so that the update's gradient is a mean over its tokens however it
 * is cut. `tokens(step)` gives the number of unmasked completion tokens of micro-step `step`. Where an update spans
 * several generations, the later ones must be generated first (the weights do not move in between).
 *
 * Within a generation that is TRL's number when steps_per_generation = gradient_accumulation_steps. Otherwise TRL
 * divides by the tokens of the whole generation batch (grpo_trainer.py:1977, 2883), whatever share of it an update
 * sees, and counts truncated completions too; pass those to reproduce it.
 */
export function tokensInUpdate(plan: BatchPlan, update: number, tokens: (step: number) => number): number {
  let total = 0;
  for (let k = 0; k < plan.stepsPerUpdate; k++) total += tokens(update * plan.stepsPerUpdate + k);
  return total;
}

/**
 * One pass over `prompts` prompts: [generations][promptsPerGeneration] of prompt numbers. As TRL's RepeatSampler,
 * prompts that do not fill a generation are left out of this pass.
 */
export function epochPrompts(prompts: number, plan: BatchPlan, random: (() => number) | null): number[][] {
  const order = random ? shuffled(prompts, random) : Array.from({ length: prompts }, (_, i) => i);
  const size = plan.promptsPerGeneration;
  return Array.from({ length: Math.floor(prompts / size) }, (_, g) => order.slice(g * size, (g + 1) * size));
}

/**
 * Updates in a run over `prompts` prompts: max_steps, or num_train_epochs of the updates in a pass, rounded up as
 * transformers' Trainer does. 0 where the prompts do not fill one generation.
 */
export function totalUpdates(
  settings: Pick<Settings, 'max_steps' | 'num_train_epochs'>,
  plan: BatchPlan,
  prompts: number,
): number {
  if (settings.max_steps > 0) return settings.max_steps;
  const microSteps = Math.floor(prompts / plan.promptsPerGeneration) * plan.generateEvery;
  return Math.ceil(settings.num_train_epochs * Math.ceil(microSteps / plan.stepsPerUpdate));
}
