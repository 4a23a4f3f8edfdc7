// What is planned for a run before it starts is what the trainer then holds on the GPU.
import { describe, expect, it } from 'vitest';
import { worldDataset } from '../../src/data/dataset.ts';
import { type Device, OutOfMemoryError } from '../../src/device/device.ts';
import { WebgpuDevice } from '../../src/device/webgpu/webgpu-device.ts';
import { parseConfig, type ResolvedConfig } from '../../src/papo/config.ts';
import { Trainer } from '../../src/papo/trainer.ts';
import { parseVlmConfig } from '../../src/policy/config.ts';
import { roundUp } from '../../src/policy/layout.ts';
import { loraOf } from '../../src/policy/lora.ts';
import type { PassChoices } from '../../src/policy/memory.ts';
import { visionPrefix } from '../../src/policy/parameters.ts';
import { type PlanView, planRun } from '../../src/policy/plan.ts';
import { Policy } from '../../src/policy/policy.ts';
import { RewardGuard } from '../../src/rewards/guard.ts';
import { loadModelFolder, type ModelFolder, urlFiles } from '../../src/store/hf-folder.ts';
import { openFromMemory } from '../../src/store/open-folder.ts';
import { midSize } from '../mid-size.ts';

const small = {
  ...{ num_generations: 4, per_device_train_batch_size: 8, max_completion_length: 5, max_steps: 2 },
  // All prompts are as long then.
  pad_to_multiple_of: 64,
};
const nano = () => loadModelFolder(urlFiles('/models/papo-nano'));

const open = (memoryLimit?: number) =>
  WebgpuDevice.create({ gemm: { variant: 'register', splitTo: 0 }, memoryLimit });

/** One update. Returns the padded prompt lengths that occurred, and the most bytes that were allocated at once. */
async function train(
  device: WebgpuDevice,
  folder: ModelFolder,
  config: ResolvedConfig,
  choices?: Partial<PassChoices>,
): Promise<{ prefixLengths: number[]; held: number }> {
  const lengths = new Set<number>();
  let held = 0;
  const watched: Device = Object.create(device, {
    compile: {
      value: async (...args: Parameters<Device['compile']>) => {
        const mask = args[0].inputs.get('key_mask');
        if (mask) lengths.add(mask.shape[1]);
        const program = await device.compile(...args);
        held = Math.max(held, device.allocatedBytes);
        return program;
      },
    },
    createStore: { value: (entries: Parameters<Device['createStore']>[0]) => device.createStore(entries) },
  });
  const { use_peft, freeze_vision_tower } = config;
  const trains = (name: string) => !use_peft && !(freeze_vision_tower && name.startsWith(visionPrefix));
  const base = await Policy.open(watched, openFromMemory(folder), { trains });
  const lora = loraOf(config);
  const trainer = await Trainer.create({
    policy: lora ? base.adapt(lora, config.seed) : base,
    config,
    rewards: new RewardGuard({ length: ({ completions }) => completions.map((text) => text.length % 5) }),
    dataset: worldDataset('shapes', 'train', config.seed),
    choices,
  });
  await trainer.update();
  return { prefixLengths: [...lengths], held: Math.max(held, device.allocatedBytes) };
}

/** A plan made from the architecture and the settings alone is within a tenth of what an update then holds. */
async function holdsAsPlanned(
  folder: ModelFolder,
  config: ResolvedConfig,
  memory?: number,
): Promise<PlanView> {
  const device = await open();
  const { text } = Policy.inspect(openFromMemory(folder));
  const row = await worldDataset('shapes', 'train', config.seed).row(0);
  const prefixLengths = [roundUp(text.buildPrompt(row.prompt).length, config.pad_to_multiple_of!)];
  const limits = { ...device.limits, memory };
  const plan = planRun(parseVlmConfig(folder.config), config, { prefixLengths }, { kind: 'webgpu', limits });
  const trained = await train(device, folder, config, plan.choices);
  device.dispose();
  expect(trained.prefixLengths).toEqual(prefixLengths);
  const { held } = trained;
  const { recompute, pieces, promptsPerRun } = plan.choices;
  console.log(
    `planned ${plan.total}, held ${held} (${JSON.stringify({ recompute, pieces, promptsPerRun })})`,
  );
  expect(plan.total / held).toBeGreaterThan(0.9);
  expect(plan.total / held).toBeLessThan(1.1);
  return plan;
}

describe('within a tenth of what an update holds', () => {
  it.each([
    {},
    { gradient_accumulation_steps: 2, num_iterations: 2, freeze_vision_tower: false },
    { beta: 0.01, mask_type: 'semantic', mask_patch_size: 8 },
    { gradient_checkpointing: true, per_device_train_batch_size: 16 },
    { use_peft: true, lora_r: 4, beta: 0.01 },
    {
      use_peft: true,
      lora_r: 4,
      lora_towers: 'all',
      gradient_checkpointing: true,
      per_device_train_batch_size: 16,
    },
  ])('papo-nano: %o', async (overrides) => {
    await holdsAsPlanned(await nano(), parseConfig({ ...small, ...overrides }, 'papo-nano'));
  });

  it.each([
    { freeze_vision_tower: false },
    { use_peft: true, lora_r: 8, per_device_train_batch_size: 4 },
    { use_peft: true, lora_r: 8, gradient_checkpointing: true, max_completion_length: 32, beta: 0.01 },
  ])('6.5 million parameters, 49,280 words: %o', async (overrides) => {
    await holdsAsPlanned(midSize(), parseConfig({ ...small, ...overrides }, 'papo-nano'));
  });

  it('36 million parameters, frozen ones in half floats', async () => {
    const config = parseConfig({ ...small, use_peft: true, per_device_train_batch_size: 4 }, 'papo-nano');
    const plan = await holdsAsPlanned(midSize(352), config);
    expect(plan.parts.find(({ kind }) => kind === 'frozenHalf')!.bytes).toBeGreaterThan(70e6);
  });

  it.each([0.7, 0.4])(
    'when memory is short, and passes are cut to it: %d of the activations',
    async (share) => {
      const folder = await nano();
      const config = parseConfig({ ...small, per_device_train_batch_size: 32, beta: 0.01 }, 'papo-nano');
      const roomy = await holdsAsPlanned(folder, config);
      const standing = ['frozen', 'trained', 'gradients', 'moments', 'reference', 'fixed'];
      const fixed = roomy.parts.reduce(
        (sum, { kind, bytes }) => (standing.includes(kind) ? sum + bytes : sum),
        0,
      );
      const memory = Math.round(fixed + share * (roomy.total - fixed));
      const plan = await holdsAsPlanned(folder, config, memory);
      expect(plan.fits).toBe(true);
      expect(plan.choices.recompute || plan.choices.pieces > 1).toBe(true);
    },
  );
});

it('a run that takes more than its limit ends in an error that says so', async () => {
  const config = parseConfig(small, 'papo-nano');
  const folder = await nano();
  const device = await open(1 << 23);
  const run = { prefixLengths: [32] };
  const plan = planRun(parseVlmConfig(folder.config), config, run, device);
  expect(plan.refusal).toContain('the device has 8.0 MiB');
  await expect(train(device, folder, config)).rejects.toThrow(OutOfMemoryError);
  device.dispose();
});
