// The whole policy on WebGPU: parity with transformers, rollouts, and three PAPO steps that equal the CPU's.
import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../src/device/cpu/cpu-device.ts';
import { urlFiles } from '../../src/store/hf-folder.ts';
import {
  cachedEqualsUncached,
  greedyEqualsTransformers,
  recomputedEqualsKept,
  samplerChiSquare,
  sharedEqualsUnshared,
} from '../generation-cases.ts';
import { loraCases, loraErrors } from '../lora-cases.ts';
import { parityErrors } from '../parity.ts';
import { threeSteps } from '../three-steps.ts';
import { testDevice } from './helpers.ts';

const fixtures = ['smolvlm-tiny', 'smolvlm-tiny-untied'];
const files = (fixture: string) => urlFiles(`/tests/fixtures/${fixture}`);

describe('on WebGPU', () => {
  it.each(fixtures)('%s: logits, loss and every gradient equal transformers within 1e-4', async (fixture) => {
    for (const { name, error } of await parityErrors(await testDevice(), files(fixture)))
      expect(error, name).toBeLessThan(1e-4);
  });

  it.each(fixtures)('%s: greedy decoding equals transformers', async (fixture) =>
    greedyEqualsTransformers(await testDevice(), files(fixture)),
  );

  it.each(fixtures)('%s: cached equals uncached', async (fixture) => {
    expect(await cachedEqualsUncached(await testDevice(), files(fixture))).toBeLessThan(1e-5);
  });

  it.each(fixtures)('%s: a shared prefix equals copies of it, loss and gradients', async (fixture) => {
    expect(await sharedEqualsUnshared(await testDevice(), files(fixture))).toBeLessThan(1e-5);
  });

  it.each(loraCases)("LoRA is PEFT's, and a step of it PyTorch's: %s", async (name) => {
    // Gradients before the step: PyTorch's own in float32 are within 2e-5 of float64 (lora.py asserts it).
    for (const { name: what, error } of await loraErrors(await testDevice(), files, name))
      expect(error, what).toBeLessThan(what.startsWith('grad.') ? 2e-5 : 1e-5);
  });

  it.each(fixtures)('%s: layers computed again give the same loss and gradients', async (fixture) => {
    expect(await recomputedEqualsKept(await testDevice(), files(fixture))).toBeLessThan(1e-6);
  });

  it.each([
    { topK: 0, topP: 1, minP: 0, temperature: 1 },
    { topK: 7, topP: 0.9, minP: 0.1, temperature: 1 },
  ])('samples as the softmax says: %o', async ({ temperature, ...cut }) => {
    const { chiSquare, freedom, outside } = await samplerChiSquare(await testDevice(), cut, temperature);
    expect(outside).toBe(0);
    expect(chiSquare).toBeLessThan(freedom + 4 * Math.sqrt(2 * freedom));
  });

  it('three PAPO steps change the weights as on the CPU, within 1e-3', async () => {
    const folder = urlFiles('/public/models/papo-nano');
    const gpu = await threeSteps(await testDevice(), folder);
    const cpu = await threeSteps(new CpuDevice(), folder);
    expect(gpu.texts).toEqual(cpu.texts);
    let [change, difference, weights] = [0, 0, 0];
    for (const [name, { data }] of cpu.weights) {
      const before = cpu.before.get(name)!.data;
      const other = gpu.weights.get(name)!.data;
      for (let i = 0; i < data.length; i++) {
        change += (data[i] - before[i]) ** 2;
        difference += (other[i] - data[i]) ** 2;
        weights += data[i] ** 2;
      }
    }
    // The steps must have moved the weights far more than the devices differ, or the test would see nothing.
    expect(Math.sqrt(change / weights)).toBeGreaterThan(1e-3);
    expect(Math.sqrt(difference / weights)).toBeLessThan(1e-3);
    expect(Math.sqrt(difference / change)).toBeLessThan(0.1);
  });
});
