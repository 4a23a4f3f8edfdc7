/**
 * Graphs with frozen weights in half floats, for every test that compares devices: each op that reads them, at odd
 * sizes, forward and backward. The weights are variables in f16; outputs are named as in ops-cases.ts.
 */
import type { RunInputs } from '../src/device/device.ts';
import { gradients } from '../src/ops/backward.ts';
import { add, mul } from '../src/ops/elementwise.ts';
import { gather } from '../src/ops/gather.ts';
import { type Graph, type Shape, sizeOf, type Tensor } from '../src/ops/graph.ts';
import { head } from '../src/ops/head.ts';
import { linear, matmul } from '../src/ops/linear.ts';
import { sum } from '../src/ops/reduce.ts';
import { reshape } from '../src/ops/reshape.ts';
import { Purpose, RandomStream } from '../src/papo/random.ts';

export interface HalfCase {
  readonly name: string;
  readonly build: (g: Graph) => void;
  readonly inputs: RunInputs;
  /** The f16 variables' values, which are not exact in f16. */
  readonly variables: Record<string, Float32Array>;
}

function numbers(key: string, shape: Shape): Float32Array {
  const random = new RandomStream(
    16,
    Purpose.test,
    [...key].reduce((n, c) => n * 31 + c.charCodeAt(0), 7) >>> 0,
  );
  return Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
}

/** `apply` makes the outputs from f32 inputs and f16 weights; gradients by the inputs are output where `train` is. */
function halfCase(
  name: string,
  inputs: Record<string, Shape>,
  halves: Record<string, Shape>,
  train: boolean,
  apply: (g: Graph, t: Record<string, Tensor>) => Record<string, Tensor>,
  indices: Record<string, Int32Array> = {},
): HalfCase {
  const build = (g: Graph) => {
    const t: Record<string, Tensor> = {};
    for (const [key, shape] of Object.entries(inputs)) t[key] = g.input(key, shape);
    for (const [key, shape] of Object.entries(halves)) t[key] = g.variable(key, shape, 'f16');
    for (const [key, data] of Object.entries(indices)) t[key] = g.input(key, [data.length], 'i32');
    const outputs = apply(g, t);
    for (const [key, tensor] of Object.entries(outputs)) g.output(key, tensor);
    if (!train) return;
    const terms = Object.entries(outputs).map(([key, y]) =>
      sum(g, mul(g, y, g.constant(numbers(`${name} ${key}`, y.shape), y.shape))),
    );
    const loss = terms.reduce((a, b) => add(g, a, b));
    const wanted = Object.keys(inputs).filter((key) => key !== 'temperature');
    const seeds = new Map([[loss, g.scalar(1)]]);
    const found = gradients(
      g,
      seeds,
      wanted.map((key) => t[key]),
    );
    for (const [i, gradient] of found.entries()) g.output(`grad.${wanted[i]}`, gradient);
  };
  const values = (shapes: Record<string, Shape>) =>
    Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, numbers(name + key, shape)]));
  const all = { ...values(inputs), ...indices };
  if ('temperature' in all) all.temperature = Float32Array.of(0.7);
  return { name, build, inputs: all, variables: values(halves) };
}

const sizes: [m: number, n: number, k: number][] = [
  [1, 1, 1],
  [7, 5, 3],
  [1, 131, 67],
  [37, 67, 41],
  [65, 129, 33],
  [3, 5, 613],
];

export const halfCases: readonly HalfCase[] = [
  ...sizes.map(([m, n, k]) =>
    halfCase(
      `linear [${m}, ${k}] x [${n}, ${k}]`,
      { x: [m, k], bias: [n] },
      { w: [n, k] },
      true,
      (g, { x, w, bias }) => ({ y: linear(g, x, w, bias) }),
    ),
  ),
  halfCase('matmul with B as it is', { a: [13, 11] }, { b: [11, 5] }, true, (g, { a, b }) => ({
    y: matmul(g, a, b),
  })),
  halfCase('a weight seen under another shape', { x: [5, 27] }, { w: [7, 3, 3, 3] }, true, (g, { x, w }) => ({
    y: linear(g, x, reshape(g, w, [7, 27])),
  })),
  halfCase(
    'gather',
    {},
    { table: [13, 7] },
    false,
    (g, { table, index }) => ({ y: gather(g, table, index) }),
    { index: Int32Array.from({ length: 31 }, (_, i) => (i * 5) % 13) },
  ),
  ...([1, 2] as const).map((views) =>
    halfCase(
      `head of ${views} view${views > 1 ? 's' : ''}`,
      { hidden: [views * 9, 5], temperature: [1, 1] },
      { w: [67, 5] },
      true,
      (g, { hidden, w, targets, temperature }) => ({ ...head(g, hidden, w, targets, temperature, views) }),
      { targets: Int32Array.from({ length: 9 }, (_, i) => (i * 11) % 67) },
    ),
  ),
];
