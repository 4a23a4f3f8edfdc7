import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import {
  cachedEqualsUncached,
  greedyEqualsTransformers,
  recomputedEqualsKept,
  samplerChiSquare,
  sharedEqualsUnshared,
} from '../../generation-cases.ts';

const devices = [new CpuDevice({ threads: 2 }), new ReferenceDevice()];
const fixtures = ['smolvlm-tiny', 'smolvlm-tiny-untied'];

describe.each(devices)('$label', (device) => {
  const tolerance = device.kind === 'reference' ? 1e-12 : 1e-5;

  it.each(fixtures)('%s: greedy decoding equals transformers', (fixture) =>
    greedyEqualsTransformers(device, nodeFiles(`tests/fixtures/${fixture}`)),
  );

  it.each(fixtures)('%s: cached equals uncached', async (fixture) => {
    expect(await cachedEqualsUncached(device, nodeFiles(`tests/fixtures/${fixture}`))).toBeLessThan(
      tolerance,
    );
  });

  it.each(fixtures)('%s: a shared prefix equals copies of it, loss and gradients', async (fixture) => {
    expect(await sharedEqualsUnshared(device, nodeFiles(`tests/fixtures/${fixture}`))).toBeLessThan(
      tolerance,
    );
  });

  it.each(fixtures)('%s: layers computed again give the same loss and gradients', async (fixture) => {
    expect(await recomputedEqualsKept(device, nodeFiles(`tests/fixtures/${fixture}`))).toBeLessThan(1e-6);
  });

  it.each([
    { topK: 0, topP: 1, minP: 0, temperature: 1 },
    { topK: 0, topP: 1, minP: 0, temperature: 0.5 },
    { topK: 5, topP: 1, minP: 0, temperature: 1 },
    { topK: 0, topP: 0.8, minP: 0, temperature: 1.5 },
    { topK: 7, topP: 0.9, minP: 0.1, temperature: 1 },
  ])('samples as the softmax says: %o', async ({ temperature, ...cut }) => {
    const { chiSquare, freedom, outside } = await samplerChiSquare(device, cut, temperature);
    expect(outside).toBe(0);
    // Mean + 4 standard deviations of χ² (fixed seed: passes or fails for good).
    expect(chiSquare).toBeLessThan(freedom + 4 * Math.sqrt(2 * freedom));
  });
});
