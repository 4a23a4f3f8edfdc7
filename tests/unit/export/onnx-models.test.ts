// The exported ONNX models by themselves, run by onnxruntime-web as a browser would: against transformers' numbers.
import * as ort from 'onnxruntime-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { memorySource } from '../../../src/export/model-folder.ts';
import { forTransformersJs, onnxFiles } from '../../../src/export/onnx/onnx-files.ts';
import { imageTokens, parseVlmConfig, type VlmConfig } from '../../../src/policy/config.ts';
import { parameterShapes } from '../../../src/policy/parameters.ts';
import { loadModelFolder, type ModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { readSafetensors, toFloat32, toInt32 } from '../../../src/store/safetensors.ts';
import { relativeError } from '../../parity.ts';
import { bytesOf } from './onnx-sources.ts';

const int64 = (rows: number[][]) =>
  new ort.Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
const floats = (tensor: ort.Tensor) => tensor.data as Float32Array;

/** A row without its padding, and what transformers computes for it. */
interface Row {
  ids: number[];
  pixels: Float32Array;
  /** [length, vocab] */
  logits: Float32Array;
}

describe.each(['smolvlm-tiny', 'smolvlm-tiny-untied'])('%s', (fixture) => {
  let config: VlmConfig;
  let rows: Row[];
  const sessions: Record<string, ort.InferenceSession> = {};

  beforeAll(async () => {
    const files = nodeFiles(`tests/fixtures/${fixture}`);
    const folder = await loadModelFolder(files);
    config = parseVlmConfig(folder.config);
    ort.env.wasm.numThreads = 1;
    for (const file of onnxFiles(folder.config, memorySource(folder.weights)))
      sessions[file.name.replace(/^onnx\/|\.onnx$/g, '')] = await ort.InferenceSession.create(
        await bytesOf(file),
        { executionProviders: ['wasm'] },
      );
    const expected = readSafetensors((await files.read('expected.safetensors'))!);
    const [batch, length] = expected.get('input_ids')!.shape;
    const mask = toInt32(expected.get('attention_mask')!);
    const ids = toInt32(expected.get('input_ids')!);
    const pixels = toFloat32(expected.get('pixel_values')!);
    const logits = toFloat32(expected.get('logits')!);
    const vocab = config.text.vocabSize;
    rows = Array.from({ length: batch }, (_, r) => {
      const visible = Array.from({ length }, (_, i) => r * length + i).filter((i) => mask[i] === 1);
      return {
        ids: visible.map((i) => ids[i]),
        pixels: pixels.subarray((r * pixels.length) / batch, ((r + 1) * pixels.length) / batch),
        logits: Float32Array.from(visible.flatMap((i) => [...logits.subarray(i * vocab, (i + 1) * vocab)])),
      };
    });
  });

  /** Image features of `images` (a list of images a row), the images in `absent` (row, image) being padding. */
  async function features(images: Float32Array[][], absent: [number, number][] = []): Promise<ort.Tensor> {
    const S = config.vision.imageSize;
    const [batch, count] = [images.length, images[0].length];
    const mask = new Uint8Array(batch * count * S * S).fill(1);
    for (const [r, i] of absent) mask.fill(0, (r * count + i) * S * S, (r * count + i + 1) * S * S);
    const { image_features } = await sessions.vision_encoder.run({
      pixel_values: new ort.Tensor('float32', Float32Array.from(images.flat().flatMap((i) => [...i])), [
        batch,
        count,
        3,
        S,
        S,
      ]),
      pixel_attention_mask: new ort.Tensor('bool', mask, [batch, count, S, S]),
    });
    return image_features;
  }

  /** Embeddings of ids, the image tokens replaced in order: [batch, length, hidden]. */
  async function embed(ids: number[][], image: ort.Tensor): Promise<ort.Tensor> {
    const { inputs_embeds } = await sessions.embed_tokens.run({ input_ids: int64(ids) });
    const d = config.text.hiddenSize;
    let token = 0;
    ids.flat().forEach((id, i) => {
      if (id !== config.imageTokenId) return;
      floats(inputs_embeds).set(floats(image).subarray(token * d, ++token * d), i * d);
    });
    expect(token * d).toBe(floats(image).length);
    return inputs_embeds;
  }

  const emptyCache = (batch: number) => {
    const { kvHeads, headDim, layers } = config.text;
    const empty = () => new ort.Tensor('float32', new Float32Array(0), [batch, kvHeads, 0, headDim]);
    const names = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
    return Object.fromEntries(names.map((name) => [`past_key_values.${name}`, empty()]));
  };

  /** The decoder over `embeds` cut into runs of the given lengths, each on the cache of those before. */
  async function decode(embeds: ort.Tensor, mask: number[][], runs: number[]): Promise<Float32Array[]> {
    const [batch, length, d] = embeds.dims;
    const positions = mask.map((row) => {
      let seen = 0;
      return row.map((m) => (m ? seen++ : 1));
    });
    let cache: Record<string, ort.Tensor> = emptyCache(batch);
    const logits: number[][] = mask.map(() => []);
    let from = 0;
    for (const run of runs) {
      const part = mask.flatMap((_, r) => [
        ...floats(embeds).subarray((r * length + from) * d, (r * length + from + run) * d),
      ]);
      const { logits: some, ...present } = await sessions.decoder_model_merged.run({
        inputs_embeds: new ort.Tensor('float32', Float32Array.from(part), [batch, run, d]),
        attention_mask: int64(mask.map((row) => row.slice(0, from + run))),
        position_ids: int64(positions.map((row) => row.slice(from, from + run))),
        ...cache,
      });
      cache = Object.fromEntries(
        Object.entries(present).map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
      );
      const width = run * config.text.vocabSize;
      logits.forEach((row, r) => {
        row.push(...floats(some).subarray(r * width, (r + 1) * width));
      });
      from += run;
    }
    expect(from).toBe(length);
    return logits.map((row) => Float32Array.from(row));
  }

  const alone = async ({ ids, pixels }: Row, runs = [ids.length]) =>
    (await decode(await embed([ids], await features([[pixels]])), [ids.map(() => 1)], runs))[0];

  it('has the names, types and shapes that transformers.js feeds and reads', () => {
    const { kvHeads, headDim, layers, hiddenSize, vocabSize } = config.text;
    const S = config.vision.imageSize;
    const describe = (list: readonly ort.InferenceSession.ValueMetadata[]) =>
      Object.fromEntries(list.map((v) => [v.name, v.isTensor ? [v.type, ...v.shape] : null]));
    expect(describe(sessions.vision_encoder.inputMetadata)).toEqual({
      pixel_values: ['float32', 'batch_size', 'num_images', 3, S, S],
      pixel_attention_mask: ['bool', 'batch_size', 'num_images', S, S],
    });
    expect(describe(sessions.vision_encoder.outputMetadata)).toEqual({
      image_features: ['float32', 'num_real_images', imageTokens(config), hiddenSize],
    });
    expect(describe(sessions.embed_tokens.inputMetadata)).toEqual({
      input_ids: ['int64', 'batch_size', 'sequence_length'],
    });
    const cache = (name: string, length: string) =>
      Object.fromEntries(
        Array.from({ length: layers }, (_, i) => ['key', 'value'].map((kind) => `${name}.${i}.${kind}`))
          .flat()
          .map((key) => [key, ['float32', 'batch_size', kvHeads, length, headDim]]),
      );
    expect(describe(sessions.decoder_model_merged.inputMetadata)).toEqual({
      inputs_embeds: ['float32', 'batch_size', 'sequence_length', hiddenSize],
      attention_mask: ['int64', 'batch_size', 'total_sequence_length'],
      position_ids: ['int64', 'batch_size', 'sequence_length'],
      ...cache('past_key_values', 'past_sequence_length'),
    });
    expect(describe(sessions.decoder_model_merged.outputMetadata)).toEqual({
      logits: ['float32', 'batch_size', 'sequence_length', vocabSize],
      ...cache('present', 'total_sequence_length'),
    });
  });

  it("gives transformers' logits", async () => {
    for (const row of rows) expect(relativeError(await alone(row), row.logits)).toBeLessThan(1e-4);
  });

  it('gives the same logits in pieces, on its cache', async () => {
    for (const row of rows) {
      const whole = await alone(row);
      const n = row.ids.length;
      const oneByOne = await alone(row, [n - 4, 1, 1, 1, 1]);
      const inChunks = await alone(row, [2, 3, n - 5]);
      expect(relativeError(oneByOne, whole)).toBeLessThan(1e-5);
      expect(relativeError(inChunks, whole)).toBeLessThan(1e-5);
    }
  });

  it('gives the same logits in a batch padded on the left, cached or not', async () => {
    const length = Math.max(...rows.map(({ ids }) => ids.length));
    const padding = rows.map(({ ids }) => length - ids.length);
    expect(Math.max(...padding)).toBeGreaterThan(0);
    const pad = (r: number) => Array<number>(padding[r]).fill(0);
    const embeds = await embed(
      rows.map(({ ids }, r) => [...pad(r), ...ids]),
      await features(rows.map(({ pixels }) => [pixels])),
    );
    const mask = rows.map(({ ids }, r) => [...pad(r), ...ids.map(() => 1)]);
    for (const runs of [[length], [length - 3, 1, 1, 1]]) {
      const logits = await decode(embeds, mask, runs);
      logits.forEach((row, r) => {
        const visible = row.subarray(padding[r] * config.text.vocabSize);
        expect(relativeError(visible, rows[r].logits)).toBeLessThan(1e-4);
        expect(row.every(Number.isFinite)).toBe(true);
      });
    }
  });

  it('gives nearly the same logits with weights in float16, in files of half the size', async () => {
    const folder = await loadModelFolder(nodeFiles(`tests/fixtures/${fixture}`));
    const tensors = memorySource(folder.weights);
    const full = onnxFiles(folder.config, tensors);
    const half = onnxFiles(folder.config, tensors, 'fp16');
    const weights = (files: { size: number }[]) => files.reduce((sum, { size }) => sum + size, 0);
    const parameters = [...folder.weights.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(weights(full) - weights(half)).toBeGreaterThan(1.8 * parameters);
    const before = { ...sessions };
    for (const file of half)
      sessions[file.name.replace(/^onnx\/|_fp16\.onnx$/g, '')] = await ort.InferenceSession.create(
        await bytesOf(file),
        { executionProviders: ['wasm'] },
      );
    const errors = await Promise.all(rows.map(async (row) => relativeError(await alone(row), row.logits)));
    Object.assign(sessions, before);
    // Rounding of weights by at most 2⁻¹¹, through a few layers.
    expect(Math.max(...errors)).toBeLessThan(5e-3);
    expect(Math.max(...errors)).toBeGreaterThan(1e-5);
  });

  it('leaves images out that the mask says are padding', async () => {
    const [a, b, c] = rows.map(({ pixels }) => pixels);
    const nothing = new Float32Array(a.length);
    const padded = await features(
      [
        [a, b],
        [c, nothing],
      ],
      [[1, 1]],
    );
    const real = await features([[a], [b], [c]]);
    expect(padded.dims).toEqual([3, imageTokens(config), config.text.hiddenSize]);
    expect(relativeError(floats(padded), floats(real))).toBeLessThan(1e-6);
  });
});

describe('files', () => {
  let folder: ModelFolder;
  beforeAll(async () => {
    folder = await loadModelFolder(nodeFiles('tests/fixtures/smolvlm-tiny'));
  });

  it('know their size before a weight is read, and may be read twice', async () => {
    const source = memorySource(folder.weights);
    let reads = 0;
    const counting = {
      ...source,
      read: (name: string) => {
        reads++;
        return source.read(name);
      },
    };
    const files = onnxFiles(folder.config, counting);
    expect(files.map(({ name }) => name)).toEqual([
      'onnx/vision_encoder.onnx',
      'onnx/embed_tokens.onnx',
      'onnx/decoder_model_merged.onnx',
    ]);
    expect(reads).toBe(0);
    for (const file of files) {
      const [once, again] = [await bytesOf(file), await bytesOf(file)];
      expect(Buffer.compare(once, again), file.name).toBe(0);
    }
    expect(reads).toBeGreaterThan(0);
  });

  it('refuse weights that the config does not fit', () => {
    const source = memorySource(folder.weights);
    const name = 'model.text_model.layers.1.mlp.up_proj.weight';
    const without = new Map([...source.shapes].filter(([key]) => key !== name));
    const other = new Map(source.shapes).set(name, [3, 3]);
    expect(() => onnxFiles(folder.config, { ...source, shapes: without })).toThrow(`${name} is missing`);
    expect(() => onnxFiles(folder.config, { ...source, shapes: other })).toThrow(`${name} is [3,3]`);
  });

  it('refuse a model of more than 2 GB, with the numbers and without reading it', () => {
    const config = structuredClone(folder.config);
    Object.assign(config.text_config as object, { hidden_size: 4096, intermediate_size: 16384 });
    Object.assign(config.text_config as object, { num_hidden_layers: 24 });
    const shapes = parameterShapes(parseVlmConfig(config));
    const read = () => Promise.reject(new Error('read'));
    expect(() => onnxFiles(config, { shapes, read })).toThrow(UserError);
    expect(() => onnxFiles(config, { shapes, read })).toThrow(
      /decoder_model_merged.onnx would take \d{10,} bytes; an ONNX file holds at most 2147483647/,
    );
  });
});

it('adds to a folder what transformers.js needs, and keeps the rest of it', async () => {
  const folder = await loadModelFolder(nodeFiles('public/models/papo-nano'));
  const known = {
    kept: 1,
    dtype: 'q4',
    kv_cache_dtype: { fp16: 'float16' },
    use_external_data_format: { 'decoder_model_merged.onnx': true },
    device_config: { webgpu: { dtype: 'q4f16' } },
  };
  folder.config['transformers.js_config'] = known;
  const { config, files } = forTransformersJs(folder, 'fp16');
  const dtype = { vision_encoder: 'fp16', embed_tokens: 'fp16', decoder_model_merged: 'fp16' };
  expect(config).toEqual({ ...folder.config, 'transformers.js_config': { kept: 1, dtype } });
  expect(folder.config['transformers.js_config']).toBe(known);
  expect(known).toMatchObject({ dtype: 'q4', kv_cache_dtype: { fp16: 'float16' } });
  const text = new TextDecoder().decode(files.get('tokenizer_config.json'));
  const before = folder.json.get('tokenizer_config.json');
  expect(JSON.parse(text)).toEqual({ ...before, chat_template: folder.chatTemplate });
  for (const [name, bytes] of folder.files)
    if (name !== 'tokenizer_config.json') expect(files.get(name)).toBe(bytes);
  expect([...files.keys()]).toEqual([...folder.files.keys()]);
});
