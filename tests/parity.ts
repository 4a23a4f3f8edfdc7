/** Runs a Hugging Face folder's expected.safetensors through a device: shared by tests and `npm run check:parity`. */
import type { Device } from '../src/device/device.ts';
import { UserError } from '../src/errors.ts';
import { partialGradients } from '../src/ops/backward.ts';
import { div, mul, neg } from '../src/ops/elementwise.ts';
import type { Graph, Tensor } from '../src/ops/graph.ts';
import { head } from '../src/ops/head.ts';
import { linear } from '../src/ops/linear.ts';
import { sum } from '../src/ops/reduce.ts';
import { parseVlmConfig } from '../src/policy/config.ts';
import { type Counts, layout } from '../src/policy/layout.ts';
import type { PolicyModel } from '../src/policy/model.ts';
import { checkWeights, parameterShapes } from '../src/policy/parameters.ts';
import { policyGraph } from '../src/policy/policy-graph.ts';
import { saliencyGraph } from '../src/policy/vision.ts';
import { loadModelFolder, type ModelFiles } from '../src/store/hf-folder.ts';
import { readSafetensors, toFloat32, toInt32 } from '../src/store/safetensors.ts';

export interface ParityError {
  readonly name: string;
  /** ‖a − b‖ / ‖b‖ over the tensor. */
  readonly error: number;
}

/** ‖a − b‖ / max(‖b‖, floor). */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>, floor = 0): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), floor, Number.MIN_VALUE);
}

/** A folder's expected.safetensors: full sequences, and what transformers makes of them. */
export async function readExpected(files: ModelFiles) {
  const folder = await loadModelFolder(files);
  const bytes = await files.read('expected.safetensors');
  if (!bytes) throw new UserError(`${files.where}: no expected.safetensors`);
  const expected = readSafetensors(bytes, 'expected.safetensors');
  const need = (name: string) => {
    const tensor = expected.get(name);
    if (!tensor) throw new UserError(`expected.safetensors: no tensor ${name}`);
    return tensor;
  };
  const config = parseVlmConfig(folder.config);
  const [B, L] = need('input_ids').shape;
  const ids = toInt32(need('input_ids'));
  const mask = toInt32(need('attention_mask'));
  const labels = toInt32(need('labels'));
  const pixels = toFloat32(need('pixel_values'));
  const pixelCount = pixels.length / B;
  const counts = { prefixes: B, prefixLength: L, group: 0, completionLength: 0 };
  const prompts = Array.from({ length: B }, (_, b) => ({
    ids: Array.from(ids.subarray(b * L, (b + 1) * L)).filter((_id, i) => mask[b * L + i] === 1),
    pixelValues: pixels.subarray(b * pixelCount, (b + 1) * pixelCount),
  }));
  // Row r predicts token r + 1.
  const targets = Int32Array.from({ length: B * L }, (_, r) =>
    (r + 1) % L ? Math.max(labels[r + 1], 0) : 0,
  );
  const target_mask = Float32Array.from(
    { length: B * L },
    (_, r) => +((r + 1) % L !== 0 && labels[r + 1] >= 0),
  );
  const V = config.text.vocabSize;
  return {
    ...{ config, weights: checkWeights(config, folder.weights), expected, need, pixels, counts },
    /** Of sequenceGraph. */
    inputs: { ...layout(config, counts, prompts, 0), targets, target_mask },
    /** Logits of rows with attention_mask 1; zeros for the others. */
    visible: (logits: ArrayLike<number>) =>
      Array.from({ length: B * L * V }, (_, i) => (mask[Math.floor(i / V)] ? logits[i] : 0)),
  };
}

/**
 * Full sequences to logits and the mean cross-entropy of the targets. Outputs: logits, loss; the gradients of `names`
 * are given to `take`.
 */
export function sequenceGraph(
  model: PolicyModel,
  counts: Counts,
  names: readonly string[],
  take: (g: Graph, name: string, gradient: Tensor) => void,
): Graph {
  const { g, hidden, headWeight } = policyGraph(model, counts);
  const rows = hidden.shape[0];
  g.output('logits', linear(g, hidden, headWeight));
  const targets = g.input('targets', [rows], 'i32');
  const weight = g.input('target_mask', [rows, 1]);
  const { logps } = head(g, hidden, headWeight, targets, g.scalar(1), 1);
  const loss = div(g, sum(g, neg(g, mul(g, logps, weight))), sum(g, weight));
  g.output('loss', loss);
  const wanted = names.map((name) => g.variables.get(name)!);
  partialGradients(g, new Map([[loss, g.scalar(1)]]), wanted).forEach((gradient, i) => {
    if (gradient) take(g, names[i], gradient);
  });
  return g;
}

/**
 * Errors of logits (rows with attention_mask 1), loss, every gradient, and the patch saliency where stored.
 * A gradient that is zero in exact arithmetic (key biases: a constant added to all scores of a query) is measured
 * against the gradient of the weight beside it.
 */
export async function parityErrors(device: Device, files: ModelFiles): Promise<ParityError[]> {
  const { config, weights, expected, need, pixels, counts, inputs, visible } = await readExpected(files);
  const names = [...parameterShapes(config).keys()];
  const g = sequenceGraph(config, counts, names, (graph, name, gradient) =>
    graph.output(`grad.${name}`, gradient),
  );

  const store = device.createStore([...weights].map(([name, { shape, data }]) => ({ name, shape, data })));
  const program = await device.compile(g, [store]);
  const got = await program.run(inputs);
  program.dispose();

  const norm = (name: string) => Math.sqrt(toFloat32(need(`grad.${name}`)).reduce((a, x) => a + x * x, 0));
  const total = Math.sqrt(names.reduce((sum, name) => sum + norm(name) ** 2, 0));
  // What is zero in exact arithmetic is rounding noise here: measured against the weight of the same projection.
  const scaleOf = (name: string) => (norm(name) < 1e-6 * total ? norm(name.replace(/bias$/, 'weight')) : 0);
  const errors: ParityError[] = [
    { name: 'logits', error: relativeError(visible(got.logits), visible(toFloat32(need('logits')))) },
    { name: 'loss', error: relativeError(got.loss, toFloat32(need('loss'))) },
    ...names.map((name) => ({
      name: `grad.${name}`,
      error: relativeError(got[`grad.${name}`] ?? [], toFloat32(need(`grad.${name}`)), scaleOf(name)),
    })),
  ];
  const saliency = expected.get('vision_attention_received');
  if (saliency) {
    const saliencyProgram = await device.compile(saliencyGraph(config, counts.prefixes), [store]);
    const { saliency: found } = await saliencyProgram.run({ pixel_values: pixels });
    errors.push({ name: 'vision_attention_received', error: relativeError(found, toFloat32(saliency)) });
    saliencyProgram.dispose();
  }
  store.dispose();
  return errors;
}
