import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { DeviceLimits } from '../../../src/device/device.ts';
import { parseConfig, type ResolvedConfig } from '../../../src/papo/config.ts';
import { parseVlmConfig, type VlmConfig } from '../../../src/policy/config.ts';
import { type MemoryPlan, planRunMemory, planRunOnDevice, refusal } from '../../../src/policy/memory.ts';
import { parameterShapes, visionPrefix } from '../../../src/policy/parameters.ts';

const MIB = 2 ** 20;
const roomy: DeviceLimits = { largestTensor: 2 ** 30 };
const run = { prefixLengths: [48] };

const nano = parseVlmConfig(JSON.parse(await readFile('public/models/papo-nano/config.json', 'utf8')));

const settingsOf = (given: Record<string, unknown> = {}) =>
  parseConfig({ per_device_train_batch_size: 16, num_generations: 8, ...given }, 'papo-nano');

const planOf = (settings: ResolvedConfig, limits = roomy, config: VlmConfig = nano) =>
  planRunMemory(config, settings, run, limits);

const names = (plan: MemoryPlan) => plan.programs.map(({ name }) => name);

describe('what a run takes', () => {
  it('counts weights, gradients, moments and the reference as their shapes say', () => {
    const shapes = [...parameterShapes(nano)];
    const bytes = (of: typeof shapes) =>
      of.reduce((sum, [, shape]) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
    const all = bytes(shapes);
    const text = bytes(shapes.filter(([name]) => !name.startsWith(visionPrefix)));
    const frozen = planOf(settingsOf({ freeze_vision_tower: true, beta: 0 }));
    expect(frozen).toMatchObject({ weights: all, gradients: text, moments: 2 * text, reference: 0 });
    const open = planOf(settingsOf({ freeze_vision_tower: false, beta: 0.01 }));
    expect(open).toMatchObject({ weights: all, gradients: all, moments: 2 * all, reference: all });
    expect(open.total).toBe(5 * all + open.activations);
    const apart = open.programs.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(open.activations).toBeLessThan(apart);
  });

  it('has the passes that the settings ask for', () => {
    expect(names(planOf(settingsOf()))).toEqual(['rollout', 'training pass']);
    expect(names(planOf(settingsOf({ gradient_accumulation_steps: 2, steps_per_generation: 4 })))).toEqual([
      'rollout',
      'score',
      'training pass',
      'accumulating training pass',
    ]);
    expect(names(planOf(settingsOf({ beta: 0.01, mask_type: 'semantic' })))).toEqual([
      'rollout',
      'score of the reference',
      'training pass',
      'saliency',
    ]);
    const evaluation = { prompts: 4, group: 1, maxTokens: 8 };
    const plan = planRunMemory(nano, settingsOf(), { prefixLengths: [48, 56], evaluation }, roomy);
    expect(names(plan)).toEqual([
      ...['rollout', 'evaluation', 'training pass'],
      ...['rollout', 'evaluation', 'training pass'],
    ]);
  });

  it('grows with the batch, and halves its views without the masked image', () => {
    const train = (given: Record<string, unknown>) =>
      planOf(settingsOf(given)).programs.find(({ name }) => name === 'training pass')!.bytes;
    const [whole, half] = [train({}), train({ per_device_train_batch_size: 8 })];
    expect(whole / half).toBeGreaterThan(1.8);
    expect(whole / half).toBeLessThan(2.1);
    const grpo = { perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 };
    expect(train({}) / train(grpo)).toBeGreaterThan(1.8);
  });
});

describe('a run that does not fit', () => {
  it('is refused one byte below what it takes, with the numbers', () => {
    const settings = settingsOf();
    const { total } = planOf(settings);
    const just = planOf(settings, { ...roomy, memory: total });
    expect(just.fits).toBe(true);
    expect(refusal(just)).toBeUndefined();
    const plan = planOf(settings, { ...roomy, memory: total - 1 });
    expect(plan.fits).toBe(false);
    const message = refusal(plan)!;
    expect(message).toContain(`needs ${(total / MIB).toFixed(1)} MiB`);
    expect(message).toContain(`the device has ${((total - 1) / MIB).toFixed(1)} MiB`);
    expect(message).toContain(`weights ${(plan.weights / MIB).toFixed(1)} MiB`);
    expect(message).toContain(plan.largestTensor.name);
  });

  it.each([0.75, 0.6, 0.45])(
    'its suggestion fits, and the next larger one does not: %d of the memory',
    (share) => {
      const settings = settingsOf({ per_device_train_batch_size: 64 });
      const limits = { ...roomy, memory: Math.round(planOf(settings).total * share) };
      const plan = planOf(settings, limits);
      const found = plan.wouldFit!;
      expect(refusal(plan)).toContain(`per_device_train_batch_size ${found.per_device_train_batch_size}`);
      // Through the parser: the suggestion is what a user can type.
      expect(planOf(settingsOf({ ...found }), limits).fits).toBe(true);
      expect(plan.sameUpdates).toBe(true);
      const completions = (s: Pick<ResolvedConfig, keyof typeof found>) => [
        s.per_device_train_batch_size * s.gradient_accumulation_steps,
        s.per_device_train_batch_size * s.steps_per_generation,
      ];
      expect(completions(found)).toEqual(completions(settings));
      const larger = 2 * found.per_device_train_batch_size;
      if (larger < settings.per_device_train_batch_size) {
        const parts = settings.per_device_train_batch_size / larger;
        const next = settingsOf({
          per_device_train_batch_size: larger,
          gradient_accumulation_steps: settings.gradient_accumulation_steps * parts,
          steps_per_generation: settings.steps_per_generation * parts,
        });
        expect(planOf(next, limits).fits).toBe(false);
      }
    },
  );

  it('for one tensor beyond the binding limit is told which, and what fits', () => {
    const settings = settingsOf();
    const { largestTensor } = planOf(settings);
    const limits = { largestTensor: largestTensor.bytes - 1 };
    const plan = planOf(settings, limits);
    expect(plan).toMatchObject({ fits: false, tensorLimit: largestTensor.bytes - 1 });
    expect(refusal(plan)).toContain(
      `(${largestTensor.name}) takes ${(largestTensor.bytes / MIB).toFixed(1)} MiB`,
    );
    expect(planOf(settingsOf({ ...plan.wouldFit }), limits).fits).toBe(true);
  });

  it('is offered smaller updates where the rollout of the same ones is too large', () => {
    const settings = settingsOf({
      ...{ per_device_train_batch_size: 4, gradient_accumulation_steps: 128, steps_per_generation: 128 },
      num_generations: 4,
    });
    const whole = planOf(settings);
    const rollout = whole.programs.find(({ name }) => name === 'rollout')!.bytes;
    const limits = { ...roomy, memory: whole.total - whole.activations + 0.8 * rollout };
    const plan = planOf(settings, limits);
    expect(plan.wouldFit).toMatchObject({ gradient_accumulation_steps: 128, steps_per_generation: 128 });
    expect(planOf(settingsOf({ num_generations: 4, ...plan.wouldFit }), limits).fits).toBe(true);
    expect(plan.sameUpdates).toBe(false);
    expect(refusal(plan)).toContain('smaller updates');
  });

  it('on a device that does not tell is found by trying', async () => {
    const settings = settingsOf({ per_device_train_batch_size: 64 });
    const { total, weights } = planOf(settings);
    const on = (room: number) =>
      planRunOnDevice(nano, settings, run, {
        limits: roomy,
        room: async (bytes) => {
          expect(bytes).toBe(total - weights);
          return Math.min(bytes, room);
        },
      });
    expect((await on(total)).fits).toBe(true);
    const plan = await on(0.6 * total);
    expect(plan).toMatchObject({ fits: false, limit: weights + 0.6 * total, sameUpdates: true });
    expect(plan.wouldFit!.per_device_train_batch_size).toBeLessThan(64);
  });

  it('is told so when nothing would help', () => {
    const plan = planOf(settingsOf(), { ...roomy, memory: MIB });
    expect(plan.wouldFit).toBeUndefined();
    expect(refusal(plan)).toContain('No smaller per_device_train_batch_size fits');
  });

  it('is refused at once, however absurd the numbers', () => {
    const settings = {
      ...settingsOf(),
      per_device_train_batch_size: 1 << 24,
      max_completion_length: 1 << 16,
    };
    const begin = performance.now();
    const plan = planOf(settings, { ...roomy, memory: MIB });
    expect(performance.now() - begin).toBeLessThan(1000);
    expect(plan.largestTensor.bytes).toBeGreaterThan(2 ** 40);
    expect(refusal(plan)).toContain('MiB');
  });
});
