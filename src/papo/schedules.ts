// Schedules over the updates of a run: the learning rate, and the annealing of the perception weight.

import type { Settings } from './settings.ts';

/**
 * Updates of warm-up: `warmup_steps` itself, or below 1 that share of all updates, rounded up
 * (transformers, TrainingArguments.get_warmup_steps).
 */
export function warmupUpdates(warmupSteps: number, totalUpdates: number): number {
  return warmupSteps >= 1 ? Math.trunc(warmupSteps) : Math.ceil(warmupSteps * totalUpdates);
}

/**
 * What the learning rate is multiplied with in update `update` (0 for the first), as transformers' get_scheduler:
 * a linear rise from 0 over `warmup` updates, then a fall to 0 at `total` (linear; cosine: half a wave), or 1.
 * With a warm-up the first update therefore has factor 0. "constant" has no warm-up.
 */
export function learningRateFactor(
  type: Settings['lr_scheduler_type'],
  update: number,
  warmup: number,
  total: number,
): number {
  if (type === 'constant') return 1;
  if (update < warmup) return update / Math.max(1, warmup);
  if (type === 'constant_with_warmup') return 1;
  const progress = (update - warmup) / Math.max(1, total - warmup);
  if (type === 'linear') return Math.max(0, (total - update) / Math.max(1, total - warmup));
  return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
}

type Annealing = Pick<
  Settings,
  'perception_loss_weight' | 'kl_prcp_annealing_start' | 'kl_prcp_annealing_end' | 'kl_prcp_annealing_ratio'
>;

/**
 * What γ and both entropy weights are multiplied with after `step` of `totalSteps` rollout steps: γ goes linearly
 * from start to end over ratio × totalSteps (whole) steps and stays there; the discount is that γ over
 * perception_loss_weight. 1 without annealing. Source: the authors' core_algos.py:75-90, ray_trainer.py:327-337,
 * dp_actor.py:365-366, 372, 381.
 */
export function annealingDiscount(settings: Annealing, step: number, totalSteps: number): number {
  const { perception_loss_weight: gamma, kl_prcp_annealing_ratio: ratio } = settings;
  if (ratio === null || gamma === 0) return 1;
  const start = settings.kl_prcp_annealing_start ?? gamma;
  const progress = Math.min(step / Math.max(1, Math.floor(totalSteps * ratio)), 1);
  return (start + (settings.kl_prcp_annealing_end - start) * progress) / gamma;
}
