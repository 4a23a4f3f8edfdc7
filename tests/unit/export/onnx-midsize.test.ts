// A model of a few million parameters in SmolVLM-256M's proportions, with a LoRA adapter merged in while it is written
// as float16 ONNX: run by onnxruntime-web, against our own float32 graph on the merged weights.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForImageTextToText, env, Tensor } from '@huggingface/transformers';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { mergedSource } from '../../../src/export/lora/merge.ts';
import { memorySource } from '../../../src/export/model-folder.ts';
import { forTransformersJs, onnxFiles } from '../../../src/export/onnx/onnx-files.ts';
import type { TensorSource } from '../../../src/export/out-file.ts';
import { linear } from '../../../src/ops/linear.ts';
import { imageTokens, parseVlmConfig } from '../../../src/policy/config.ts';
import { layout } from '../../../src/policy/layout.ts';
import { initialLora, type LoraConfig, loraTowers } from '../../../src/policy/lora.ts';
import { initialWeights } from '../../../src/policy/parameters.ts';
import { policyGraph } from '../../../src/policy/policy-graph.ts';
import { relativeError } from '../../parity.ts';
import { bytesOf } from './onnx-sources.ts';

// The real one: hidden 576, 30 layers, 49,280 words; vision 768, 12 layers, 512 pixels.
const config = {
  model_type: 'idefics3',
  image_token_id: 12_200,
  scale_factor: 4,
  tie_word_embeddings: true,
  text_config: {
    model_type: 'llama',
    vocab_size: 12_320,
    hidden_size: 144,
    intermediate_size: 384,
    num_hidden_layers: 8,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    rope_theta: 100_000,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 8192,
  },
  vision_config: {
    hidden_size: 192,
    intermediate_size: 768,
    num_hidden_layers: 3,
    num_attention_heads: 12,
    image_size: 256,
    patch_size: 16,
  },
};
const model = parseVlmConfig(config);
const lora: LoraConfig = {
  r: 8,
  lora_alpha: 16,
  target_modules: 'all-linear',
  use_rslora: false,
  towers: loraTowers,
};
const noise = (i: number) => ((((i + 1) * 2654435761) >>> 8) % 65_536) / 65_536 - 0.5;

const weights = initialWeights(model, 1);
const adapter = initialLora(model, lora, 2);
for (const [name, { data }] of adapter)
  if (name.includes('lora_B')) for (let i = 0; i < data.length; i++) data[i] = 0.2 * noise(i);
const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
const merged = mergedSource(config, memorySource(weights), { lora, tensors: memorySource(adapter) });

const tokens = imageTokens(model);
const ids = [
  1,
  ...Array<number>(tokens).fill(model.imageTokenId),
  ...Array.from({ length: 24 }, (_, i) => 3 + 97 * i),
];
const pixelValues = Float32Array.from({ length: 3 * model.vision.imageSize ** 2 }, (_, i) => 2 * noise(i));

let expected: Float32Array;
const device = new CpuDevice({ threads: 1 });
const reads: string[] = [];
let largestPiece = 0;
const sessions: Record<string, ort.InferenceSession> = {};

beforeAll(async () => {
  const variables = [];
  for (const [name, shape] of merged.shapes) variables.push({ name, shape, data: await merged.read(name) });
  const counts = { prefixes: 1, prefixLength: ids.length, group: 0, completionLength: 0 };
  const { g, hidden, headWeight } = policyGraph(model, counts);
  g.output('logits', linear(g, hidden, headWeight));
  const program = await device.compile(g, [device.createStore(variables)]);
  expected = Float32Array.from((await program.run(layout(model, counts, [{ ids, pixelValues }], 0))).logits);

  const source: TensorSource = {
    shapes: merged.shapes,
    read: (name) => {
      reads.push(name);
      return merged.read(name);
    },
  };
  ort.env.wasm.numThreads = 1;
  for (const file of onnxFiles(config, source, 'fp16')) {
    for await (const piece of file.chunks()) largestPiece = Math.max(largestPiece, piece.byteLength);
    sessions[file.name.replace(/^onnx\/|_fp16\.onnx$/g, '')] = await ort.InferenceSession.create(
      await bytesOf(file),
      { executionProviders: ['wasm'] },
    );
  }
}, 120_000);
afterAll(async () => {
  await Promise.all(Object.values(sessions).map((session) => session.release()));
});

it('has the size that is worth testing', () => {
  expect(parameters).toBeGreaterThan(4e6);
});

it('gives our logits, to what float16 weights allow', async () => {
  const S = model.vision.imageSize;
  const { image_features } = await sessions.vision_encoder.run({
    pixel_values: new ort.Tensor('float32', pixelValues, [1, 1, 3, S, S]),
    pixel_attention_mask: new ort.Tensor('bool', new Uint8Array(S * S).fill(1), [1, 1, S, S]),
  });
  const int64 = (row: number[]) => new ort.Tensor('int64', BigInt64Array.from(row, BigInt), [1, row.length]);
  const { inputs_embeds } = await sessions.embed_tokens.run({ input_ids: int64(ids) });
  (inputs_embeds.data as Float32Array).set(image_features.data as Float32Array, model.text.hiddenSize);
  const { kvHeads, headDim, layers } = model.text;
  const empty = () => new ort.Tensor('float32', new Float32Array(0), [1, kvHeads, 0, headDim]);
  const cache = Array.from({ length: layers }, (_, i) => [
    [`past_key_values.${i}.key`, empty()],
    [`past_key_values.${i}.value`, empty()],
  ]).flat();
  const { logits } = await sessions.decoder_model_merged.run({
    inputs_embeds,
    attention_mask: int64(ids.map(() => 1)),
    position_ids: int64(ids.map((_, i) => i)),
    ...Object.fromEntries(cache),
  });
  expect(logits.dims).toEqual([1, ids.length, model.text.vocabSize]);
  const error = relativeError(logits.data as Float32Array, expected);
  // A rounding of 2⁻¹² in the mean, over some ten matrices in a row.
  expect(error).toBeLessThan(2e-3);
  expect(error).toBeGreaterThan(1e-5);
});

it('gives them through transformers.js too, which takes the files that config.json names', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'papo-onnx-'));
  try {
    // As a config of the Hub has it, of another repository's files.
    const published = { ...config, 'transformers.js_config': { kv_cache_dtype: { fp16: 'float16' } } };
    const parts = forTransformersJs({ config: published, files: new Map(), chatTemplate: null }, 'fp16');
    await mkdir(join(directory, 'onnx'));
    await writeFile(join(directory, 'config.json'), JSON.stringify(parts.config));
    for (const file of onnxFiles(config, merged, 'fp16'))
      await writeFile(join(directory, file.name), await bytesOf(file));
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = dirname(directory);
    const opened = await AutoModelForImageTextToText.from_pretrained(basename(directory));
    const S = model.vision.imageSize;
    const int64 = (row: number[]) => new Tensor('int64', BigInt64Array.from(row, BigInt), [1, row.length]);
    const { logits } = (await opened({
      input_ids: int64(ids),
      attention_mask: int64(ids.map(() => 1)),
      pixel_values: new Tensor('float32', pixelValues, [1, 1, 3, S, S]),
      pixel_attention_mask: new Tensor('bool', new Uint8Array(S * S).fill(1), [1, 1, S, S]),
    })) as { logits: Tensor };
    const error = relativeError(logits.data as Float32Array, expected);
    expect(error).toBeLessThan(2e-3);
    expect(error).toBeGreaterThan(1e-5);
    await opened.dispose();
  } finally {
    await rm(directory, { recursive: true });
  }
}, 60_000);

it('reads one tensor after another, and gives it away in small pieces', () => {
  const shared = reads.filter((name) => name.includes('embed_tokens'));
  // Twice for each time the files were read: as the table, and as the head of the decoder.
  expect(shared).toHaveLength(4);
  expect(largestPiece).toBeLessThanOrEqual(2 * 2 ** 20);
});
