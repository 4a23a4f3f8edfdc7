/** Short runs of the trainer on the tiny papo-nano, with what reached the device. Node only. */
import { worldDataset } from '../src/data/dataset.ts';
import { CpuDevice } from '../src/device/cpu/cpu-device.ts';
import { parseConfig } from '../src/papo/config.ts';
import { type LiveSettings, type StepReport, Trainer } from '../src/papo/trainer.ts';
import type { Weight } from '../src/policy/parameters.ts';
import { Policy } from '../src/policy/policy.ts';
import { RewardGuard } from '../src/rewards/guard.ts';
import type { RewardFunction } from '../src/rewards/rewards.ts';
import { RecordingDevice } from './recording-device.ts';
import { type TinyNanoOptions, tinyNano } from './tiny-nano.ts';

type RewardFunctions = Record<string, RewardFunction>;

/** Depends on the text alone, and differs within nearly every group. */
export const lengthReward: RewardFunctions = {
  length: ({ completions }) => completions.map((text) => text.length % 5),
};

export interface RunOptions {
  readonly updates?: number;
  readonly live?: readonly Partial<LiveSettings>[];
  readonly rewards?: RewardFunctions;
}

export interface Run {
  readonly reports: StepReport[];
  readonly weights: Map<string, Weight>;
}

export const smallSettings = {
  num_generations: 4,
  per_device_train_batch_size: 8,
  max_completion_length: 5,
  mask_patch_size: 16,
  freeze_vision_tower: false,
  learning_rate: 1e-2,
  max_steps: 4,
  // Far above the rounding of gradients that are nearly 0, whose sign AdamW would otherwise follow.
  adam_epsilon: 1e-4,
} as const;

export class Bench {
  private constructor(
    readonly device: RecordingDevice,
    readonly policy: Policy,
    readonly initial: Map<string, Weight>,
  ) {}

  static async create(options?: TinyNanoOptions): Promise<Bench> {
    const device = new RecordingDevice(new CpuDevice({ threads: 1 }));
    const policy = Policy.create(device, await tinyNano(options));
    return new Bench(device, policy, await policy.readWeights());
  }

  reset(): void {
    for (const [name, { data }] of this.initial) this.policy.weights.write(name, data);
    this.device.forget();
  }

  trainer(overrides: Record<string, unknown> = {}, rewards = lengthReward): Promise<Trainer> {
    const config = parseConfig({ ...smallSettings, ...overrides }, 'papo-nano');
    return Trainer.create({
      policy: this.policy,
      config,
      rewards: new RewardGuard(rewards),
      dataset: worldDataset('shapes', 'train', config.seed),
    });
  }

  /** A new trainer from the initial weights; afterwards `device.runs` holds what this run gave to the device. */
  async run(overrides: Record<string, unknown> = {}, { updates = 1, live = [], rewards }: RunOptions = {}) {
    this.reset();
    const trainer = await this.trainer(overrides, rewards);
    const reports: StepReport[] = [];
    for (let i = 0; i < updates; i++) reports.push(await trainer.update(live[i]));
    const weights = await this.policy.readWeights();
    trainer.dispose();
    return { reports, weights } satisfies Run;
  }
}

/** ‖a − b‖ over all tensors. */
export function distance(a: ReadonlyMap<string, Weight>, b: ReadonlyMap<string, Weight>): number {
  let sum = 0;
  for (const [name, { data }] of a) {
    const other = b.get(name)!.data;
    for (let i = 0; i < data.length; i++) sum += (data[i] - other[i]) ** 2;
  }
  return Math.sqrt(sum);
}

/** Names of the tensors in which nothing, not a bit, changed. */
export function unchanged(a: ReadonlyMap<string, Weight>, b: ReadonlyMap<string, Weight>): string[] {
  return [...a]
    .filter(([name, { data }]) => data.every((x, i) => x === b.get(name)!.data[i]))
    .map(([n]) => n);
}
