/** What a rollout must satisfy on any device; run in Node on the CPU and the reference, in the browser on WebGPU. */
import { expect } from 'vitest';
import type { Device } from '../src/device/device.ts';
import { gather } from '../src/ops/gather.ts';
import { sample } from '../src/ops/generation.ts';
import { Graph } from '../src/ops/graph.ts';
import { parseConfig } from '../src/papo/config.ts';
import { Purpose, uniform } from '../src/papo/random.ts';
import { decodeStep, textAttention } from '../src/policy/decoder.ts';
import { rolloutGraph } from '../src/policy/generate.ts';
import { layout, roundUp } from '../src/policy/layout.ts';
import { gradientName } from '../src/policy/optimizer.ts';
import { type PassShape, passCounts, trainingGraph } from '../src/policy/papo-pass.ts';
import { parameterShapes } from '../src/policy/parameters.ts';
import { policyGraph } from '../src/policy/policy-graph.ts';
import type { ModelFiles } from '../src/store/hf-folder.ts';
import { type TinyModel, tinyModel } from './model-fixture.ts';
import { relativeError } from './parity.ts';

const pad = 0;
const noCut = { topK: 0, topP: 1, minP: 0 };

/** Greedy decoding with cache and shared prefix writes what transformers' generate writes, for groups of 1 and 2. */
export async function greedyEqualsTransformers(device: Device, files: ModelFiles): Promise<void> {
  const { config, store, prompts, greedy } = await tinyModel(device, files);
  const T = greedy[0].length;
  for (const G of [1, 2]) {
    const L = Math.max(...prompts.map((p) => p.ids.length)) + 1;
    const shape = { prompts: prompts.length, prefixLength: L, group: G, maxTokens: T };
    const graph = rolloutGraph(config, shape, { greedy: true, ...noCut }, { endTokens: [], padToken: pad });
    const program = await device.compile(graph, [store]);
    const { completions } = await program.run({
      ...layout(
        config,
        { prefixes: prompts.length, prefixLength: L, group: 0, completionLength: 0 },
        prompts,
        pad,
      ),
      temperature: Float32Array.of(1),
      uniforms: new Float32Array(T * prompts.length * G),
      completion_start: Int32Array.from(
        { length: prompts.length * G },
        (_, n) => prompts[Math.floor(n / G)].ids.length,
      ),
    });
    expect(Array.from(completions)).toEqual(greedy.flatMap((row) => Array(G).fill(row).flat()));
    program.dispose();
  }
}

/** Hidden states of completion tokens fed one by one through the cache equal those of one pass over all rows. */
export async function cachedEqualsUncached(device: Device, files: ModelFiles): Promise<number> {
  const { config, store, prompts, greedy } = await tinyModel(device, files);
  const [P, G, T] = [prompts.length, 2, 5];
  const L = roundUp(Math.max(...prompts.map((p) => p.ids.length)), 8);
  const N = P * G;
  const tokens = Int32Array.from(
    { length: N * T },
    (_, i) => (greedy[Math.floor(i / (G * T))][i % T] + Math.floor(i / T)) % config.imageTokenId,
  );

  const counts = { prefixes: P, prefixLength: L, group: G, completionLength: T };
  const full = policyGraph(config, counts);
  full.g.output('hidden', full.hidden);
  const whole = await device.compile(full.g, [store]);
  const { hidden } = await whole.run(layout(config, counts, prompts, pad, tokens));

  const prefixCounts = { prefixes: P, prefixLength: L, group: 0, completionLength: 0 };
  const { g, w, tables, embedding, caches, keyMask } = policyGraph(config, {
    ...prefixCounts,
    extraPositions: T,
  });
  const width = config.text.kvHeads * config.text.headDim;
  const empty = () => g.constant(new Float32Array(N * T * width), [N, T * width]);
  // Caches grow in place, so each has storage of its own.
  let own = caches.map(() => ({ k: empty(), v: empty() }));
  for (let t = 0; t < T; t++) {
    const ids = g.constant(
      Int32Array.from({ length: N }, (_, n) => tokens[n * T + t]),
      [N],
    );
    const at = g.constant(
      Int32Array.from({ length: N }, (_, n) => prompts[Math.floor(n / G)].ids.length + t),
      [N],
    );
    const turn = g.constant(Int32Array.of(t), [1]);
    const step = decodeStep(
      g,
      w,
      config,
      gather(g, embedding, ids),
      at,
      tables,
      own,
      { caches, keyMask },
      turn,
      textAttention(config, counts),
    );
    own = step.caches;
    g.output(`hidden.${t}`, step.hidden);
  }
  const stepwise = await device.compile(g, [store]);
  const out = await stepwise.run(layout(config, prefixCounts, prompts, pad));
  const d = config.text.hiddenSize;
  const cached: number[] = [];
  for (let n = 0; n < N; n++)
    for (let t = 0; t < T; t++) cached.push(...out[`hidden.${t}`].subarray(n * d, (n + 1) * d));
  whole.dispose();
  stepwise.dispose();
  return relativeError(cached, hidden.subarray(P * L * d));
}

/** Loss, then all gradients, of a PAPO pass on both views of the stored prompts, with completions made up. */
async function papoPass(
  device: Device,
  { config, store, prompts, greedy }: TinyModel,
  { isShared = true, hasBlocks = false } = {},
): Promise<number[]> {
  const settings = parseConfig({ perception_loss_weight: 0.1, perception_kl: 'exact', beta: 0 });
  const [P, G, T] = [prompts.length, 3, 4];
  const L = roundUp(Math.max(...prompts.map((p) => p.ids.length)), 8);
  const repeats = isShared ? 1 : G;
  const shape: PassShape = {
    ...{ prefixLength: L, completionLength: T, views: 2 },
    ...(isShared ? { prompts: P, group: G } : { prompts: P * G, group: 1 }),
  };
  const tokens = Int32Array.from(
    { length: P * G * T },
    (_, i) => (greedy[Math.floor(i / (G * T))][i % T] + Math.floor(i / T)) % config.imageTokenId,
  );
  const masked = prompts.map((p) => ({
    ids: p.ids,
    pixelValues: p.pixelValues.map((x, i) => (i % 7 < 4 ? -1 : x)),
  }));
  const names = [...parameterShapes(config).keys()];
  const options = { trainable: names, hasOldLogps: false, hasRefLogps: false, accumulate: false };
  const gradients = device.createStore(
    [...parameterShapes(config)].map(([name, s]) => ({ name: gradientName(name), shape: s })),
  );
  const graph = trainingGraph({ ...config, hasBlocks }, shape, settings, options);
  const program = await device.compile(graph, [store, gradients]);
  const copies = (list: typeof prompts) => list.flatMap((p) => Array(repeats).fill(p) as typeof prompts);
  const both = Int32Array.from([...tokens, ...tokens]);
  const B = P * G;
  const one = (x: number) => Float32Array.of(x);
  const { loss } = await program.run({
    ...layout(config, passCounts(shape), [...copies(prompts), ...copies(masked)], pad, both),
    targets: tokens,
    temperature: one(1),
    completion_mask: Float32Array.from({ length: B * T }, (_, i) =>
      i % T < 2 + (Math.floor(i / T) % 3) ? 1 : 0,
    ),
    advantages: Float32Array.from({ length: B }, (_, i) => Math.sin(1 + i)),
    num_items_in_batch: one(B * 3),
    perception_loss_weight: one(0.1),
    der_loss_weight1: one(0.03),
    der_loss_weight2: one(0.03),
    annealing_discount: one(1),
    beta: one(0),
  });
  const all = [loss[0]];
  for (const name of names) all.push(...(await gradients.read(gradientName(name))));
  program.dispose();
  gradients.dispose();
  return all;
}

/** Loss and gradients with G completions on one prefix against G copies of the prefix with one completion each. */
export async function sharedEqualsUnshared(device: Device, files: ModelFiles): Promise<number> {
  const model = await tinyModel(device, files);
  return relativeError(await papoPass(device, model), await papoPass(device, model, { isShared: false }));
}

/** Loss and gradients with each layer computed again in the backward pass against those with all of it kept. */
export async function recomputedEqualsKept(device: Device, files: ModelFiles): Promise<number> {
  const model = await tinyModel(device, files);
  return relativeError(await papoPass(device, model, { hasBlocks: true }), await papoPass(device, model));
}

/** χ² of sampled tokens against the softmax with the given cut, and the degrees of freedom. */
export async function samplerChiSquare(
  device: Device,
  cut: { topK: number; topP: number; minP: number },
  temperature: number,
): Promise<{ chiSquare: number; freedom: number; outside: number }> {
  const [N, V] = [4000, 12];
  const z = Array.from({ length: V }, (_, v) => 2 * Math.sin(3 * v + 1));
  const g = new Graph();
  const logits = g.input('logits', [N, V]);
  const uniforms = g.input('uniforms', [2, N]);
  const turn = g.constant(Int32Array.of(1), [1]);
  g.output('tokens', sample(g, logits, uniforms, turn, g.input('temperature', [1, 1]), cut));
  const program = await device.compile(g, []);
  const { tokens } = await program.run({
    logits: Float32Array.from({ length: N * V }, (_, i) => z[i % V]),
    uniforms: Float32Array.from({ length: 2 * N }, (_, i) => uniform(11, Purpose.test, i)),
    temperature: Float32Array.of(temperature),
  });
  program.dispose();
  const p = expectedProbabilities(z, cut, temperature);
  let chiSquare = 0;
  for (let v = 0; v < V; v++) {
    if (p[v] === 0) continue;
    const count = Array.from(tokens).filter((t) => t === v).length;
    chiSquare += (count - N * p[v]) ** 2 / (N * p[v]);
  }
  return {
    chiSquare,
    freedom: p.filter((x) => x > 0).length - 1,
    outside: Array.from(tokens).filter((t) => !(p[t] > 0)).length,
  };
}

/** Softmax cut by top-k, then top-p, then min-p, written apart from the op. */
function expectedProbabilities(
  z: number[],
  { topK, topP, minP }: Parameters<typeof samplerChiSquare>[1],
  temperature: number,
): number[] {
  const softmax = (x: number[]) => {
    const e = x.map((v) => Math.exp(v));
    const total = e.reduce((a, b) => a + b, 0);
    return e.map((v) => v / total);
  };
  let logits = z.map((v) => v / temperature);
  const drop = (keep: (p: number, rank: number, before: number) => boolean) => {
    const p = softmax(logits);
    const order = p.map((_, v) => v).sort((a, b) => p[b] - p[a]);
    let before = 0;
    order.forEach((v, rank) => {
      const stay = keep(p[v], rank, before);
      before += p[v];
      if (!stay) logits = logits.map((x, i) => (i === v ? Number.NEGATIVE_INFINITY : x));
    });
  };
  if (topK > 0) drop((_p, rank) => rank < topK);
  if (topP < 1) drop((_p, _rank, before) => before < topP);
  if (minP > 0) {
    const top = Math.max(...softmax(logits));
    drop((p) => p >= minP * top);
  }
  return softmax(logits);
}
