/**
 * What a rollout needs beyond the training ops, forward only: attention of one new token per completion over the
 * shared prefix and the completion's own key-value cache, sampling, and the bookkeeping of finished completions.
 */
import allWgsl from '../../shaders/all.wgsl?raw';
import cacheWriteWgsl from '../../shaders/cache_write.wgsl?raw';
import decodeAttentionWgsl from '../../shaders/decode_attention.wgsl?raw';
import emitTokenWgsl from '../../shaders/emit_token.wgsl?raw';
import incrementWgsl from '../../shaders/increment.wgsl?raw';
import sampleWgsl from '../../shaders/sample.wgsl?raw';
import type { OnnxBuilder } from '../device/cpu/onnx-builder.ts';
import type { AttentionShape } from './attention.ts';
import { forHead } from './attention-webgpu.ts';
import { check, f32, type Graph, i32, type Op, type Tensor } from './graph.ts';

const hidden = -1e9;

/** cache [N, T·W] with columns turn·W … of each row set to x [N, W]; `turn` [1] i32. In place. */
export function cacheWrite(g: Graph, cache: Tensor, x: Tensor, turn: Tensor): Tensor {
  return g.call(cacheWriteOp, [cache, x, turn], {})[0];
}

/**
 * q [N, heads·headDim] of N = P·G new tokens; caches [N, T·kvHeads·headDim] hold keys and values of turns ≤ turn;
 * prefix keys and values [P·L, kvHeads·headDim] and keyMask [P, L] as in attention.ts. → [N, heads·headDim].
 */
export function decodeAttention(
  g: Graph,
  q: Tensor,
  caches: { k: Tensor; v: Tensor },
  prefix: { k: Tensor; v: Tensor; keyMask: Tensor },
  turn: Tensor,
  shape: AttentionShape,
): Tensor {
  return g.call(
    decodeAttentionOp,
    [q, caches.k, caches.v, prefix.k, prefix.v, prefix.keyMask, turn],
    shape,
  )[0];
}

export interface SamplingAttributes {
  /** Take the likeliest token; the other settings do not matter. */
  readonly greedy?: boolean;
  /** Keep the k likeliest tokens; 0: all. */
  readonly topK: number;
  /** Keep the smallest set of likeliest tokens whose probability reaches p; 1: all. */
  readonly topP: number;
  /** Drop tokens less likely than minP times the likeliest; 0: none. */
  readonly minP: number;
}

/**
 * One token a row: logits [N, V] / temperature [1, 1], cut by top-k, then top-p, then min-p (transformers' order),
 * then the inverse of the distribution function at uniforms[turn] ([T, N], in [0, 1)). → i32 [N].
 */
export function sample(
  g: Graph,
  logits: Tensor,
  uniforms: Tensor,
  turn: Tensor,
  temperature: Tensor,
  attributes: SamplingAttributes,
): Tensor {
  return g.call(sampleOp, [logits, uniforms, turn, temperature], attributes)[0];
}

/**
 * Column `turn` of completions [N, T] i32 becomes the sampled token, or padding where the row was finished before.
 * Returns the completions (in place), the token [N], and finished [N] (1 from an end token on).
 */
export function emitToken(
  g: Graph,
  sampled: Tensor,
  completions: Tensor,
  finished: Tensor,
  turn: Tensor,
  attributes: { endTokens: readonly number[]; padToken: number },
): { completions: Tensor; token: Tensor; finished: Tensor } {
  const [written, token, done] = g.call(emitTokenOp, [sampled, completions, finished, turn], attributes);
  return { completions: written, token, finished: done };
}

/** x + 1 for i32 x. */
export const increment = (g: Graph, x: Tensor) => g.call(incrementOp, [x], {})[0];
/** 1 where every entry of i32 x is nonzero, else 0: i32 [1]. */
export const all = (g: Graph, x: Tensor) => g.call(allOp, [x], {})[0];

const cacheWriteOp: Op = {
  name: 'cacheWrite',
  inPlace: [0],
  outputs(inputs) {
    const [cache, x] = inputs;
    check(
      cache.shape[0] === x.shape[0] && cache.shape[1] % x.shape[1] === 0,
      'cacheWrite',
      'cache [N, T·W], x [N, W]',
      inputs,
    );
    return [cache];
  },
  reference([, x, turn], [y], { inputs }) {
    const [rows, width] = inputs[1].shape;
    const stride = inputs[0].shape[1];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < width; c++) y[r * stride + turn[0] * width + c] = x[r * width + c];
  },
  onnx(b, { inputs: [cache, x, turn] }) {
    const [rows, width] = x.shape;
    const turns = cache.shape[1] / width;
    const here = b.node('Equal', [range(b, turns), b.name(turn)]);
    const written = b.node('Where', [
      b.reshape(here, [1, turns, 1]),
      b.reshape(b.name(x), [rows, 1, width]),
      b.reshape(b.name(cache), [rows, turns, width]),
    ]);
    return [b.reshape(written, cache.shape)];
  },
  webgpu(gpu, { inputs: [cache, x, turn] }) {
    const [rows, width] = x.shape;
    return [
      gpu.dispatch({
        kernel: 'cache_write',
        code: cacheWriteWgsl,
        bindings: [cache, x, turn],
        params: [rows, width, cache.shape[1]],
        threads: rows * width,
      }),
    ];
  },
};

const range = (b: OnnxBuilder, n: number) =>
  b.constant(
    Int32Array.from({ length: n }, (_, i) => i),
    [n],
  );

const decodeAttentionOp: Op<AttentionShape> = {
  name: 'decodeAttention',
  outputs(inputs, s) {
    const [q, cacheK, , prefixK] = inputs;
    check(q.shape[0] === s.prefixes * s.group, 'decodeAttention', 'one query row a completion', inputs);
    check(
      cacheK.shape[1] === s.completionLength * s.kvHeads * s.headDim,
      'decodeAttention',
      'cache [N, T·KV·D]',
      inputs,
    );
    check(prefixK.shape[0] === s.prefixes * s.prefixLength, 'decodeAttention', 'prefix [P·L, KV·D]', inputs);
    return [f32(...q.shape)];
  },
  reference([q, cacheK, cacheV, prefixK, prefixV, mask, turn], [y], { attributes: s }) {
    const { headDim: D, heads, kvHeads, prefixLength: L, completionLength: T } = s;
    for (let n = 0; n < s.prefixes * s.group; n++)
      for (let h = 0; h < heads; h++) {
        const kvHead = Math.floor(h / (heads / kvHeads));
        const prefix = Math.floor(n / s.group);
        const keys: { k: typeof q; v: typeof q; at: number; bias: number }[] = [];
        for (let j = 0; j < L; j++) {
          const at = ((prefix * L + j) * kvHeads + kvHead) * D;
          keys.push({ k: prefixK, v: prefixV, at, bias: mask[prefix * L + j] !== 0 ? 0 : hidden });
        }
        for (let j = 0; j <= turn[0]; j++)
          keys.push({ k: cacheK, v: cacheV, at: ((n * T + j) * kvHeads + kvHead) * D, bias: 0 });
        const scores = keys.map(({ k, at, bias }) => {
          let dot = 0;
          for (let c = 0; c < D; c++) dot += q[(n * heads + h) * D + c] * k[at + c];
          return dot / Math.sqrt(D) + bias;
        });
        const top = Math.max(...scores);
        const weights = scores.map((x) => Math.exp(x - top));
        const total = weights.reduce((a, x) => a + x, 0);
        keys.forEach(({ v, at }, j) => {
          for (let c = 0; c < D; c++) y[(n * heads + h) * D + c] += (weights[j] / total) * v[at + c];
        });
      }
  },
  // As in attention.ts: [P, KV, G, rep, D] queries, the whole group against the prefix in one product.
  onnx(b, { inputs, attributes: s }) {
    const [q, cacheK, cacheV, prefixK, prefixV, mask, turn] = inputs.map((t) => b.name(t));
    const { prefixes: P, prefixLength: L, group: G, completionLength: T, kvHeads: KV, headDim: D } = s;
    const rep = s.heads / KV;
    const scaled = b.node('Mul', [q, b.scalar(1 / Math.sqrt(D))]);
    const query = b.transpose(b.reshape(scaled, [P, G, KV, rep, D]), [0, 2, 1, 3, 4]);
    const prefix = (name: string, perm: number[]) => b.transpose(b.reshape(name, [P, L, KV, D]), perm);
    const cache = (name: string, perm: number[]) => b.transpose(b.reshape(name, [P, G, T, KV, D]), perm);
    const overPrefix = b.node('MatMul', [
      b.reshape(query, [P, KV, G * rep, D]),
      prefix(prefixK, [0, 2, 3, 1]),
    ]);
    const overOwn = b.node('MatMul', [query, cache(cacheK, [0, 3, 1, 4, 2])]);
    const padding = b.node('Mul', [b.node('Sub', [b.scalar(1), mask]), b.scalar(hidden)]);
    const future = b.node('Mul', [b.cast(b.node('Greater', [range(b, T), turn]), 'f32'), b.scalar(hidden)]);
    const scores = b.concat(
      [
        b.reshape(b.node('Add', [overPrefix, b.reshape(padding, [P, 1, 1, L])]), [P, KV, G, rep, L]),
        b.node('Add', [overOwn, b.reshape(future, [1, 1, 1, 1, T])]),
      ],
      4,
    );
    const chances = b.node('Softmax', [scores], { axis: -1 });
    const fromPrefix = b.node('MatMul', [
      b.reshape(b.slice(chances, 4, 0, L), [P, KV, G * rep, L]),
      prefix(prefixV, [0, 2, 1, 3]),
    ]);
    const fromOwn = b.node('MatMul', [b.slice(chances, 4, L, L + T), cache(cacheV, [0, 3, 1, 2, 4])]);
    const mixed = b.node('Add', [b.reshape(fromPrefix, [P, KV, G, rep, D]), fromOwn]);
    return [b.reshape(b.transpose(mixed, [0, 2, 1, 3, 4]), [P * G, s.heads * D])];
  },
  webgpu(gpu, { inputs, outputs: [y], attributes: s }) {
    return [
      gpu.dispatch({
        kernel: `decode_attention_${s.headDim}`,
        code: forHead(decodeAttentionWgsl, s.headDim),
        bindings: [...inputs, y],
        params: [
          s.prefixes,
          s.prefixLength,
          s.group,
          s.completionLength,
          s.heads,
          s.kvHeads,
          { f32: 1 / Math.sqrt(s.headDim) },
        ],
        workgroups: gpu.fold(y.shape[0] * s.heads),
      }),
    ];
  },
};

const sampleOp: Op<SamplingAttributes> = {
  name: 'sample',
  outputs(inputs) {
    const [logits, uniforms] = inputs;
    check(uniforms.shape[1] === logits.shape[0], 'sample', 'logits [N, V], uniforms [T, N]', inputs);
    return [i32(logits.shape[0])];
  },
  reference([logits, uniforms, turn, temperature], [y], { inputs, attributes }) {
    const [rows, V] = inputs[0].shape;
    const { greedy, topK, topP, minP } = attributes;
    for (let r = 0; r < rows; r++) {
      const z = Array.from(logits.subarray(r * V, (r + 1) * V), (x) => x / temperature[0]);
      const top = Math.max(...z);
      if (greedy) {
        y[r] = z.indexOf(top);
        continue;
      }
      let p = z.map((x) => Math.exp(x - top));
      const ranked = [...p].sort((a, b) => b - a);
      let threshold = topK > 0 ? ranked[Math.min(topK, V) - 1] : 0;
      // Top-p looks at what top-k left.
      const kept = ranked.filter((x) => x >= threshold);
      const total = kept.reduce((a, x) => a + x, 0);
      let before = 0;
      for (const x of kept) {
        if (before >= topP * total) break;
        threshold = Math.max(threshold, topP < 1 ? x : 0);
        if (topP < 1) threshold = x;
        before += x;
      }
      threshold = Math.max(threshold, minP);
      p = p.map((x) => (x >= threshold ? x : 0));
      const target = uniforms[turn[0] * rows + r] * p.reduce((a, x) => a + x, 0);
      let sum = 0;
      let chosen = 0;
      for (let v = 0; v < V; v++) {
        if (p[v] > 0) chosen = v;
        sum += p[v];
        if (sum > target) break;
      }
      y[r] = chosen;
    }
  },
  onnx(b, { inputs, attributes: { greedy, topK, topP, minP } }) {
    const [logits, uniforms, turn, temperature] = inputs.map((t) => b.name(t));
    const [rows, V] = inputs[0].shape;
    if (greedy) return [b.cast(b.node('ArgMax', [logits], { axis: 1, keepdims: 0 }), 'i32')];
    let p = b.node('Softmax', [b.node('Div', [logits, temperature])], { axis: 1 });
    const keepFrom = (threshold: string) => {
      p = b.node('Mul', [p, b.cast(b.node('GreaterOrEqual', [p, threshold]), 'f32')]);
    };
    const total = () => b.node('ReduceSum', [p, b.ints([1])], { keepdims: 1 });
    if (topK > 0 && topK < V) {
      const [values] = b.nodes('TopK', [p, b.ints([topK])], 2, { axis: 1 });
      keepFrom(b.slice(values, 1, topK - 1, topK));
    }
    if (topP < 1) {
      const [values] = b.nodes('TopK', [p, b.ints([V])], 2, { axis: 1 });
      const before = b.node('CumSum', [values, b.ints([1])], { exclusive: 1 });
      const kept = b.node('Less', [before, b.node('Mul', [total(), b.scalar(topP)])]);
      keepFrom(
        b.node('ReduceMin', [b.node('Where', [kept, values, b.scalar(2)]), b.ints([1])], { keepdims: 1 }),
      );
    }
    if (minP > 0)
      keepFrom(b.node('Mul', [b.node('ReduceMax', [p, b.ints([1])], { keepdims: 1 }), b.scalar(minP)]));
    const u = b.reshape(b.node('Gather', [uniforms, turn], { axis: 0 }), [rows, 1]);
    const passed = b.node('LessOrEqual', [b.node('CumSum', [p, b.ints([1])]), b.node('Mul', [u, total()])]);
    const index = b.node('ReduceSum', [b.cast(passed, 'f32'), b.ints([1])], { keepdims: 0 });
    // Rounding may leave u · total above the last sum: then the last token that is kept.
    const positions = b.constant(
      Float32Array.from({ length: V }, (_, v) => v),
      [1, V],
    );
    const last = b.node('Mul', [b.cast(b.node('Greater', [p, b.scalar(0)]), 'f32'), positions]);
    return [b.cast(b.node('Min', [index, b.node('ReduceMax', [last, b.ints([1])], { keepdims: 0 })]), 'i32')];
  },
  webgpu(gpu, { inputs, outputs: [y], attributes: { greedy, topK, topP, minP } }) {
    const [rows, V] = inputs[0].shape;
    return [
      gpu.dispatch({
        kernel: 'sample',
        code: sampleWgsl,
        bindings: [...inputs, y],
        params: [rows, V, greedy ? 1 : 0, topK, { f32: topP }, { f32: minP }],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};

const emitTokenOp: Op<{ endTokens: readonly number[]; padToken: number }> = {
  name: 'emitToken',
  inPlace: [1],
  outputs([sampled, completions, finished]) {
    check(completions.shape[0] === sampled.shape[0], 'emitToken', 'completions [N, T], sampled [N]', [
      sampled,
      completions,
    ]);
    return [completions, sampled, finished];
  },
  reference([sampled, , finished, turn], [completions, token, done], { inputs, attributes }) {
    const T = inputs[1].shape[1];
    for (let n = 0; n < sampled.length; n++) {
      token[n] = finished[n] !== 0 ? attributes.padToken : sampled[n];
      done[n] = finished[n] !== 0 || attributes.endTokens.includes(token[n]) ? 1 : 0;
      completions[n * T + turn[0]] = token[n];
    }
  },
  onnx(b, { inputs, attributes: { endTokens, padToken } }) {
    const [sampled, completions, finished, turn] = inputs.map((t) => b.name(t));
    const [N, T] = inputs[1].shape;
    const int = (x: number) => b.constant(Int32Array.of(x), []);
    const wasDone = b.cast(finished, 'bool');
    const token = b.node('Where', [wasDone, int(padToken), sampled]);
    const ended = endTokens.map((end) => b.node('Equal', [token, int(end)]));
    const done = b.cast(
      [wasDone, ...ended].reduce((a, c) => b.node('Or', [a, c])),
      'i32',
    );
    const here = b.reshape(b.node('Equal', [range(b, T), turn]), [1, T]);
    return [b.node('Where', [here, b.reshape(token, [N, 1]), completions]), token, done];
  },
  webgpu(gpu, { inputs: [sampled, completions, finished, turn], outputs: [, token, done], attributes }) {
    const [N, T] = completions.shape;
    const { endTokens, padToken } = attributes;
    if (endTokens.length > 4) throw new Error(`emitToken: at most 4 end tokens, got ${endTokens.length}`);
    const ends = [0, 1, 2, 3].map((i) => endTokens[i] ?? 0xffffffff);
    return [
      gpu.dispatch({
        kernel: 'emit_token',
        code: emitTokenWgsl,
        bindings: [sampled, completions, finished, turn, token, done],
        params: [N, T, padToken, ...ends],
        threads: N,
      }),
    ];
  },
};

const incrementOp: Op = {
  name: 'increment',
  outputs: ([x]) => [x],
  reference([x], [y]) {
    for (let i = 0; i < x.length; i++) y[i] = x[i] + 1;
  },
  onnx: (b, { inputs: [x] }) => [b.node('Add', [b.name(x), b.constant(Int32Array.of(1), [])])],
  webgpu(gpu, { inputs: [x], outputs: [y] }) {
    const count = x.shape[0];
    return [
      gpu.dispatch({
        kernel: 'increment',
        code: incrementWgsl,
        bindings: [x, y],
        params: [count],
        threads: count,
      }),
    ];
  },
};

const allOp: Op = {
  name: 'all',
  outputs: () => [i32(1)],
  reference([x], [y]) {
    y[0] = x.every((value) => value !== 0) ? 1 : 0;
  },
  onnx: (b, { inputs: [x] }) => [b.node('ReduceMin', [b.name(x), b.ints([0])], { keepdims: 1 })],
  webgpu(gpu, { inputs: [x], outputs: [y] }) {
    return [
      gpu.dispatch({
        kernel: 'all',
        code: allWgsl,
        bindings: [x, y],
        params: [x.shape[0]],
        workgroups: [1, 1, 1],
      }),
    ];
  },
};
