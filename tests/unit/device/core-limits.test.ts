/** SmolVLM-256M's passes are cut to what every WebGPU device offers: no device is needed to know it. */
import { describe, expect, it } from 'vitest';
import { smolvlm256m, smolvlm500m } from '../../../bench/smolvlm.ts';
import { uniformChoice } from '../../../src/device/webgpu/gemm.ts';
import { programSize } from '../../../src/device/webgpu/program-size.ts';
import type { Graph } from '../../../src/ops/graph.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import type { VlmConfig } from '../../../src/policy/config.ts';
import { rolloutGraph } from '../../../src/policy/generate.ts';
import { scoreGraph, trainingGraph } from '../../../src/policy/papo-pass.ts';
import { embeddingName, parameterShapes, visionPrefix } from '../../../src/policy/parameters.ts';

const MIB = 2 ** 20;
/** The specification's defaults. */
const core = (cheapBarriers: boolean) => ({
  lowering: {
    ...{ maxWorkgroupsPerDimension: 65_535, maxBindingBytes: 128 * MIB, workgroupMemory: 16_384 },
    cheapBarriers,
  },
  gemm: uniformChoice({ variant: 'register8', splitTo: 256 }),
});

const pass = { prompts: 1, prefixLength: 96, group: 4, completionLength: 32, views: 2 } as const;
const rollout = (config: VlmConfig) =>
  rolloutGraph(
    config,
    { prompts: 1, prefixLength: 96, group: 4, maxTokens: 32 },
    { topK: 0, topP: 0.99, minP: 0 },
    { endTokens: [2], padToken: 2 },
  );
const settings = parseConfig({ num_generations: 4, per_device_train_batch_size: 4 }, 'papo-nano');
const training = (config: VlmConfig, frozen: (name: string) => boolean) =>
  trainingGraph(config, pass, settings, {
    trainable: [...parameterShapes(config).keys()].filter((name) => !frozen(name)),
    ...{ hasOldLogps: false, hasRefLogps: false, accumulate: false },
  });
const inVision = (name: string) => name.startsWith(visionPrefix);

/** Bytes of the largest buffer, in MiB, and all together. */
function sizeOf(graph: Graph, cheapBarriers: boolean) {
  const { largest, activations, fixed } = programSize(graph, core(cheapBarriers));
  return { largest: largest.bytes / MIB, all: (activations + fixed) / MIB };
}

describe.each([true, false])('one prompt, four completions of 32 tokens, cheap barriers: %s', (cheap) => {
  it.each([
    ['256M, rollout', rollout(smolvlm256m)],
    ['256M, score', scoreGraph(smolvlm256m, pass)],
    ['256M, training pass', training(smolvlm256m, inVision)],
    ['500M, rollout', rollout(smolvlm500m)],
    // Its table, and so the table's gradient, takes 180 MiB in f32: no binding holds it.
    [
      '500M, training pass without the embedding',
      training(smolvlm500m, (name) => inVision(name) || name === embeddingName),
    ],
  ])('%s', (name, graph) => {
    const { largest, all } = sizeOf(graph, cheap);
    console.log(`${name}: ${all.toFixed(0)} MiB, the largest ${largest.toFixed(1)} MiB`);
    expect(largest).toBeLessThanOrEqual(128);
  });
});
