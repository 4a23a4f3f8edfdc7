// What is planned for a run before it starts is what the trainer then holds on the GPU.
import { expect, it } from 'vitest';
import { worldDataset } from '../../src/data/dataset.ts';
import { type Device, OutOfMemoryError } from '../../src/device/device.ts';
import { WebgpuDevice } from '../../src/device/webgpu/webgpu-device.ts';
import { parseConfig, type ResolvedConfig } from '../../src/papo/config.ts';
import { Trainer } from '../../src/papo/trainer.ts';
import { parseVlmConfig } from '../../src/policy/config.ts';
import { planRunMemory, refusal } from '../../src/policy/memory.ts';
import { Policy } from '../../src/policy/policy.ts';
import { RewardGuard } from '../../src/rewards/guard.ts';
import { loadModelFolder, urlFiles } from '../../src/store/hf-folder.ts';

const small = { num_generations: 4, per_device_train_batch_size: 8, max_completion_length: 5, max_steps: 2 };

const open = (memoryLimit?: number) =>
  WebgpuDevice.create({ gemm: { variant: 'register', splitTo: 0 }, memoryLimit });

/** One update; returns the padded prompt lengths that occurred. */
async function train(device: WebgpuDevice, config: ResolvedConfig): Promise<number[]> {
  const lengths = new Set<number>();
  const watched: Device = Object.create(device, {
    compile: {
      value: (...args: Parameters<Device['compile']>) => {
        const mask = args[0].inputs.get('key_mask');
        if (mask) lengths.add(mask.shape[1]);
        return device.compile(...args);
      },
    },
    createStore: { value: (entries: Parameters<Device['createStore']>[0]) => device.createStore(entries) },
  });
  const policy = Policy.create(watched, await loadModelFolder(urlFiles('/models/papo-nano')));
  const trainer = await Trainer.create({
    policy,
    config,
    rewards: new RewardGuard({ length: ({ completions }) => completions.map((text) => text.length % 5) }),
    dataset: worldDataset('shapes', 'train', config.seed),
  });
  await trainer.update();
  return [...lengths];
}

it.each([
  {},
  { gradient_accumulation_steps: 2, num_iterations: 2, freeze_vision_tower: false },
  { beta: 0.01, mask_type: 'semantic', mask_patch_size: 8 },
])('within a tenth of what an update holds: %o', async (overrides) => {
  const config = parseConfig({ ...small, ...overrides }, 'papo-nano');
  const device = await open();
  const prefixLengths = await train(device, config);
  const folder = await loadModelFolder(urlFiles('/models/papo-nano'));
  const held = device.allocatedBytes;
  const plan = planRunMemory(parseVlmConfig(folder.config), config, { prefixLengths }, device.limits);
  console.log(`planned ${plan.total}, held ${held}`);
  expect(Math.abs(plan.total / held - 1)).toBeLessThan(0.1);
  device.dispose();
});

it('a run that takes more than its limit ends in an error that says so', async () => {
  const config = parseConfig(small, 'papo-nano');
  const folder = await loadModelFolder(urlFiles('/models/papo-nano'));
  const device = await open(1 << 24);
  const plan = planRunMemory(parseVlmConfig(folder.config), config, { prefixLengths: [32] }, device.limits);
  expect(refusal(plan)).toContain('the device has 16.0 MiB');
  await expect(train(device, config)).rejects.toThrow(OutOfMemoryError);
  device.dispose();
});
