/** How our micro-steps, updates and generation batches become rollouts, updates and micro-batches of EasyR1. */
import type { ResolvedConfig } from '../../papo/config.ts';

export interface BatchSizes {
  /** Prompts of a rollout; their data.rollout_batch_size. */
  readonly rollout: number;
  /** Prompts of an update; their actor.global_batch_size, which divides the rollout's. */
  readonly update: number;
  /** Completions of a forward pass on one GPU; divides the update's. */
  readonly micro: number;
  readonly updatesPerRollout: number;
  /** Rollouts of the whole run. */
  readonly rollouts: number;
  /** Where the sizes are not ours: a sentence each. */
  readonly notes: readonly string[];
}

/** The largest divisor of n that is at most `limit`; 1 where there is no larger one. */
export function largestDivisor(n: number, limit: number): number {
  for (let d = Math.min(n, Math.floor(limit)); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

/** `trainRows`: rows of the dataset; a rollout cannot be larger, for their loader drops what does not fill one. */
export function batchSizes(settings: ResolvedConfig, trainRows: number): BatchSizes {
  const { num_generations: group, per_device_train_batch_size: perStep, num_iterations } = settings;
  const notes: string[] = [];
  const perUpdate = perStep * settings.gradient_accumulation_steps;
  const wanted = settings.generation_batch_size / group;
  let rollout = wanted;
  if (perUpdate > settings.generation_batch_size) {
    rollout = Math.ceil(perUpdate / group);
    notes.push(
      `an update of ${perUpdate} completions takes several generation batches of ${settings.generation_batch_size} here; there a rollout is never smaller than an update`,
    );
  }
  if (rollout > trainRows) {
    notes.push(`a rollout of ${rollout} prompts is more than the ${trainRows} rows of the dataset`);
    rollout = trainRows;
  }
  const update = largestDivisor(rollout, perUpdate / group);
  if (update * group !== perUpdate)
    notes.push(
      `an update takes ${perUpdate} completions here; there it takes whole groups, and divides the rollout: ${update * group}`,
    );
  const updatesPerRollout = (rollout / update) * num_iterations;
  const rollouts =
    settings.max_steps === -1
      ? Math.max(1, Math.floor(trainRows / rollout)) * wholeEpochs(settings.num_train_epochs)
      : Math.ceil(settings.max_steps / updatesPerRollout);
  const micro = largestDivisor(update * group, perStep);
  return { rollout, update, micro, updatesPerRollout, rollouts, notes };
}

export const wholeEpochs = (epochs: number) => Math.max(1, Math.round(epochs));
