import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseConfig, type ResolvedConfig } from '../../../src/papo/config.ts';
import { parseVlmConfig, type VlmConfig } from '../../../src/policy/config.ts';
import { loraShapes } from '../../../src/policy/lora.ts';
import { type Counted, type PartKind, type PassChoices, RunCounter } from '../../../src/policy/memory.ts';
import { parameterShapes, visionPrefix } from '../../../src/policy/parameters.ts';
import { midSizeConfig } from '../../mid-size.ts';

const roomy = { largestTensor: 2 ** 30 };
const nano = parseVlmConfig(JSON.parse(await readFile('public/models/papo-nano/config.json', 'utf8')));
const large = parseVlmConfig(midSizeConfig(352));

const choices: PassChoices = {
  ...{ recompute: false, headChunkBytes: 64 * 2 ** 20, pieces: 1 },
  ...{ promptsPerRun: 2, evaluationPromptsPerRun: 4 },
};
const settingsOf = (given: Record<string, unknown> = {}) =>
  parseConfig({ per_device_train_batch_size: 16, num_generations: 8, ...given }, 'papo-nano');
const counterOf = (config: VlmConfig = nano, limits: { wasm?: number } = {}) =>
  new RunCounter(config, { prefixLengths: [48] }, { ...roomy, ...limits });
const countOf = (settings: ResolvedConfig, chosen: Partial<PassChoices> = {}, config = nano) =>
  counterOf(config).count(settings, { ...choices, ...chosen });
const part = ({ parts }: Counted, wanted: PartKind) => parts.find(({ kind }) => kind === wanted)?.bytes ?? 0;
const names = ({ passes }: Counted) => passes.map(({ name }) => name);
const passOf = ({ passes }: Counted, wanted: string) => passes.find(({ name }) => name === wanted)!.bytes;

const numbers = (shapes: Iterable<readonly [string, readonly number[]]>) =>
  [...shapes].reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe('what stays', () => {
  it('is weights, gradients, moments and the reference as their shapes say', () => {
    const shapes = [...parameterShapes(nano)];
    const all = 4 * numbers(shapes);
    const text = 4 * numbers(shapes.filter(([name]) => !name.startsWith(visionPrefix)));
    const frozen = countOf(settingsOf({ freeze_vision_tower: true, beta: 0 }));
    const kinds = [
      'frozenHalf',
      'frozen',
      'trained',
      'adapter',
      'gradients',
      'moments',
      'reference',
    ] as const;
    const bytes = (count: Counted) => kinds.map((kind) => part(count, kind));
    expect(bytes(frozen)).toEqual([0, all - text, text, 0, text, 2 * text, 0]);
    const open = countOf(settingsOf({ freeze_vision_tower: false, beta: 0.01 }));
    expect(bytes(open)).toEqual([0, 0, all, 0, all, 2 * all, all]);
    expect(open.total).toBe(open.parts.reduce((sum, { bytes }) => sum + bytes, 0));
  });

  it('with LoRA is the adapter alone, and no reference; matrices of a large model are half floats', () => {
    const settings = settingsOf({ use_peft: true, lora_r: 4, beta: 0.01 });
    const lora = {
      r: 4,
      lora_alpha: 1,
      target_modules: 'all-linear',
      use_rslora: false,
      towers: ['text'],
    } as const;
    const adapter = 4 * numbers(loraShapes(large, lora));
    const shapes = [...parameterShapes(large)];
    const isHalf = ([name, shape]: (typeof shapes)[number]) =>
      shape.length > 1 && !name.endsWith('position_embedding.weight');
    const count = countOf(settings, {}, large);
    expect(part(count, 'frozenHalf')).toBe(2 * numbers(shapes.filter(isHalf)));
    expect(part(count, 'frozen')).toBe(4 * numbers(shapes.filter((entry) => !isHalf(entry))));
    expect(part(count, 'adapter')).toBe(adapter);
    expect(part(count, 'gradients')).toBe(adapter);
    expect(part(count, 'moments')).toBe(2 * adapter);
    expect(part(count, 'reference')).toBe(0);
    // What is on the device already is counted as it is there.
    const held = new RunCounter(large, { prefixLengths: [48], dtypeOf: () => 'f32' }, roomy);
    expect(part(held.count(settings, choices), 'frozen')).toBe(4 * numbers(shapes));
  });
});

describe('what passes take', () => {
  it('has the passes that the settings ask for', () => {
    expect(names(countOf(settingsOf()))).toEqual(['rollout', 'training pass', 'optimizer']);
    expect(names(countOf(settingsOf({ gradient_accumulation_steps: 2, steps_per_generation: 4 })))).toEqual([
      'rollout',
      'score',
      'training pass',
      'accumulating training pass',
      'optimizer',
    ]);
    expect(names(countOf(settingsOf({ beta: 0.01, mask_type: 'semantic' })))).toEqual([
      'rollout',
      'score of the reference',
      'training pass',
      'saliency',
      'optimizer',
    ]);
    const evaluation = { prompts: 4, group: 1, maxTokens: 8 };
    const counter = new RunCounter(nano, { prefixLengths: [48, 56], evaluation }, roomy);
    expect(names(counter.count(settingsOf(), choices))).toEqual([
      ...['rollout', 'evaluation', 'training pass'],
      ...['rollout', 'evaluation', 'training pass', 'optimizer'],
    ]);
  });

  it('grows with the batch, and halves its views without the masked image', () => {
    const train = (given: Record<string, unknown>, chosen = {}) =>
      passOf(countOf(settingsOf(given), chosen), 'training pass');
    const [whole, half] = [train({}), train({ per_device_train_batch_size: 8 })];
    expect(whole / half).toBeGreaterThan(1.8);
    expect(whole / half).toBeLessThan(2.1);
    const grpo = { perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 };
    expect(train({}) / train(grpo)).toBeGreaterThan(1.8);
    // A piece of half the micro-batch is a micro-batch of half the size.
    expect(train({}, { pieces: 2 })).toBe(half);
  });

  it('is less when layers are computed again, logits are fewer, prompts come one by one', () => {
    const settings = settingsOf({ beta: 0.01 });
    const counter = counterOf(parseVlmConfig(midSizeConfig()));
    const count = (chosen: Partial<PassChoices>) => counter.count(settings, { ...choices, ...chosen });
    const kept = count({});
    expect(part(count({ recompute: true }), 'activations')).toBeLessThan(0.6 * part(kept, 'activations'));
    const few = count({ headChunkBytes: 2 ** 22 });
    expect(part(kept, 'workspace')).toBeGreaterThan(40 * 2 ** 20);
    expect(part(few, 'workspace')).toBeLessThan(6 * 2 ** 20);
    expect(part(few, 'activations')).toBe(part(kept, 'activations'));
    const one = count({ promptsPerRun: 1 });
    expect(passOf(kept, 'rollout') / passOf(one, 'rollout')).toBeGreaterThan(1.8);
    const { layers, kvHeads, headDim } = parseVlmConfig(midSizeConfig()).text;
    expect(one.keyValueCache).toBe(2 * layers * (48 + 8 * 14) * kvHeads * headDim * 4);
  });
});
