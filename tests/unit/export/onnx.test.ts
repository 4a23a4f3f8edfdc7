// papo-nano exported with its ONNX files, opened from disk by @huggingface/transformers, writes our tokens.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  AutoModelForImageTextToText,
  AutoProcessor,
  env,
  RawImage,
  type Tensor,
  Tensor as TensorClass,
} from '@huggingface/transformers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateExample } from '../../../src/data/examples.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { linear } from '../../../src/ops/linear.ts';
import { layout } from '../../../src/policy/layout.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { policyGraph } from '../../../src/policy/policy-graph.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { relativeError } from '../../parity.ts';
import { writeExport } from './onnx-sources.ts';

/** What is used of the library's processor and model, whose own types say less. */
interface Processor {
  (text: string, images: RawImage[]): Promise<Record<string, Tensor>>;
  apply_chat_template(messages: object[], options: object): string;
  image_processor(images: RawImage[][]): Promise<Record<string, Tensor>>;
  tokenizer: {
    (texts: string[], options: object): Record<string, Tensor>;
    decode(ids: number[], options: object): string;
  };
}
interface Model {
  (inputs: object): Promise<Record<string, Tensor> & { logits: Tensor }>;
  generate(inputs: object): Promise<Tensor>;
  dispose(): Promise<unknown>;
}

const maxTokens = 24;
// Every kind of question, with hints and without, and prompts of several lengths.
const examples = Array.from({ length: 12 }, (_, i) =>
  generateExample(11, i % 2 ? 'test' : 'train', i, 'all'),
);
const raw = ({ image }: (typeof examples)[number]) =>
  new RawImage(new Uint8ClampedArray(image.data), image.width, image.height, 3);

let directory: string;
let policy: Policy;
let processor: Processor;
let model: Model;

const promptText = (question: string) =>
  processor.apply_chat_template(
    [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: question }] }],
    { add_generation_prompt: true },
  );
const numbers = (t: Tensor) => Array.from(t.data as BigInt64Array, Number);
const ours = async (some: typeof examples) => {
  const prompts = some.map(({ prompt, image }) => policy.prompt(prompt, image));
  const { ids, lengths, texts } = await policy.generate(prompts, {
    group: 1,
    maxTokens,
    temperature: 1,
    greedy: true,
    topK: 0,
    topP: 1,
    minP: 0,
    uniform: () => 0,
  });
  return some.map((_, i) => ({
    ids: Array.from(ids.subarray(i * maxTokens, i * maxTokens + lengths[i])),
    text: texts[i],
  }));
};
/** Up to and with the first end token: the library writes on until the last row of a batch has ended. */
const untilEnd = (ids: number[]) => {
  const end = ids.findIndex((id) => policy.text.eosTokenIds.includes(id));
  return end < 0 ? ids : ids.slice(0, end + 1);
};

beforeAll(async () => {
  const folder = await loadModelFolder(nodeFiles('public/models/papo-nano'));
  policy = Policy.create(new CpuDevice({ threads: 1 }), folder);
  directory = await mkdtemp(join(tmpdir(), 'papo-onnx-'));
  await writeExport(folder, directory);
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = dirname(directory);
  const id = basename(directory);
  processor = (await AutoProcessor.from_pretrained(id)) as unknown as Processor;
  // No dtype: config.json says which files there are.
  model = (await AutoModelForImageTextToText.from_pretrained(id)) as unknown as Model;
});

afterAll(async () => {
  await model?.dispose();
  policy?.dispose();
  await rm(directory, { recursive: true, force: true });
});

it('its processor makes our token ids and our pixels', async () => {
  let worst = 0;
  for (const example of examples) {
    const inputs = await processor(promptText(example.prompt), [raw(example)]);
    const { ids, pixelValues } = policy.prompt(example.prompt, example.image);
    expect(numbers(inputs.input_ids)).toEqual(ids);
    const pixels = inputs.pixel_values.data as Float32Array;
    expect(pixels.length).toBe(pixelValues.length);
    for (let i = 0; i < pixels.length; i++) worst = Math.max(worst, Math.abs(pixels[i] - pixelValues[i]));
  }
  // Rounding alone: 6e-8.
  expect(worst).toBeLessThan(1e-6);
});

it('its logits of a prompt are ours', async () => {
  let worst = 0;
  for (const example of examples.slice(0, 5)) {
    const inputs = await processor(promptText(example.prompt), [raw(example)]);
    const { logits } = await model(inputs);
    const prompt = policy.prompt(example.prompt, example.image);
    const counts = { prefixes: 1, prefixLength: prompt.ids.length, group: 0, completionLength: 0 };
    const key = `logits ${prompt.ids.length}`;
    const program = await policy.program(key, () => {
      const { g, hidden, headWeight } = policyGraph(policy.config, counts);
      g.output('logits', linear(g, hidden, headWeight));
      return g;
    });
    const expected = (await program.run(layout(policy.config, counts, [prompt], 0))).logits;
    expect(logits.dims).toEqual([1, prompt.ids.length, policy.config.text.vocabSize]);
    worst = Math.max(worst, relativeError(logits.data as Float32Array, expected));
  }
  expect(worst).toBeLessThan(1e-4);
});

it('generates our tokens greedily', async () => {
  const expected = await ours(examples);
  for (const [i, example] of examples.entries()) {
    const inputs = await processor(promptText(example.prompt), [raw(example)]);
    const output = await model.generate({ ...inputs, max_new_tokens: maxTokens, do_sample: false });
    const ids = numbers(output).slice(inputs.input_ids.dims[1]);
    expect(ids, example.prompt).toEqual(expected[i].ids);
    expect(processor.tokenizer.decode(ids, { skip_special_tokens: true })).toBe(expected[i].text);
  }
  expect(new Set(expected.map(({ text }) => text)).size).toBeGreaterThan(examples.length / 2);
});

const tensor = (rows: number[][]) =>
  new TensorClass('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
const lengthOf = (e: (typeof examples)[number]) => policy.prompt(e.prompt, e.image).ids.length;

/** The inputs of a batch; the processor itself pads none. */
async function batch(some: typeof examples) {
  const ids = some.map((e) => [...policy.prompt(e.prompt, e.image).ids]);
  const longest = Math.max(...ids.map((row) => row.length));
  const padded = (row: number[], fill: number, value?: number) => [
    ...Array<number>(longest - row.length).fill(fill),
    ...row.map((id) => value ?? id),
  ];
  return {
    input_ids: tensor(ids.map((row) => padded(row, policy.text.padTokenId))),
    attention_mask: tensor(ids.map((row) => padded(row, 0, 1))),
    ...(await processor.image_processor(some.map((e) => [raw(e)]))),
  };
}

it('generates our tokens from the float16 files, when asked for those', async () => {
  const some = examples.slice(0, 3);
  const id = basename(directory);
  const half = (await AutoModelForImageTextToText.from_pretrained(id, { dtype: 'fp16' })) as unknown as Model;
  for (const [i, { ids }] of (await ours(some)).entries()) {
    const inputs = await processor(promptText(some[i].prompt), [raw(some[i])]);
    const output = await half.generate({ ...inputs, max_new_tokens: maxTokens, do_sample: false });
    expect(numbers(output).slice(inputs.input_ids.dims[1])).toEqual(ids);
  }
  await half.dispose();
});

it('generates our tokens for a batch', async () => {
  const length = lengthOf(examples[0]);
  const some = examples.filter((e) => lengthOf(e) === length);
  expect(some.length).toBeGreaterThan(1);
  const inputs = await batch(some);
  const output = await model.generate({ ...inputs, max_new_tokens: maxTokens, do_sample: false });
  const rows = output.tolist() as bigint[][];
  expect(rows.map((row) => untilEnd(row.slice(length).map(Number)))).toEqual(
    (await ours(some)).map(({ ids }) => ids),
  );
});

// Token by token: the library's generate() forgets the padding after the first token where an image is given
// (generic_text_to_text_forward replaces the mask of the past with ones).
it('writes our tokens for prompts of different lengths, padded on the left', async () => {
  const sorted = examples.toSorted((a, b) => lengthOf(a) - lengthOf(b));
  const some = [sorted[sorted.length - 1], sorted[0]];
  expect(lengthOf(some[0])).toBeGreaterThan(lengthOf(some[1]));
  const first = await batch(some);
  const vocabulary = policy.config.text.vocabSize;
  const written: number[][] = some.map(() => []);
  let inputs: Record<string, unknown> = first;
  for (let t = 0; t < maxTokens; t++) {
    const { logits, ...rest } = await model(inputs);
    const width = logits.dims[1];
    const next = some.map((_, r) => {
      const end = (r + 1) * width * vocabulary;
      const last = (logits.data as Float32Array).subarray(end - vocabulary, end);
      return last.indexOf(Math.max(...last));
    });
    next.forEach((id, r) => {
      written[r].push(id);
    });
    const mask = (inputs.attention_mask as Tensor).tolist() as bigint[][];
    const caches = Object.entries(rest).map(([name, value]) => [
      name.replace('present', 'past_key_values'),
      value,
    ]);
    inputs = {
      input_ids: tensor(next.map((id) => [id])),
      attention_mask: tensor(mask.map((row) => [...row.map(Number), 1])),
      past_key_values: Object.fromEntries(caches),
    };
  }
  expect(written.map(untilEnd)).toEqual((await ours(some)).map(({ ids }) => ids));
});
