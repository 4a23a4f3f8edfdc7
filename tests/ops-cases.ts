/**
 * One list of small graphs for every test that compares devices: each op at sizes that hide nothing (primes, ones,
 * padding, groups), forward and backward. A case outputs what the op gives, `loss` (the outputs weighted by fixed
 * random numbers and summed), and `grad.<input>` for each differentiable input.
 */
import type { RunInputs } from '../src/device/device.ts';
import { gelu, swiglu } from '../src/ops/activation.ts';
import { adamw, sumSquares } from '../src/ops/adamw.ts';
import { type AttentionShape, attention, attentionReceived } from '../src/ops/attention.ts';
import { gradients } from '../src/ops/backward.ts';
import { add, applyElementwise, elementwiseKinds, mul } from '../src/ops/elementwise.ts';
import { gather, placeRows, scatterAdd } from '../src/ops/gather.ts';
import { all, cacheWrite, decodeAttention, emitToken, increment, sample } from '../src/ops/generation.ts';
import { Graph, type Shape, sizeOf, type Tensor } from '../src/ops/graph.ts';
import { head } from '../src/ops/head.ts';
import { addTable, linear, matmul } from '../src/ops/linear.ts';
import { layerNorm, rmsNorm } from '../src/ops/norm.ts';
import { patchify } from '../src/ops/patchify.ts';
import { quantile, reduceMax, reduceMin, sum } from '../src/ops/reduce.ts';
import { detach, reshape } from '../src/ops/reshape.ts';
import { rope, ropeTables } from '../src/ops/rope.ts';
import { Purpose, RandomStream } from '../src/papo/random.ts';

export interface OpCase {
  readonly name: string;
  readonly build: (g: Graph) => void;
  readonly inputs: RunInputs;
  /** Inputs whose gradient is output. */
  readonly differentiable: readonly string[];
}

interface Data {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

type Tensors = Record<string, Tensor>;

/** Numbers of one key, the same in every run. */
const stream = (key: number) => new RandomStream(2026, Purpose.test, key);

let nextKey = 0;
/** Normal numbers of this shape, times `spread`. */
function normal(shape: Shape, spread = 1): Data {
  const random = stream(nextKey++);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => spread * random.normal()) };
}
/** Numbers in [low, high). */
function between(low: number, high: number, shape: Shape): Data {
  const random = stream(nextKey++);
  return {
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.next()),
  };
}
/** 1 with this probability, else 0. */
function flags(probability: number, shape: Shape): Data {
  const random = stream(nextKey++);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => +(random.next() < probability)) };
}
/** Integers in [0, n). */
function integers(n: number, length: number): Data {
  const random = stream(nextKey++);
  return ints(Array.from({ length }, () => random.int(n)));
}
const ints = (values: readonly number[], shape: Shape = [values.length]): Data => ({
  shape,
  data: Int32Array.from(values),
});
const floats = (values: readonly number[], shape: Shape): Data => ({
  shape,
  data: Float32Array.from(values),
});

/** `apply` makes the outputs of the case from its inputs; outputs named with a leading `_` are not in the loss. */
function opCase(
  name: string,
  inputs: Record<string, Data>,
  differentiable: readonly string[],
  apply: (g: Graph, inputs: Tensors) => Tensors,
): OpCase {
  const lossKey = nextKey++;
  const build = (g: Graph) => {
    const tensors: Tensors = {};
    for (const [key, { shape, data }] of Object.entries(inputs))
      tensors[key] = g.input(key, shape, data instanceof Int32Array ? 'i32' : 'f32');
    const outputs = apply(g, tensors);
    for (const [key, tensor] of Object.entries(outputs)) g.output(key, tensor);
    if (differentiable.length === 0) return;
    const random = stream(lossKey);
    const terms = Object.values(outputs).map((t) => {
      const weights = Float32Array.from({ length: sizeOf(t.shape) }, () => random.normal());
      return sum(g, mul(g, t, g.constant(weights, t.shape)));
    });
    const loss = terms.reduce((a, b) => add(g, a, b));
    g.output('loss', loss);
    const wanted = differentiable.map((key) => tensors[key]);
    gradients(g, new Map([[loss, g.scalar(1)]]), wanted).forEach((gradient, i) => {
      g.output(`grad.${differentiable[i]}`, gradient);
    });
  };
  const data = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, input.data]));
  return { name, build, inputs: data, differentiable };
}

// ---- elementwise, with all ways to broadcast

const differentiableKinds = ['add', 'sub', 'mul', 'div', 'minimum', 'maximum', 'neg', 'exp', 'log'];

function elementwiseCases(): OpCase[] {
  const shapes: Shape[] = [
    [7, 5],
    [1, 5],
    [7, 1],
    [1, 1],
  ];
  return elementwiseKinds.flatMap(({ name, arity }) => {
    const pairs: Shape[][] =
      arity === 1
        ? shapes.map((s) => [s])
        : shapes.flatMap((s) => [
            [shapes[0], s],
            [s, shapes[0]],
          ]);
    return pairs.slice(0, arity === 1 ? 4 : 8).map((pair, i) => {
      const inputs: Record<string, Data> = {};
      const keys = ['a', 'b', 'c'].slice(0, arity);
      keys.forEach((key, k) => {
        // Divisors and logarithms stay away from zero.
        inputs[key] = between(0.5, 2, pair[k % pair.length]);
      });
      if (name === 'where') inputs.a = flags(0.5, inputs.a.shape);
      const wrt = name === 'where' ? ['b', 'c'] : differentiableKinds.includes(name) ? keys : [];
      return opCase(`${name} ${pair.map((s) => s.join('x')).join(' ')} (${i})`, inputs, wrt, (g, t) => ({
        y: applyElementwise(
          g,
          name,
          keys.map((key) => t[key]),
        ),
      }));
    });
  });
}

// ---- matrix products

function linearCases(): OpCase[] {
  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [7, 5, 3],
    [37, 67, 41],
  ];
  const linears = sizes.map(([m, n, k]) =>
    opCase(
      `linear [${m}, ${k}] x [${n}, ${k}]`,
      { x: normal([m, k]), w: normal([n, k]), bias: normal([n]) },
      ['x', 'w', 'bias'],
      (g, { x, w, bias }) => ({ y: linear(g, x, w, bias) }),
    ),
  );
  const products = [0, 1, 2, 3].map((i) => {
    const [transA, transB] = [(i & 1) === 1, (i & 2) === 2];
    const [m, n, k] = [13, 5, 11];
    return opCase(
      `matmul ${transA ? 'At' : 'A'} ${transB ? 'Bt' : 'B'}`,
      { a: normal(transA ? [k, m] : [m, k]), b: normal(transB ? [n, k] : [k, n]) },
      ['a', 'b'],
      (g, { a, b }) => ({ y: matmul(g, a, b, { transA, transB }) }),
    );
  });
  const deep = opCase(
    'matmul with a long inner side',
    { a: normal([3, 613]), b: normal([613, 5]) },
    ['a', 'b'],
    (g, { a, b }) => ({ y: matmul(g, a, b) }),
  );
  const table = opCase(
    'addTable',
    { x: normal([6, 5]), table: normal([3, 5]) },
    ['x', 'table'],
    (g, { x, table }) => ({ y: addTable(g, x, table) }),
  );
  return [...linears, ...products, deep, table];
}

// ---- rows, norms, activations, positions

function rowCases(): OpCase[] {
  const place = [-1, 2, -1, 0, 1, -1, 4, 3, -1, -1, -1];
  const origin = [0, 1, 2, 3, 4].map((i) => place.indexOf(i));
  return [
    opCase('gather', { x: normal([13, 7]), index: integers(13, 131) }, ['x'], (g, { x, index }) => ({
      y: gather(g, x, index),
    })),
    opCase('gather one row', { x: normal([1, 1]), index: ints([0]) }, ['x'], (g, { x, index }) => ({
      y: gather(g, x, index),
    })),
    opCase('scatterAdd', { x: normal([101, 3]), index: integers(17, 101) }, ['x'], (g, { x, index }) => ({
      y: scatterAdd(g, x, index, 17),
    })),
    opCase(
      'scatterAdd into many rows',
      { x: normal([5, 67]), index: ints([301, 0, 301, 7, 301]) },
      ['x'],
      (g, { x, index }) => ({ y: scatterAdd(g, x, index, 303) }),
    ),
    opCase(
      'placeRows',
      { x: normal([11, 67]), images: normal([5, 67]), place: ints(place), origin: ints(origin) },
      ['x', 'images'],
      (g, t) => ({ y: placeRows(g, t.x, t.images, t.place, t.origin) }),
    ),
    opCase('reshape and detach', { x: normal([6, 5]) }, ['x'], (g, { x }) => ({
      y: mul(g, reshape(g, x, [3, 10]), detach(g, reshape(g, x, [3, 10]))),
    })),
    opCase('patchify', { images: normal([2, 3 * 12 * 12]) }, [], (g, { images }) => ({
      y: patchify(g, images, 12, 3),
    })),
    opCase('patchify one patch', { images: normal([1, 3 * 5 * 5]) }, [], (g, { images }) => ({
      y: patchify(g, images, 5, 5),
    })),
  ];
}

function normCases(): OpCase[] {
  const sizes: [number, number][] = [
    [1, 1],
    [13, 7],
    [3, 131],
  ];
  return sizes.flatMap(([rows, d]) => [
    // At d = 1 the normalised value is 0 and its slope is epsilon's alone: nothing to compare.
    ...(d === 1
      ? []
      : [
          opCase(
            `layerNorm [${rows}, ${d}]`,
            { x: normal([rows, d], 2), w: normal([d]), bias: normal([d]) },
            ['x', 'w', 'bias'],
            (g, { x, w, bias }) => ({ y: layerNorm(g, x, w, bias, 1e-5) }),
          ),
        ]),
    opCase(
      `rmsNorm [${rows}, ${d}]`,
      { x: normal([rows, d], 2), w: normal([d]) },
      ['x', 'w'],
      (g, { x, w }) => ({ y: rmsNorm(g, x, w, 0.1) }),
    ),
  ]);
}

function activationCases(): OpCase[] {
  return [
    opCase('gelu', { x: normal([19, 41], 2) }, ['x'], (g, { x }) => ({ y: gelu(g, x) })),
    opCase('gelu far from zero', { x: floats([-60, -9, 0, 9, 60], [1, 5]) }, ['x'], (g, { x }) => ({
      y: gelu(g, x),
    })),
    opCase('swiglu', { gate: normal([19, 41], 2), up: normal([19, 41]) }, ['gate', 'up'], (g, t) => ({
      y: swiglu(g, t.gate, t.up),
    })),
    opCase(
      'swiglu far from zero',
      { gate: floats([-60, -9, 0, 9, 60], [1, 5]), up: normal([1, 5]) },
      ['gate', 'up'],
      (g, t) => ({ y: swiglu(g, t.gate, t.up) }),
    ),
    ...[
      [1, 1, 2],
      [7, 3, 6],
      [29, 2, 32],
    ].map(([rows, heads, D]) =>
      opCase(
        `rope ${heads} heads of ${D}`,
        { x: normal([rows, heads * D]), positions: integers(19, rows) },
        ['x'],
        (g, { x, positions }) => ({ y: rope(g, x, positions, ropeTables(g, 19, D, 10_000)) }),
      ),
    ),
  ];
}

// ---- reductions

function reduceCases(): OpCase[] {
  const sizes: Shape[] = [
    [1, 1],
    [7, 131],
    [131, 7],
  ];
  const reductions = sizes.flatMap((shape) => [
    opCase(`sums of [${shape}]`, { x: normal(shape) }, ['x'], (g, { x }) => ({
      rows: sum(g, x, 0),
      columns: sum(g, x, 1),
      all: sum(g, x),
    })),
    opCase(`extremes of [${shape}]`, { x: normal(shape) }, [], (g, { x }) => ({
      greatest: reduceMax(g, x, 0),
      least: reduceMin(g, x, 1),
      all: reduceMax(g, x),
    })),
  ]);
  const quantiles = [0, 0.2, 0.5, 1].map((q) =>
    opCase(
      `quantile ${q}`,
      {
        x: floats(
          [...normal([4, 37]).data].map((x, i) => (i % 5 ? x : 0.25)),
          [4, 37],
        ),
        // The last row keeps nothing.
        mask: floats([...flags(0.6, [3, 37]).data, ...Array(37).fill(0)], [4, 37]),
      },
      [],
      (g, { x, mask }) => ({ rows: quantile(g, x, mask, q, true), all: quantile(g, x, mask, q, false) }),
    ),
  );
  return [...reductions, ...quantiles];
}

// ---- attention

interface AttentionCase {
  readonly name: string;
  readonly shape: AttentionShape;
  /** Left padding tokens of each prefix. */
  readonly padding: readonly number[];
}

const attentionShape = (
  [prefixes, prefixLength, group, completionLength]: [number, number, number, number],
  [heads, kvHeads, headDim]: [number, number, number],
  causal: boolean,
): AttentionShape => ({
  ...{ prefixes, prefixLength, group, completionLength },
  ...{ heads, kvHeads, headDim, causal },
});

const attentionCases: AttentionCase[] = [
  { name: 'one of everything', shape: attentionShape([1, 1, 1, 0], [1, 1, 2], true), padding: [0] },
  { name: 'vision tower', shape: attentionShape([2, 37, 1, 0], [3, 3, 6], false), padding: [0, 0] },
  {
    name: 'every token, GQA, padded',
    shape: attentionShape([3, 11, 1, 0], [6, 2, 4], false),
    padding: [2, 0, 1],
  },
  { name: 'causal', shape: attentionShape([1, 67, 1, 0], [2, 2, 8], true), padding: [0] },
  { name: 'causal, padded', shape: attentionShape([2, 11, 1, 0], [2, 1, 4], true), padding: [0, 3] },
  { name: 'groups, GQA', shape: attentionShape([2, 7, 3, 5], [4, 2, 6], true), padding: [2, 0] },
  { name: 'groups, MQA', shape: attentionShape([1, 5, 2, 67], [5, 1, 4], true), padding: [1] },
  {
    name: 'one completion of one token',
    shape: attentionShape([3, 2, 1, 1], [2, 2, 4], true),
    padding: [0, 1, 0],
  },
  { name: 'seventy keys a prefix', shape: attentionShape([1, 70, 2, 3], [2, 1, 4], true), padding: [13] },
  { name: 'heads of 64', shape: attentionShape([1, 5, 2, 3], [2, 1, 64], true), padding: [1] },
  { name: 'heads of 64, long', shape: attentionShape([1, 37, 1, 3], [3, 1, 64], true), padding: [2] },
];

/** 0 for the left padding, 1 after it. */
const paddingMask = (prefixLength: number, padding: readonly number[]) =>
  floats(
    padding.flatMap((n) => Array.from({ length: prefixLength }, (_, i) => (i < n ? 0 : 1))),
    [padding.length, prefixLength],
  );

/** 0 for the rows of padding tokens, whose outputs mean nothing and must not enter a comparison. */
function meaningful(s: AttentionShape, padding: readonly number[]): Float32Array {
  const own = s.prefixes * s.group * s.completionLength;
  return Float32Array.from([...paddingMask(s.prefixLength, padding).data, ...Array(own).fill(1)]);
}

function attentionOpCases(): OpCase[] {
  return attentionCases.map(({ name, shape: s, padding }) => {
    const rows = s.prefixes * (s.prefixLength + s.group * s.completionLength);
    const kv = s.kvHeads * s.headDim;
    return opCase(
      `attention: ${name}`,
      {
        q: normal([rows, s.heads * s.headDim]),
        k: normal([rows, kv]),
        v: normal([rows, kv]),
        mask: paddingMask(s.prefixLength, padding),
      },
      ['q', 'k', 'v'],
      (g, { q, k, v, mask }) => ({
        y: mul(g, attention(g, q, k, v, mask, s), g.constant(meaningful(s, padding), [rows, 1])),
      }),
    );
  });
}

function receivedCases(): OpCase[] {
  const shapes = [
    attentionShape([2, 37, 1, 0], [9, 3, 6], false),
    attentionShape([1, 130, 1, 0], [2, 1, 4], false),
    attentionShape([1, 1, 1, 0], [1, 1, 2], false),
  ];
  return shapes.map((s) =>
    opCase(
      `attentionReceived of ${s.prefixLength}`,
      {
        q: normal([s.prefixes * s.prefixLength, s.heads * s.headDim]),
        k: normal([s.prefixes * s.prefixLength, s.kvHeads * s.headDim]),
      },
      [],
      (g, { q, k }) => ({ y: attentionReceived(g, q, k, s) }),
    ),
  );
}

// ---- head

export interface HeadCase {
  readonly rows: number;
  readonly d: number;
  readonly V: number;
  readonly views: 1 | 2;
}

export const headSizes: HeadCase[] = [
  { rows: 1, d: 1, V: 2, views: 1 },
  { rows: 11, d: 7, V: 131, views: 1 },
  { rows: 1, d: 3, V: 5, views: 2 },
  { rows: 13, d: 5, V: 67, views: 2 },
  { rows: 7, d: 11, V: 301, views: 2 },
];

export function headCase({ rows, d, V, views }: HeadCase): OpCase {
  return opCase(
    `head of ${views} view${views > 1 ? 's' : ''}, ${rows} rows, V = ${V}`,
    {
      hidden: normal([views * rows, d]),
      w: normal([V, d]),
      targets: integers(V, rows),
      temperature: floats([0.7], [1, 1]),
    },
    ['hidden', 'w'],
    (g, { hidden, w, targets, temperature }) => {
      const { logps, entropy, kl } = head(g, hidden, w, targets, temperature, views);
      return { logps, entropy, kl };
    },
  );
}

// ---- generation

function decodeCases(): OpCase[] {
  const cases: [AttentionShape, number[], number][] = [
    [attentionShape([1, 1, 1, 1], [1, 1, 2], true), [0], 0],
    [attentionShape([2, 7, 3, 5], [4, 2, 6], true), [2, 0], 2],
    [attentionShape([1, 71, 2, 3], [3, 1, 64], true), [13], 2],
    [attentionShape([1, 3, 1, 131], [2, 2, 4], true), [0], 130],
  ];
  return cases.map(([s, padding, turn]) => {
    const [N, kv] = [s.prefixes * s.group, s.kvHeads * s.headDim];
    return opCase(
      `decodeAttention, L = ${s.prefixLength}, turn ${turn} of ${s.completionLength}`,
      {
        q: normal([N, s.heads * s.headDim]),
        cacheK: normal([N, s.completionLength * kv]),
        cacheV: normal([N, s.completionLength * kv]),
        prefixK: normal([s.prefixes * s.prefixLength, kv]),
        prefixV: normal([s.prefixes * s.prefixLength, kv]),
        mask: paddingMask(s.prefixLength, padding),
        turn: ints([turn]),
      },
      [],
      (g, t) => ({
        y: decodeAttention(
          g,
          t.q,
          { k: t.cacheK, v: t.cacheV },
          { k: t.prefixK, v: t.prefixV, keyMask: t.mask },
          t.turn,
          s,
        ),
      }),
    );
  });
}

function sampleCases(): OpCase[] {
  const settings = [
    { greedy: true, topK: 0, topP: 1, minP: 0 },
    { topK: 0, topP: 1, minP: 0 },
    { topK: 5, topP: 1, minP: 0 },
    { topK: 1, topP: 1, minP: 0 },
    { topK: 0, topP: 0.8, minP: 0 },
    { topK: 0, topP: 1, minP: 0.1 },
    { topK: 20, topP: 0.9, minP: 0.02 },
  ];
  return settings.flatMap((setting) =>
    [
      [5, 7],
      [23, 131],
    ].map(([rows, V]) =>
      opCase(
        `sample ${JSON.stringify(setting)} of ${V}`,
        {
          logits: normal([rows, V], 2),
          uniforms: between(0.001, 0.999, [3, rows]),
          turn: ints([1]),
          temperature: floats([0.8], [1, 1]),
        },
        [],
        (g, t) => ({ token: sample(g, t.logits, t.uniforms, t.turn, t.temperature, setting) }),
      ),
    ),
  );
}

function bookkeepingCases(): OpCase[] {
  return [
    opCase(
      'cacheWrite',
      { cache: normal([101, 3 * 7]), x: normal([101, 7]), turn: ints([1]) },
      [],
      (g, { cache, x, turn }) => ({ y: cacheWrite(g, mul(g, cache, g.scalar(1)), x, turn) }),
    ),
    opCase(
      'emitToken',
      {
        sampled: ints([4, 7, 9, 4, 2]),
        completions: ints(
          Array.from({ length: 15 }, (_, i) => i),
          [5, 3],
        ),
        finished: ints([0, 0, 1, 1, 0]),
        turn: ints([1]),
      },
      [],
      (g, t) => {
        const { completions, token, finished } = emitToken(g, t.sampled, t.completions, t.finished, t.turn, {
          endTokens: [7, 2],
          padToken: 1,
        });
        return { completions, token, finished };
      },
    ),
    opCase('increment', { x: ints([0, -1, 41]) }, [], (g, { x }) => ({ y: increment(g, x) })),
    ...[[1, 1, 1], [1, 0, 1], Array.from({ length: 131 }, (_, i) => +(i !== 130)), Array(131).fill(1)].map(
      (values, i) => opCase(`all (${i})`, { x: ints(values) }, [], (g, { x }) => ({ y: all(g, x) })),
    ),
  ];
}

/** Every op but the optimizer's. */
export const opCases: readonly OpCase[] = [
  ...elementwiseCases(),
  ...linearCases(),
  ...rowCases(),
  ...normCases(),
  ...activationCases(),
  ...reduceCases(),
  ...attentionOpCases(),
  ...receivedCases(),
  ...headSizes.map(headCase),
  ...decodeCases(),
  ...sampleCases(),
  ...bookkeepingCases(),
];

/** The optimizer: ops that work in place on variables, in graphs of their own. */
export const optimizerCases: readonly OpCase[] = [
  opCase('sumSquares', { a: normal([131, 67]), b: normal([3]), c: normal([1, 1]) }, [], (g, { a, b, c }) => ({
    y: sumSquares(g, [a, b, c]),
  })),
  ...[0, 1].map((maxNorm) =>
    opCase(
      `adamw, maxNorm ${maxNorm}`,
      {
        parameter: normal([7, 131]),
        gradient: normal([7, 131]),
        moment1: normal([7, 131], 0.1),
        moment2: between(0, 0.1, [7, 131]),
        squares: floats([7], [1, 1]),
        step: floats([0.01, 0.271, 0.002997], [3]),
      },
      [],
      (g, t) => {
        adamw(g, t.parameter, t.gradient, t.moment1, t.moment2, t.squares, t.step, {
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0.01,
          maxNorm,
        });
        const [parameter, moment1, moment2] = g.calls[g.calls.length - 1].outputs;
        return { parameter, moment1, moment2 };
      },
    ),
  ),
];

/** The whole case in a new graph. */
export function graphOf({ build }: OpCase): Graph {
  const g = new Graph();
  build(g);
  return g;
}
