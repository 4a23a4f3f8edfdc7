/** A step's work, counted by hand and against how it must grow; and the probe. */
import { describe, expect, it } from 'vitest';
import { smolvlmConfig } from '../../../src/data/smolvlm-files.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { parseVlmConfig } from '../../../src/policy/config.ts';
import { parameterShapes } from '../../../src/policy/parameters.ts';
import { estimate, measureRates, stepWork } from '../../../src/worker/step-estimate.ts';
import { tinyNano } from '../../tiny-nano.ts';

const config = parseVlmConfig(smolvlmConfig('smolvlm-256m'));
const settings = (more: Record<string, unknown> = {}) => parseConfig(more, 'smolvlm-lora');

describe('the work of a step', () => {
  it('is two operations for each weight and token, and attention beside', () => {
    const { prefill, decode } = stepWork(config, settings(), 112);
    const sum = (prefix: string) =>
      [...parameterShapes(config)]
        .filter(([name, shape]) => name.startsWith(prefix) && shape.length === 2)
        .reduce((total, [, [out, inp]]) => total + out * inp, 0);
    const text = sum('model.text_model.layers');
    const vision = sum('model.vision_model.encoder');
    // Four prompts of 112 tokens and an image of 1,024 patches each; attention is a small part but for the image's.
    const products = 4 * 2 * (112 * text + 1024 * vision);
    expect(prefill).toBeGreaterThan(products);
    expect(prefill).toBeLessThan(1.25 * products);
    // Sixteen completions of 128 tokens; the head is of the vocabulary.
    const written = 16 * 128 * 2 * (text + 576 * 49_280);
    expect(decode).toBeGreaterThan(written);
    expect(decode).toBeLessThan(1.1 * written);
  });

  it('grows with what is asked of it', () => {
    const work = (more: Record<string, unknown>) => stepWork(config, settings(more), 112);
    const usual = work({});
    expect(work({ max_completion_length: 256 }).decode / usual.decode).toBeCloseTo(2, 1);
    expect(work({ gradient_accumulation_steps: 8 }).training / usual.training).toBeCloseTo(2, 9);
    // One view in place of two.
    const oneView = { perception_loss_weight: 0, der_loss_weight2: 0, beta: 0 };
    expect(work({ beta: 0 }).training / work(oneView).training).toBeCloseTo(2, 9);
    expect(work({ beta: 0 }).training).toBeLessThan(usual.training);
    expect(work({ gradient_checkpointing: false }).training).toBeLessThan(usual.training);
    expect(work({ use_peft: false }).training).toBeGreaterThan(usual.training);
    expect(work({ lora_towers: 'all' }).training).toBeGreaterThan(usual.training);
  });

  it('takes time by the rate of each of its parts', () => {
    const seconds = estimate({ prefill: 4e9, decode: 6e9, training: 8e9 }, { many: 2e9, few: 1e9 });
    expect(seconds).toEqual({ seconds: 12, rollout: 8, training: 4 });
  });
});

it('the probe measures both rates in about two seconds, and leaves nothing behind', async () => {
  const device = new CpuDevice({ threads: 1 });
  const { config: json } = await tinyNano();
  let open = 0;
  const counted = {
    ...device,
    compile: device.compile.bind(device),
    createStore: (entries: Parameters<CpuDevice['createStore']>[0]) => {
      const store = device.createStore(entries);
      const dispose = store.dispose.bind(store);
      open++;
      store.dispose = () => {
        open--;
        dispose();
      };
      return store;
    },
  };
  const rates = await measureRates(parseVlmConfig(json), counted as unknown as CpuDevice, 4);
  for (const rate of [rates.many, rates.few]) {
    expect(rate).toBeGreaterThan(1e6);
    expect(rate).toBeLessThan(1e14);
  }
  expect(open).toBe(0);
});
