/**
 * What a WebGPU device makes of SmolVLM-256M's operations, in Node (Dawn, npm package webgpu): products in each variant
 * and precision, attention, the head over 49,280 tokens, a decoding step, whole passes, and papo-nano's training step.
 *   node scripts/run.mjs bench/device.ts [--json] [--small] [--only gemm,attention,head,passes,nano]
 * --small: sizes for a software adapter. Prints milliseconds and GFLOP/s; with --json one object.
 */
import { parseArgs } from 'node:util';
import type { Store } from '../src/device/device.ts';
import { type GemmPlan, type GemmVariant, gemmClass, gemmVariants } from '../src/device/webgpu/gemm.ts';
import type { WebgpuProgram } from '../src/device/webgpu/program.ts';
import { WebgpuDevice, type WebgpuOptions } from '../src/device/webgpu/webgpu-device.ts';
import { type AttentionShape, attention } from '../src/ops/attention.ts';
import { partialGradients } from '../src/ops/backward.ts';
import { Graph, type Tensor } from '../src/ops/graph.ts';
import { head } from '../src/ops/head.ts';
import { matmul } from '../src/ops/linear.ts';
import { parseConfig } from '../src/papo/config.ts';
import type { VlmConfig } from '../src/policy/config.ts';
import { rolloutGraph } from '../src/policy/generate.ts';
import { gradientName } from '../src/policy/optimizer.ts';
import { type PassShape, scoreGraph, trainingGraph } from '../src/policy/papo-pass.ts';
import { parameterShapes, visionPrefix } from '../src/policy/parameters.ts';
import { measure } from './bench.ts';
import { smolvlm256m } from './smolvlm.ts';

interface Row {
  readonly part: string;
  readonly name: string;
  readonly ms: number;
  readonly gflops?: number;
  readonly note?: string;
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      small: { type: 'boolean', default: false },
      only: { type: 'string', default: 'gemm,attention,head,passes,nano' },
    },
  });
  const bench = new Bench(await openDawn(), values.small, values.json);
  const parts: Record<string, () => Promise<void>> = {
    gemm: () => bench.gemm(),
    attention: () => bench.attention(),
    head: () => bench.head(),
    passes: () => bench.passes(),
    nano: () => bench.nano(),
  };
  const device = await bench.open();
  const about = { device: device.label, limits: device.limits, gemm: device.gemm };
  device.dispose();
  if (!values.json) console.log(JSON.stringify(about));
  for (const name of values.only.split(',')) {
    const begin = performance.now();
    await parts[name]?.().catch((error) => bench.failed(name, error));
    bench.add({ part: name, name: 'all of it, with compiling', ms: performance.now() - begin });
  }
  if (values.json) console.log(JSON.stringify({ ...about, rows: bench.rows }));
  return 0;
}

/** Kept for the life of the process: Dawn aborts when its instance is collected while a device is in use. */
let dawn: GPU;

export async function openDawn(): Promise<GPU> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // For instance enable-dawn-features=vulkan_enable_f16_on_nvidia: Dawn keeps shader-f16 from NVIDIA's driver.
  dawn = create(process.env.DAWN_FLAGS?.split(' ') ?? []);
  return dawn;
}

/** A WebGPU device in Node, with its own choice of kernels. */
export async function openBenchDevice(): Promise<WebgpuDevice> {
  return WebgpuDevice.create({ gpu: await openDawn() });
}

type Precision = 'f32' | 'packed' | 'f16';

class Bench {
  readonly rows: Row[] = [];

  constructor(
    private readonly gpu: GPU,
    private readonly small: boolean,
    private readonly quiet: boolean,
  ) {}

  open(options: WebgpuOptions = {}): Promise<WebgpuDevice> {
    return WebgpuDevice.create({ gpu: this.gpu, ...options });
  }

  add(row: Row): void {
    this.rows.push(row);
    if (this.quiet) return;
    const { part, name, ms, gflops, note } = row;
    const speed = gflops === undefined ? '' : `${gflops.toFixed(1)} GFLOP/s`;
    console.log(
      `${part.padEnd(10)} ${name.padEnd(48)} ${ms.toFixed(3).padStart(10)} ms  ${speed} ${note ?? ''}`,
    );
  }

  failed(part: string, error: unknown): void {
    this.add({ part, name: 'FAILED', ms: 0, note: error instanceof Error ? error.message : String(error) });
  }

  async gemm(): Promise<void> {
    // name, m, n, k; `across`: as in a weight's gradient, both operands contiguous across k.
    const shapes: [name: string, m: number, n: number, k: number, across?: boolean][] = this.small
      ? [
          ['wide', 64, 96, 72],
          ['decode', 4, 96, 72],
          ['weight gradient', 48, 64, 512, true],
        ]
      : [
          ['vision q', 1024, 768, 768],
          ['vision fc1', 1024, 3072, 768],
          ['vision fc2', 1024, 768, 3072],
          ['connector', 64, 576, 12_288],
          ['text q', 512, 576, 576],
          ['text gate', 512, 1536, 576],
          ['text down', 512, 576, 1536],
          ['weight gradient', 1536, 576, 512, true],
          ['head', 256, 49_280, 576],
          ['head, d hidden', 256, 576, 49_280],
          ['decode q, 4 rows', 4, 576, 576],
          ['decode gate, 4 rows', 4, 1536, 576],
          ['decode head, 4 rows', 4, 49_280, 576],
          ['decode gate, 64 rows', 64, 1536, 576],
        ];
    const has = (await this.gpu.requestAdapter())?.features.has('shader-f16');
    const precisions: Precision[] = has ? ['f32', 'packed', 'f16'] : ['f32', 'packed'];
    const variants = Object.keys(gemmVariants) as GemmVariant[];
    for (const precision of precisions)
      for (const variant of [...variants, 'rows'] as const) {
        const devices = new Map<number, WebgpuDevice>();
        for (const [name, m, n, k, across] of shapes) {
          if (across && precision !== 'f32') continue;
          // Few rows have a kernel of their own where barriers are cheap.
          const few = variant === 'rows';
          if (few && m > 16) continue;
          const plan: GemmPlan = {
            variant: few ? 'register' : variant,
            splitTo: gemmClass({ m, n, k }) === 'deep' ? 256 : 0,
          };
          const known = devices.get(plan.splitTo);
          const device =
            known ?? (await this.open({ gemm: plan, shaderF16: precision === 'f16', cheapBarriers: few }));
          devices.set(plan.splitTo, device);
          const g = new Graph();
          const dtype = precision === 'f32' ? 'f32' : 'f16';
          const back = name.endsWith('d hidden');
          const a = g.variable('a', across ? [k, m] : [m, k]);
          const b = g.variable('b', across || back ? [k, n] : [n, k], dtype);
          matmul(g, a, b, { transA: across, transB: !across && !back });
          const ms = await timeGraph(device, g);
          const label = `${name} [${m}, ${n}, ${k}] ${variant} ${precision}`;
          this.add({ part: 'gemm', name: label, ms, gflops: (2 * m * n * k) / ms / 1e6 });
        }
        for (const device of devices.values()) device.dispose();
      }
  }

  async attention(): Promise<void> {
    for (const cheapBarriers of [true, false]) {
      const device = await this.open({ cheapBarriers });
      await this.attentionOn(device, cheapBarriers ? 'tiled' : 'plain');
      device.dispose();
    }
  }

  private async attentionOn(device: WebgpuDevice, kind: string): Promise<void> {
    const of = (prefixes: number, prefixLength: number, group: number, completionLength: number) => ({
      ...{ prefixes, prefixLength, group, completionLength, headDim: 64 },
    });
    const text = { heads: 9, kvHeads: 3, causal: true };
    const vision = { heads: 12, kvHeads: 12, causal: false };
    const shapes: [string, AttentionShape][] = this.small
      ? [
          ['text', { ...of(1, 24, 2, 8), ...text }],
          ['vision', { ...of(1, 64, 1, 0), ...vision, heads: 2, kvHeads: 2 }],
        ]
      : [
          ['text P=2 L=128 G=4 T=32', { ...of(2, 128, 4, 32), ...text }],
          ['text P=2 L=1152 G=4 T=32', { ...of(2, 1152, 4, 32), ...text }],
          ['vision 1 image', { ...of(1, 1024, 1, 0), ...vision }],
          ['vision 4 images', { ...of(4, 1024, 1, 0), ...vision }],
        ];
    for (const [name, s] of shapes) {
      const rows = s.prefixes * (s.prefixLength + s.group * s.completionLength);
      const prefixKeys = s.causal ? (s.prefixLength + 1) / 2 : s.prefixLength;
      const ownKeys = s.prefixLength + (s.completionLength + 1) / 2;
      const pairs =
        s.prefixes * (s.prefixLength * prefixKeys + s.group * s.completionLength * ownKeys) * s.heads;
      const build = (backward: boolean) => {
        const g = new Graph();
        const [q, k, v] = [s.heads, s.kvHeads, s.kvHeads].map((heads, i) =>
          g.variable('qkv'[i], [rows, heads * s.headDim]),
        );
        const y = attention(g, q, k, v, g.variable('mask', [s.prefixes, s.prefixLength]), s);
        if (backward) partialGradients(g, new Map([[y, g.variable('dy', y.shape)]]), [q, k, v]);
        return g;
      };
      const forward = await timeGraph(device, build(false));
      const both = await timeGraph(device, build(true));
      const flops = 4 * pairs * s.headDim;
      this.add({
        part: 'attention',
        name: `${kind}, ${name}, forward`,
        ms: forward,
        gflops: flops / forward / 1e6,
      });
      const ms = both - forward;
      this.add({
        part: 'attention',
        name: `${kind}, ${name}, backward`,
        ms,
        gflops: (2.5 * flops) / ms / 1e6,
      });
    }
  }

  async head(): Promise<void> {
    const device = await this.open();
    const [rows, d, V] = this.small ? [8, 24, 3001] : [128, 576, 49_280];
    for (const dtype of ['f32', 'f16'] as const) {
      const build = (backward: boolean) => {
        const g = new Graph();
        const hidden = g.variable('hidden', [2 * rows, d]);
        const targets = g.constant(new Int32Array(rows), [rows]);
        const { logps, kl } = head(g, hidden, g.variable('w', [V, d], dtype), targets, g.scalar(1), 2);
        const seeds = new Map<Tensor, Tensor>([
          [logps, g.variable('dlogps', logps.shape)],
          [kl, g.variable('dkl', kl.shape)],
        ]);
        if (backward) partialGradients(g, seeds, [hidden]);
        return g;
      };
      const flops = 2 * 2 * rows * d * V;
      const forward = await timeGraph(device, build(false));
      const both = await timeGraph(device, build(true));
      const name = `2 views of ${rows} rows, V = ${V}, ${dtype}`;
      this.add({ part: 'head', name: `${name}, forward`, ms: forward, gflops: flops / forward / 1e6 });
      const ms = both - forward;
      this.add({ part: 'head', name: `${name}, d hidden`, ms, gflops: (2 * flops) / ms / 1e6 });
    }
    device.dispose();
  }

  /** One prompt, four completions of 32 tokens, two views; all weights f32, all text weights trained. */
  async passes(): Promise<void> {
    const device = await this.open();
    const config: VlmConfig = this.small ? tiny(smolvlm256m) : smolvlm256m;
    const [L, G, T] = this.small ? [8, 2, 4] : [96, 4, 32];
    const shapes = parameterShapes(config);
    const weights = device.createStore([...shapes].map(([name, shape]) => ({ name, shape })));
    const trainable = [...shapes.keys()].filter((name) => !name.startsWith(visionPrefix));
    const gradients = device.createStore(
      trainable.map((name) => ({ name: gradientName(name), shape: shapes.get(name)! })),
    );
    const stores = [weights, gradients];
    const sampling = { topK: 0, topP: 0.99, minP: 0 };
    const ends = { endTokens: [2], padToken: 2 };
    const rollout = (maxTokens: number, how: typeof sampling = sampling) =>
      rolloutGraph(config, { prompts: 1, prefixLength: L, group: G, maxTokens }, how, ends);
    const prefix = await timeGraph(device, rollout(1), stores);
    const whole = await timeGraph(device, rollout(T), stores);
    const plain = await timeGraph(device, rollout(T, { ...sampling, topP: 1 }), stores);
    const add = (name: string, ms: number, note?: string) => this.add({ part: 'passes', name, ms, note });
    add('rollout, prefix and first token', prefix);
    add(`decoding step of ${G} rows, top-p`, (whole - prefix) / (T - 1));
    add(`decoding step of ${G} rows, no cut`, (plain - prefix) / (T - 1));
    const pass: PassShape = { prompts: 1, prefixLength: L, group: G, completionLength: T, views: 2 };
    add('two views, forward and head', await timeGraph(device, scoreGraph(config, pass), stores));
    const settings = parseConfig({ num_generations: G, per_device_train_batch_size: G }, 'papo-nano');
    const training = trainingGraph(config, pass, settings, {
      ...{ trainable, hasOldLogps: false, hasRefLogps: false, accumulate: false },
    });
    const program = (await device.compile(training, stores)) as WebgpuProgram;
    const { steps, activationBytes } = program.stats;
    const note = `${steps} dispatches, activations ${(activationBytes / 2 ** 20).toFixed()} MiB`;
    add('two views, training pass of all text weights', await timeProgram(program), note);
    program.dispose();
    device.dispose();
  }

  async nano(): Promise<void> {
    const device = await this.open();
    const [P, G, repeats] = this.small ? [1, 2, 1] : [8, 8, 5];
    const r = await measure(device, 'public/models/papo-nano', P, G, repeats);
    for (const [name, ms] of Object.entries(r.ms)) this.add({ part: 'nano', name, ms });
    this.add({ part: 'nano', name: 'encode', ms: r.encodeMs, note: `${r.rolloutTokensPerSecond} tokens/s` });
    device.dispose();
  }
}

const tiny = (config: VlmConfig): VlmConfig => ({
  ...config,
  vision: { ...config.vision, layers: 1, hiddenSize: 128, heads: 2, intermediateSize: 256, imageSize: 64 },
  text: {
    ...config.text,
    layers: 2,
    hiddenSize: 192,
    heads: 3,
    kvHeads: 1,
    intermediateSize: 256,
    vocabSize: 999,
  },
  imageTokenId: 998,
});

/** Milliseconds of one run of the graph. Variables that `stores` lack are zeros. */
export async function timeGraph(
  device: WebgpuDevice,
  g: Graph,
  stores: readonly Store[] = [],
): Promise<number> {
  const known = new Set(stores.flatMap(({ names }) => names));
  const assigned = g.assignments.map(({ variable, value }) => [variable, value] as const);
  const missing = new Map([...g.variables, ...assigned].filter(([name]) => !known.has(name)));
  const store = device.createStore(
    [...missing].map(([name, { shape, dtype }]) => ({ name, shape, dtype: dtype === 'f16' ? 'f16' : 'f32' })),
  );
  const program = (await device.compile(g, [...stores, store])) as WebgpuProgram;
  try {
    return await timeProgram(program);
  } finally {
    program.dispose();
    store.dispose();
  }
}

/** The best of two batches of as many runs as take 20 ms. */
async function timeProgram(program: WebgpuProgram): Promise<number> {
  await program.time(1);
  let repeats = 1;
  let ms = await program.time(repeats);
  while (ms < 20 && repeats < 1024) {
    repeats = Math.min(1024, Math.ceil(repeats * Math.min(8, 30 / ms)));
    ms = await program.time(repeats);
  }
  return Math.min(ms, await program.time(repeats)) / repeats;
}
