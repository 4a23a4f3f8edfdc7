/**
 * What a token costs as prompts get longer: SmolVLM-256M with LoRA r = 8 on WebGPU, one prompt × 4 completions × 32
 * tokens, two views, with 64 to 1,024 image tokens (1 to 16 images). Attention is timed apart, because its cost a token
 * grows with what the token looks at; all else must not.
 *   node scripts/run.mjs bench/scaling.ts [--json] [--small]
 */
import { parseArgs } from 'node:util';
import { attention } from '../src/ops/attention.ts';
import { partialGradients } from '../src/ops/backward.ts';
import { decodeAttention } from '../src/ops/generation.ts';
import { Graph } from '../src/ops/graph.ts';
import { parseConfig } from '../src/papo/config.ts';
import { textAttention } from '../src/policy/decoder.ts';
import { rolloutGraph } from '../src/policy/generate.ts';
import { loraOf, loraShapes } from '../src/policy/lora.ts';
import { type PolicyModel, parameters } from '../src/policy/model.ts';
import { trainingGraph } from '../src/policy/papo-pass.ts';
import { heldAs } from '../src/policy/precision.ts';
import { imageFeatures } from '../src/policy/vision.ts';
import { openBenchDevice, timeGraph } from './device.ts';
import { smolvlm256m } from './smolvlm.ts';

const [G, T, textTokens] = [4, 32, 32];

interface Row {
  readonly imageTokens: number;
  readonly tokens: number;
  /** Milliseconds. */
  readonly visionPerImage: number;
  /** Microseconds: a decoding step of G tokens, and the decoder's part of a training pass over both views, by token. */
  readonly decode: { readonly all: number; readonly attention: number; readonly rest: number };
  readonly train: { readonly all: number; readonly attention: number; readonly rest: number };
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean', default: false }, small: { type: 'boolean', default: false } },
  });
  const device = await openBenchDevice();
  const lora = loraOf(parseConfig({ use_peft: true, lora_r: 8 }))!;
  const size = values.small
    ? { ...smolvlm256m, text: { ...smolvlm256m.text, layers: 2, vocabSize: 49_200 } }
    : smolvlm256m;
  const model: PolicyModel = { ...size, lora, dtypeOf: heldAs(size, () => false), hasBlocks: false };
  const trainable = [...loraShapes(model, lora).keys()];
  const settings = parseConfig({ num_generations: G, per_device_train_batch_size: G }, 'smolvlm-lora');
  const rows: Row[] = [];
  for (const images of values.small ? [1, 2] : [1, 2, 4, 8, 16]) {
    const L = images * 64 + textTokens;
    const rollout = (maxTokens: number) =>
      rolloutGraph(
        model,
        { prompts: 1, prefixLength: L, group: G, maxTokens, images },
        { greedy: false, topK: 0, topP: 0.99, minP: 0 },
        { endTokens: [2], padToken: 2 },
      );
    const first = await timeGraph(device, rollout(1));
    const decode = ((await timeGraph(device, rollout(T))) - first) / (T - 1);
    const pass = { prompts: 1, prefixLength: L, group: G, completionLength: T, views: 2 as const };
    const options = { trainable, hasOldLogps: false, hasRefLogps: true, accumulate: false };
    const training = trainingGraph(model, { ...pass, images: 2 * images }, settings, options);
    const train = await timeGraph(device, training);

    const { layers, heads, kvHeads, headDim } = model.text;
    const shape = textAttention(model, { prefixes: 1, prefixLength: L, group: G, completionLength: T });
    // Every layer has keys and values of its own, which are not in the GPU's cache from the layer before.
    const decoding = new Graph();
    const turn = decoding.constant(Int32Array.of(T / 2), [1]);
    const keyMask = decoding.variable('mask', [1, L]);
    for (let layer = 0; layer < layers; layer++) {
      const own = (name: string, count: number, width: number) =>
        decoding.variable(`${name}.${layer}`, [count, width]);
      const [k, v] = ['k', 'v'].map((name) => own(name, L, kvHeads * headDim));
      const [ownK, ownV] = ['ownK', 'ownV'].map((name) => own(name, G, T * kvHeads * headDim));
      const q = own('q', G, heads * headDim);
      decodeAttention(decoding, q, { k: ownK, v: ownV }, { k, v, keyMask }, turn, shape);
    }
    const decodeOnly = await timeGraph(device, decoding);
    // Forward and backward; the graphs above keep what a layer computed.
    const count = 2 * (L + G * T);
    const attending = new Graph();
    for (let layer = 0; layer < layers; layer++) {
      const [q, k, v] = [heads, kvHeads, kvHeads].map((n, i) =>
        attending.variable(`${'qkv'[i]}.${layer}`, [count, n * headDim]),
      );
      const mask = attending.variable('mask', [2, L]);
      const y = attention(attending, q, k, v, mask, { ...shape, prefixes: 2 });
      const dy = attending.variable(`dy.${layer}`, y.shape);
      partialGradients(attending, new Map([[y, dy]]), [q, k, v]);
    }
    const trainOnly = await timeGraph(device, attending);
    // The tower's cost is by the image, and its attention's square is of one image's patches.
    const tower = new Graph();
    const pixels = tower.input('pixel_values', [2 * images, 3 * model.vision.imageSize ** 2]);
    imageFeatures(tower, parameters(tower, model), model, pixels);
    const vision = await timeGraph(device, tower);
    const split = (all: number, attentionMs: number, tokens: number) => ({
      all: (1000 * all) / tokens,
      attention: (1000 * attentionMs) / tokens,
      rest: (1000 * (all - attentionMs)) / tokens,
    });
    rows.push({
      imageTokens: images * 64,
      tokens: count,
      decode: split(decode, decodeOnly, G),
      train: split(train - vision, trainOnly, count),
      visionPerImage: vision / (2 * images),
    });
    if (!values.json) console.log(JSON.stringify(rows.at(-1)));
  }
  if (values.json) console.log(JSON.stringify({ device: device.label, rows }));
  device.dispose();
  return 0;
}
