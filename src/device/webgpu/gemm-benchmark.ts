/** Which GEMM variant is fastest on this GPU: measured once per adapter on small products, then remembered. */
import { Graph } from '../../ops/graph.ts';
import { matmul } from '../../ops/linear.ts';
import type { GpuContext } from './context.ts';
import type { GpuLowering } from './dispatch.ts';
import { type GemmChoice, type GemmClass, type GemmPlan, gemmVariants, uniformChoice } from './gemm.ts';
import { Lowering } from './lowering.ts';
import { WebgpuProgram } from './program.ts';

/** A place for strings that outlives the page, if one likes (IndexedDB). */
export interface Remember {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

export const memoryOf = (map: Map<string, string>): Remember => ({
  get: async (key) => map.get(key),
  set: async (key, value) => void map.set(key, value),
});

interface Options {
  /** Names the adapter. */
  readonly key: string;
  readonly isFallback: boolean;
  readonly remember: Remember;
}

/** m, n, k of one product of each class, sized like papo-nano's training and decoding. */
const products: Record<GemmClass, readonly [number, number, number]> = {
  wide: [2048, 256, 192],
  deep: [128, 320, 3072],
  narrow: [64, 256, 192],
};
/**
 * Software adapters are slow, and the same for all classes. On them barriers are dear, and kernels with barriers take
 * a second to compile: only the register variants are tried.
 */
const softwareProduct = [128, 64, 64] as const;
const softwareVariants = ['register', 'register8'] as const;

const variants = Object.keys(gemmVariants) as GemmPlan['variant'][];

export async function chooseGemm(
  context: GpuContext,
  limits: GpuLowering['limits'],
  { key: adapter, isFallback, remember }: Options,
): Promise<GemmChoice> {
  const key = `gemm-v2/${adapter}`;
  const known = parseChoice(await remember.get(key));
  if (known) return known;
  const time = (plan: GemmPlan, size: readonly [number, number, number]) =>
    measure(context, limits, plan, size);
  let choice: GemmChoice;
  if (isFallback) {
    const plans = softwareVariants.map((variant) => ({ variant, splitTo: 0 }));
    choice = uniformChoice(await fastest(plans, (plan) => time(plan, softwareProduct)));
  } else {
    const best = async (name: GemmClass, splits: readonly number[]) => {
      const plans = variants.flatMap((variant) => splits.map((splitTo) => ({ variant, splitTo })));
      return fastest(plans, (plan) => time(plan, products[name]));
    };
    choice = {
      wide: await best('wide', [0]),
      deep: await best('deep', [0, 256]),
      narrow: await best('narrow', [0]),
    };
  }
  await remember.set(key, JSON.stringify(choice));
  return choice;
}

async function fastest(
  plans: readonly GemmPlan[],
  time: (plan: GemmPlan) => Promise<number>,
): Promise<GemmPlan> {
  let best = plans[0];
  let least = Number.POSITIVE_INFINITY;
  for (const plan of plans) {
    const ms = await time(plan);
    if (ms < least) [best, least] = [plan, ms];
  }
  return best;
}

/** Milliseconds of one product, from as many in one submit as take a few milliseconds. */
async function measure(
  context: GpuContext,
  limits: GpuLowering['limits'],
  plan: GemmPlan,
  [m, n, k]: readonly [number, number, number],
): Promise<number> {
  const g = new Graph();
  // As in a linear layer: both operands contiguous along k. The gradient's are contiguous across it.
  const deep = k > m;
  const a = g.variable('a', deep ? [k, m] : [m, k]);
  const b = g.variable('b', deep ? [k, n] : [n, k]);
  g.output('c', matmul(g, a, b, { transA: deep, transB: !deep }));
  const lowering = new Lowering(limits, uniformChoice(plan));
  const buffers = new Map(
    [...g.variables].map(([name, t]) => [name, context.tensorBuffer(name, t.shape[0] * t.shape[1] * 4)]),
  );
  const program = await WebgpuProgram.create(context, lowering, g, [
    {
      has: (name) => buffers.has(name),
      buffer: (name) => buffers.get(name)!,
      shape: (name) => g.variables.get(name)!.shape,
      dtype: () => 'f32',
    },
  ]);
  try {
    await program.time(1);
    let repeats = 1;
    let ms = await program.time(repeats);
    while (ms < 3 && repeats < 256) {
      repeats *= 4;
      ms = await program.time(repeats);
    }
    return Math.min(ms, await program.time(repeats)) / repeats;
  } finally {
    program.dispose();
    for (const buffer of buffers.values()) context.free(buffer);
  }
}

function parseChoice(text: string | undefined): GemmChoice | undefined {
  if (!text) return undefined;
  try {
    const choice = JSON.parse(text) as GemmChoice;
    const valid = (['wide', 'deep', 'narrow'] as const).every((name) =>
      variants.includes(choice[name].variant),
    );
    return valid ? choice : undefined;
  } catch {
    return undefined;
  }
}
