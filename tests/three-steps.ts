/** Three PAPO updates of papo-nano with everything on: two prompts × four completions, both views, AdamW. */
import { worldDataset } from '../src/data/dataset.ts';
import type { Device } from '../src/device/device.ts';
import { parseConfig } from '../src/papo/config.ts';
import { Trainer } from '../src/papo/trainer.ts';
import type { Weight } from '../src/policy/parameters.ts';
import { Policy } from '../src/policy/policy.ts';
import { RewardGuard } from '../src/rewards/guard.ts';
import { rewardFunction } from '../src/rewards/rewards.ts';
import { loadModelFolder, type ModelFiles } from '../src/store/hf-folder.ts';

export interface ThreeSteps {
  readonly before: Map<string, Weight>;
  readonly weights: Map<string, Weight>;
  readonly texts: string[];
  readonly metrics: Record<string, number>[];
}

export async function threeSteps(
  device: Device,
  files: ModelFiles,
  overrides: Record<string, unknown> = {},
): Promise<ThreeSteps> {
  const policy = Policy.create(device, await loadModelFolder(files));
  const config = parseConfig(
    {
      num_generations: 4,
      per_device_train_batch_size: 8,
      beta: 0.01,
      perception_kl: 'exact',
      perception_loss_weight: 0.02,
      freeze_vision_tower: false,
      max_steps: 3,
      seed: 3,
      ...overrides,
    },
    'papo-nano',
  );
  const before = await policy.readWeights();
  const trainer = await Trainer.create({
    policy,
    config,
    rewards: new RewardGuard({
      boxed_answer: rewardFunction('boxed_answer'),
      format: rewardFunction('format'),
    }),
    dataset: worldDataset('shapes', 'train', config.seed),
  });
  const texts: string[] = [];
  const metrics: Record<string, number>[] = [];
  for (let step = 0; step < config.max_steps; step++) {
    const report = await trainer.update();
    texts.push(...report.groups.flatMap((g) => g.completions));
    metrics.push(report.metrics);
  }
  const weights = await policy.readWeights();
  trainer.dispose();
  policy.dispose();
  return { before, weights, texts, metrics };
}
