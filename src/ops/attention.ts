/**
 * Scaled dot-product attention with grouped key-value heads over rows in two segments:
 *
 *   rows 0 … P·L−1          P prefixes of L tokens (prompt and image; or the patches of P images)
 *   rows P·L … P·L+P·G·T−1  G completions of T tokens for each prefix, in the order (prefix, completion, token)
 *
 * A prefix token attends inside its prefix; a completion token attends to its whole prefix and to the tokens of
 * its own completion up to itself. So the G completions of a prompt share one prefix: equal outputs and gradients
 * to G full sequences ("Prefix Grouper", arXiv 2506.05433). With T = 0 it is plain attention.
 */

import attentionWgsl from '../../shaders/attention.wgsl?raw';
import backwardKvWgsl from '../../shaders/attention_backward_kv.wgsl?raw';
import backwardQWgsl from '../../shaders/attention_backward_q.wgsl?raw';
import deltaWgsl from '../../shaders/attention_delta.wgsl?raw';
import lseWgsl from '../../shaders/attention_lse.wgsl?raw';
import receivedWgsl from '../../shaders/attention_received.wgsl?raw';
import softmaxWgsl from '../../shaders/attention_softmax.wgsl?raw';
import tiledWgsl from '../../shaders/attention_tiled.wgsl?raw';
import type { OnnxBuilder } from '../device/cpu/onnx-builder.ts';
import type { Dispatch, GpuLowering } from '../device/webgpu/dispatch.ts';
import { attentionCode, forHead, tiledCode, tiledKeys, tiledQueries, tileOf } from './attention-webgpu.ts';
import { check, f32, type Graph, type NumericArray, type Op, type Tensor } from './graph.ts';

export interface AttentionShape {
  /** P, L, G, T of the layout above. */
  readonly prefixes: number;
  readonly prefixLength: number;
  readonly group: number;
  readonly completionLength: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Whether a prefix token sees only earlier tokens of its prefix (decoder) or all (vision tower). */
  readonly causal: boolean;
}

/**
 * q [R, heads·headDim], k and v [R, kvHeads·headDim], keyMask [P, L] (1: real token, 0: left padding) → [R, heads·headDim].
 * Scores are divided by √headDim. Rows of padding tokens hold finite numbers without meaning.
 */
export function attention(
  g: Graph,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  keyMask: Tensor,
  shape: AttentionShape,
): Tensor {
  return g.call(attentionOp, [q, k, v, keyMask], shape)[0];
}

/** Added to the score of a key that may not be seen; finite, so that a row of padding stays finite. */
const hidden = -1e9;

const rowsOf = (s: AttentionShape) => s.prefixes * (s.prefixLength + s.group * s.completionLength);

/** The keys of one query row: [first row, count] of its prefix, then of its own completion. */
function keysOf(s: AttentionShape, row: number) {
  const { prefixLength: L, completionLength: T } = s;
  const prefixRows = s.prefixes * L;
  if (row < prefixRows) {
    const prefix = Math.floor(row / L);
    return { prefix, prefixKeys: s.causal ? (row % L) + 1 : L, ownStart: 0, ownKeys: 0 };
  }
  const completion = Math.floor((row - prefixRows) / T);
  return {
    prefix: Math.floor(completion / s.group),
    prefixKeys: L,
    ownStart: prefixRows + completion * T,
    ownKeys: ((row - prefixRows) % T) + 1,
  };
}

/** Calls back for each key that a query row sees, with the key's row and its mask bias. */
function eachKey(
  s: AttentionShape,
  mask: NumericArray,
  row: number,
  f: (keyRow: number, bias: number) => void,
) {
  const { prefix, prefixKeys, ownStart, ownKeys } = keysOf(s, row);
  const first = prefix * s.prefixLength;
  for (let j = 0; j < prefixKeys; j++) f(first + j, mask[first + j] !== 0 ? 0 : hidden);
  for (let j = 0; j < ownKeys; j++) f(ownStart + j, 0);
}

function score(
  s: AttentionShape,
  q: NumericArray,
  k: NumericArray,
  row: number,
  head: number,
  keyRow: number,
): number {
  const { headDim: D, heads, kvHeads } = s;
  const kvHead = Math.floor(head / (heads / kvHeads));
  let dot = 0;
  for (let c = 0; c < D; c++) dot += q[(row * heads + head) * D + c] * k[(keyRow * kvHeads + kvHead) * D + c];
  return dot / Math.sqrt(D);
}

// Outputs: y [R, heads·headDim], lse [R, heads] (log-sum-exp of the scores: the flash backward's only memory).
const attentionOp: Op<AttentionShape> = {
  name: 'attention',
  outputs(inputs, s) {
    const [q, k, v, mask] = inputs;
    const rows = rowsOf(s);
    check(
      q.shape[0] === rows && q.shape[1] === s.heads * s.headDim,
      'attention',
      `q must be [${rows}, heads·headDim]`,
      inputs,
    );
    const kv = String([rows, s.kvHeads * s.headDim]);
    check(String(k.shape) === kv && String(v.shape) === kv, 'attention', `k and v must be [${kv}]`, inputs);
    check(
      String(mask.shape) === String([s.prefixes, s.prefixLength]),
      'attention',
      'keyMask must be [P, L]',
      inputs,
    );
    check(s.heads % s.kvHeads === 0, 'attention', 'heads must be a multiple of kvHeads', inputs);
    return [f32(...q.shape), f32(rows, s.heads)];
  },
  reference([q, k, v, mask], [y, lse], { attributes: s }) {
    const { headDim: D, heads, kvHeads } = s;
    for (let row = 0; row < rowsOf(s); row++)
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        let top = Number.NEGATIVE_INFINITY;
        eachKey(s, mask, row, (key, bias) => {
          top = Math.max(top, score(s, q, k, row, head, key) + bias);
        });
        let total = 0;
        eachKey(s, mask, row, (key, bias) => {
          total += Math.exp(score(s, q, k, row, head, key) + bias - top);
        });
        lse[row * heads + head] = top + Math.log(total);
        eachKey(s, mask, row, (key, bias) => {
          const p = Math.exp(score(s, q, k, row, head, key) + bias - top) / total;
          for (let c = 0; c < D; c++)
            y[(row * heads + head) * D + c] += p * v[(key * kvHeads + kvHead) * D + c];
        });
      }
  },
  backward(g, { inputs: [q, k, v, mask], outputs: [y, lse], attributes }, [dy]) {
    if (!dy) return [];
    return g.call(attentionBackwardOp, [dy, q, k, v, mask, y, lse], attributes);
  },
  onnx(b, { inputs: [q, k, v, mask], outputs: [, lse], attributes: s }) {
    const parts = segments(s).map((segment) => {
      const heads = splitHeads(b, s, segment, b.name(q), b.name(k), b.name(v));
      const probabilities = softmaxScores(b, s, segment, heads, b.name(mask));
      b.stash(lse, segment, probabilities);
      const { prefixKeys, ownKeys } = splitKeys(b, s, segment, probabilities);
      let mixed = mergeGroup(b, s, segment, b.node('MatMul', [prefixKeys, heads.prefixV]));
      if (ownKeys && heads.ownV) mixed = b.node('Add', [mixed, b.node('MatMul', [ownKeys, heads.ownV])]);
      return joinHeads(b, s, segment, mixed, s.heads);
    });
    return [b.concat(parts, 0), ''];
  },
  webgpu(gpu, { inputs: [q, k, v, mask], outputs: [y, lse], attributes: s }) {
    const keysEach = gpu.limits.cheapBarriers ? tiledKeys(s.headDim, gpu.limits.workgroupMemory) : 0;
    if (keysEach > 0) {
      const tiles = (tokens: number) => Math.ceil((tokens * s.heads) / s.kvHeads / tiledQueries);
      const all = s.prefixes * (tiles(s.prefixLength) + s.group * tiles(s.completionLength));
      return [
        gpu.dispatch({
          kernel: `attention_tiled_${s.headDim}_${keysEach}`,
          code: tiledCode(tiledWgsl, s.headDim, keysEach),
          bindings: [q, k, v, mask, y, lse],
          params: gpuParams(s),
          workgroups: gpu.fold(all * s.kvHeads),
        }),
      ];
    }
    if (!gpu.limits.cheapBarriers && isLongAndPlain(s))
      return attentionByProducts(gpu, { q, k, v, mask, y, lse }, s);
    return [
      gpu.dispatch({
        kernel: `attention_${s.headDim}`,
        code: attentionCode(attentionWgsl, s.headDim),
        bindings: [q, k, v, mask, y, lse],
        params: gpuParams(s),
        threads: rowsOf(s) * s.heads,
      }),
    ];
  },
};

/** Bidirectional and without completions, of so many keys that products pay. Tests lower it. */
export const productSettings = { keys: 128 };
const isLongAndPlain = (s: AttentionShape) =>
  !s.causal && s.completionLength === 0 && s.prefixLength >= productSettings.keys;

/**
 * The forward pass head by head: scores by one product, their softmax, the mix of values by another. For software
 * adapters, whose fast kernels are the products: several times as fast there as a thread a query.
 */
function attentionByProducts(
  gpu: GpuLowering,
  { q, k, v, mask, y, lse }: Record<'q' | 'k' | 'v' | 'mask' | 'y' | 'lse', Tensor>,
  s: AttentionShape,
): Dispatch[] {
  const { prefixLength: L, heads, kvHeads, headDim: D } = s;
  const scores = gpu.scratch(L * L * 4);
  return Array.from({ length: s.prefixes * heads }, (_, i) => {
    const [first, head] = [Math.floor(i / heads) * L, i % heads];
    const at = (first * heads + head) * D;
    const keyAt = (first * kvHeads + Math.floor((head * kvHeads) / heads)) * D;
    return [
      ...gpu.gemm({
        ...{ m: L, n: L, k: D, c: scores },
        a: { tensor: q, rowStride: heads * D, columnStride: 1, offset: at },
        b: { tensor: k, rowStride: 1, columnStride: kvHeads * D, offset: keyAt },
      }),
      gpu.dispatch({
        kernel: 'attention_softmax',
        code: softmaxWgsl,
        bindings: [scores, mask, lse],
        params: [L, L, first, heads, head, { f32: 1 / Math.sqrt(D) }],
        threads: L,
      }),
      ...gpu.gemm({
        ...{ m: L, n: D, k: L, c: y, cOffset: at, cRowStride: heads * D },
        a: { tensor: scores, rowStride: L, columnStride: 1 },
        b: { tensor: v, rowStride: kvHeads * D, columnStride: 1, offset: keyAt },
      }),
    ];
  }).flat();
}

/** The Params of all attention shaders, in order. */
function gpuParams(s: AttentionShape) {
  return [
    s.prefixes,
    s.prefixLength,
    s.group,
    s.completionLength,
    s.heads,
    s.kvHeads,
    s.causal ? 1 : 0,
    { f32: 1 / Math.sqrt(s.headDim) },
  ];
}

// With P the probabilities: dV = Pᵀ dY;  dP = dY Vᵀ;  dS = P ∘ (dP − rowsum(dY ∘ Y));  dQ = dS K / √D;  dK = dSᵀ Q / √D.
const attentionBackwardOp: Op<AttentionShape> = {
  name: 'attentionBackward',
  outputs: ([, q, k, v]) => [q, k, v],
  reference([dy, q, k, v, mask, y, lse], [dq, dk, dv], { attributes: s }) {
    const { headDim: D, heads, kvHeads } = s;
    for (let row = 0; row < rowsOf(s); row++)
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const at = (row * heads + head) * D;
        let delta = 0;
        for (let c = 0; c < D; c++) delta += dy[at + c] * y[at + c];
        eachKey(s, mask, row, (key, bias) => {
          const keyAt = (key * kvHeads + kvHead) * D;
          const p = Math.exp(score(s, q, k, row, head, key) + bias - lse[row * heads + head]);
          let dp = 0;
          for (let c = 0; c < D; c++) dp += dy[at + c] * v[keyAt + c];
          const ds = (p * (dp - delta)) / Math.sqrt(D);
          for (let c = 0; c < D; c++) {
            dv[keyAt + c] += p * dy[at + c];
            dq[at + c] += ds * k[keyAt + c];
            dk[keyAt + c] += ds * q[at + c];
          }
        });
      }
  },
  onnx(b, { inputs: [dy, q, k, v, , y, lse], attributes: s }) {
    const gradients = segments(s).map((segment) => {
      const heads = splitHeads(b, s, segment, b.name(q), b.name(k), b.name(v));
      const dyHeads = splitQuery(b, s, segment, b.name(dy));
      const yHeads = splitQuery(b, s, segment, b.name(y));
      const delta = b.node('ReduceSum', [b.node('Mul', [dyHeads, yHeads]), b.ints([-1])], { keepdims: 1 });
      const probabilities = b.stashOf(lse, segment)!;
      const dp = attendScores(
        b,
        s,
        segment,
        dyHeads,
        transpose4(b, heads.prefixV),
        heads.ownV && transpose5(b, heads.ownV),
      );
      const ds = b.node('Mul', [
        b.node('Mul', [probabilities, b.scalar(1 / Math.sqrt(s.headDim))]),
        b.node('Sub', [dp, delta]),
      ]);
      const scores = splitKeys(b, s, segment, ds);
      const chances = splitKeys(b, s, segment, probabilities);
      const grouped = (name: string) => groupQuery(b, s, segment, name);
      const prefixK = b.node('MatMul', [transpose4(b, scores.prefixKeys), grouped(heads.q)]);
      const prefixV = b.node('MatMul', [transpose4(b, chances.prefixKeys), grouped(dyHeads)]);
      let dq = mergeGroup(b, s, segment, b.node('MatMul', [scores.prefixKeys, heads.prefixK]));
      if (!scores.ownKeys || !chances.ownKeys || !heads.ownK)
        return { dq: joinHeads(b, s, segment, dq, s.heads), prefixK, prefixV, ownK: '', ownV: '' };
      dq = b.node('Add', [dq, b.node('MatMul', [scores.ownKeys, heads.ownK])]);
      const ownK = b.node('MatMul', [transpose5(b, scores.ownKeys), heads.q]);
      const ownV = b.node('MatMul', [transpose5(b, chances.ownKeys), dyHeads]);
      return {
        dq: joinHeads(b, s, segment, dq, s.heads),
        prefixK,
        prefixV,
        ownK: joinOwn(b, s, ownK),
        ownV: joinOwn(b, s, ownV),
      };
    });
    const total = (names: string[]) =>
      joinPrefix(
        b,
        s,
        names.reduce((a, c) => b.node('Add', [a, c])),
      );
    const own = gradients[1];
    return [
      b.concat(
        gradients.map((t) => t.dq),
        0,
      ),
      b.concat([total(gradients.map((t) => t.prefixK)), ...(own ? [own.ownK] : [])], 0),
      b.concat([total(gradients.map((t) => t.prefixV)), ...(own ? [own.ownV] : [])], 0),
    ];
  },
  webgpu(gpu, { inputs: [dy, q, k, v, mask, y, lse], outputs: [dq, dk, dv], attributes: s }) {
    const rows = rowsOf(s);
    const params = gpuParams(s);
    const tile = tileOf(s.headDim);
    const tiles = (length: number) => Math.ceil(length / tile);
    const keyTiles = s.prefixes * (tiles(s.prefixLength) + s.group * tiles(s.completionLength));
    // lse and rowsum(dY ∘ Y) in one buffer: WebGPU's core limit is 8 storage buffers a stage.
    const stats = gpu.scratch(rows * s.heads * 2 * 4);
    return [
      gpu.dispatch({
        kernel: `attention_delta_${s.headDim}`,
        code: forHead(deltaWgsl, s.headDim),
        bindings: [dy, y, lse, stats],
        params: [rows * s.heads],
        threads: rows * s.heads,
      }),
      gpu.dispatch({
        kernel: `attention_backward_q_${s.headDim}`,
        code: attentionCode(backwardQWgsl, s.headDim),
        bindings: [dy, q, k, v, mask, stats, dq],
        params,
        threads: rows * s.heads,
      }),
      gpu.dispatch({
        kernel: `attention_backward_kv_${s.headDim}`,
        code: attentionCode(backwardKvWgsl, s.headDim),
        bindings: [dy, q, k, v, mask, stats, dk, dv],
        params,
        workgroups: gpu.fold(keyTiles * s.kvHeads),
      }),
    ];
  },
};

// ---- ONNX: heads are split so that each product is one batched MatMul, and nothing is repeated for the group.
// Query of a segment: [P, KV, G, rep·T, D] (prefix: G = 1, T = L); keys and values: prefix [P, KV, L, D],
// own [P, KV, G, T, D]; scores: [P, KV, G, rep·T, keys], keys = L, or L + T.

type Segment = 'prefix' | 'completion';
interface Heads {
  q: string;
  prefixK: string;
  prefixV: string;
  ownK?: string;
  ownV?: string;
}

function segments(s: AttentionShape): Segment[] {
  return s.completionLength > 0 ? ['prefix', 'completion'] : ['prefix'];
}

/** Group size and tokens a row block of the segment's queries. */
function extent(s: AttentionShape, segment: Segment): { G: number; T: number } {
  return segment === 'prefix' ? { G: 1, T: s.prefixLength } : { G: s.group, T: s.completionLength };
}

/** Swaps the last two axes of a rank-4 (over the prefix) or rank-5 (over own tokens) value. */
const transpose4 = (b: OnnxBuilder, name: string) => b.transpose(name, [0, 1, 3, 2]);
const transpose5 = (b: OnnxBuilder, name: string) => b.transpose(name, [0, 1, 2, 4, 3]);

function rowsSlice(b: OnnxBuilder, s: AttentionShape, segment: Segment, name: string): string {
  if (s.completionLength === 0) return name;
  const prefixRows = s.prefixes * s.prefixLength;
  return segment === 'prefix' ? b.slice(name, 0, 0, prefixRows) : b.slice(name, 0, prefixRows, rowsOf(s));
}

function splitQuery(b: OnnxBuilder, s: AttentionShape, segment: Segment, name: string): string {
  const { G, T } = extent(s, segment);
  const rep = s.heads / s.kvHeads;
  const rows = b.reshape(rowsSlice(b, s, segment, name), [s.prefixes, G, T, s.kvHeads, rep, s.headDim]);
  return b.reshape(b.transpose(rows, [0, 3, 1, 4, 2, 5]), [s.prefixes, s.kvHeads, G, rep * T, s.headDim]);
}

function splitHeads(
  b: OnnxBuilder,
  s: AttentionShape,
  segment: Segment,
  q: string,
  k: string,
  v: string,
): Heads {
  const prefix = (name: string) => {
    const rows = b.reshape(rowsSlice(b, s, 'prefix', name), [
      s.prefixes,
      s.prefixLength,
      s.kvHeads,
      s.headDim,
    ]);
    return b.transpose(rows, [0, 2, 1, 3]);
  };
  const own = (name: string) => {
    const { G, T } = extent(s, 'completion');
    const rows = b.reshape(rowsSlice(b, s, 'completion', name), [s.prefixes, G, T, s.kvHeads, s.headDim]);
    return b.transpose(rows, [0, 3, 1, 2, 4]);
  };
  const heads: Heads = { q: splitQuery(b, s, segment, q), prefixK: prefix(k), prefixV: prefix(v) };
  return segment === 'prefix' ? heads : { ...heads, ownK: own(k), ownV: own(v) };
}

/** [P, KV, G, rep·T, X] → [P, KV, G·rep·T, X]: the whole group against the shared prefix in one product. */
function groupQuery(b: OnnxBuilder, s: AttentionShape, segment: Segment, name: string): string {
  const { G, T } = extent(s, segment);
  return b.reshape(name, [s.prefixes, s.kvHeads, (G * T * s.heads) / s.kvHeads, -1]);
}

function mergeGroup(b: OnnxBuilder, s: AttentionShape, segment: Segment, name: string): string {
  const { G, T } = extent(s, segment);
  return b.reshape(name, [s.prefixes, s.kvHeads, G, (T * s.heads) / s.kvHeads, -1]);
}

/** x · [prefixᵀ | ownᵀ]: scores over all keys, or dP. The key operands come transposed. */
function attendScores(
  b: OnnxBuilder,
  s: AttentionShape,
  segment: Segment,
  x: string,
  prefixT: string,
  ownT?: string,
) {
  const toPrefix = mergeGroup(b, s, segment, b.node('MatMul', [groupQuery(b, s, segment, x), prefixT]));
  return ownT ? b.concat([toPrefix, b.node('MatMul', [x, ownT])], 4) : toPrefix;
}

function softmaxScores(
  b: OnnxBuilder,
  s: AttentionShape,
  segment: Segment,
  heads: Heads,
  mask: string,
): string {
  const { G, T } = extent(s, segment);
  const rep = s.heads / s.kvHeads;
  const keys = s.prefixLength + (segment === 'completion' ? T : 0);
  const scaled = b.node('Mul', [heads.q, b.scalar(1 / Math.sqrt(s.headDim))]);
  const scores = attendScores(
    b,
    s,
    segment,
    scaled,
    transpose4(b, heads.prefixK),
    heads.ownK && transpose5(b, heads.ownK),
  );
  // Padding keys of the prefix, and the causal triangle of the segment's own tokens: made once a graph.
  const padding = b.reshape(b.node('Mul', [b.node('Sub', [b.scalar(1), mask]), b.scalar(hidden)]), [
    s.prefixes,
    1,
    1,
    1,
    1,
    s.prefixLength,
  ]);
  const triangle = () =>
    b.constant(
      Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? hidden : 0)),
      [1, 1, 1, 1, T, T],
    );
  const bias =
    segment === 'completion'
      ? b.concat(
          [
            b.node('Expand', [padding, b.ints([s.prefixes, 1, 1, 1, T, s.prefixLength])]),
            b.node('Expand', [triangle(), b.ints([s.prefixes, 1, 1, 1, T, T])]),
          ],
          5,
        )
      : s.causal
        ? b.node('Add', [padding, triangle()])
        : padding;
  const shaped = b.reshape(scores, [s.prefixes, s.kvHeads, G, rep, T, keys]);
  const chances = b.node('Softmax', [b.node('Add', [shaped, bias])], { axis: -1 });
  return b.reshape(chances, [s.prefixes, s.kvHeads, G, rep * T, keys]);
}

/** Scores split by key: those over the prefix as [P, KV, G·rep·T, L], those over own tokens [P, KV, G, rep·T, T]. */
function splitKeys(b: OnnxBuilder, s: AttentionShape, segment: Segment, scores: string) {
  if (segment === 'prefix') return { prefixKeys: groupQuery(b, s, segment, scores) };
  const L = s.prefixLength;
  return {
    prefixKeys: groupQuery(b, s, segment, b.slice(scores, 4, 0, L)),
    ownKeys: b.slice(scores, 4, L, L + s.completionLength),
  };
}

function joinHeads(b: OnnxBuilder, s: AttentionShape, segment: Segment, name: string, heads: number): string {
  const { G, T } = extent(s, segment);
  const split = b.reshape(name, [s.prefixes, s.kvHeads, G, heads / s.kvHeads, T, s.headDim]);
  return b.reshape(b.transpose(split, [0, 2, 4, 1, 3, 5]), [s.prefixes * G * T, heads * s.headDim]);
}

/** [P, KV, L, D] → [P·L, KV·D]. */
function joinPrefix(b: OnnxBuilder, s: AttentionShape, name: string): string {
  return b.reshape(b.transpose(name, [0, 2, 1, 3]), [s.prefixes * s.prefixLength, s.kvHeads * s.headDim]);
}

/** [P, KV, G, T, D] → [P·G·T, KV·D]. */
function joinOwn(b: OnnxBuilder, s: AttentionShape, name: string): string {
  const rows = s.prefixes * s.group * s.completionLength;
  return b.reshape(b.transpose(name, [0, 2, 3, 1, 4]), [rows, s.kvHeads * s.headDim]);
}

/**
 * Attention that each token receives, for the paper's semantic-aware mask (appendix G.2): the sum over queries and
 * the mean over heads of the probabilities, as [P, L]. Plain bidirectional attention without padding; no gradient.
 */
export function attentionReceived(g: Graph, q: Tensor, k: Tensor, s: AttentionShape): Tensor {
  return g.call(receivedOp, [q, k], s)[0];
}

const receivedOp: Op<AttentionShape> = {
  name: 'attentionReceived',
  outputs(inputs, s) {
    check(
      !s.causal && s.completionLength === 0,
      'attentionReceived',
      'is for bidirectional attention',
      inputs,
    );
    return [f32(s.prefixes, s.prefixLength)];
  },
  reference([q, k], [y], { attributes: s }) {
    const mask = new Float64Array(rowsOf(s)).fill(1);
    for (let row = 0; row < rowsOf(s); row++)
      for (let head = 0; head < s.heads; head++) {
        let total = 0;
        eachKey(s, mask, row, (key) => {
          total += Math.exp(score(s, q, k, row, head, key));
        });
        eachKey(s, mask, row, (key) => {
          y[key] += Math.exp(score(s, q, k, row, head, key)) / total / s.heads;
        });
      }
  },
  onnx(b, { inputs: [q, k], attributes: s }) {
    const heads = splitHeads(b, s, 'prefix', b.name(q), b.name(k), b.name(k));
    const scaled = b.node('Mul', [heads.q, b.scalar(1 / Math.sqrt(s.headDim))]);
    const scores = attendScores(b, s, 'prefix', scaled, transpose4(b, heads.prefixK));
    const chances = b.node('Softmax', [scores], { axis: -1 });
    const received = b.node('ReduceSum', [chances, b.ints([1, 2, 3])], { keepdims: 0 });
    return [b.node('Mul', [received, b.scalar(1 / s.heads)])];
  },
  webgpu(gpu, { inputs: [q, k], outputs: [y], attributes: s }) {
    const lse = gpu.scratch(rowsOf(s) * s.heads * 4);
    return [
      gpu.dispatch({
        kernel: `attention_lse_${s.headDim}`,
        code: attentionCode(lseWgsl, s.headDim),
        bindings: [q, k, lse],
        params: gpuParams(s),
        threads: rowsOf(s) * s.heads,
      }),
      gpu.dispatch({
        kernel: `attention_received_${s.headDim}`,
        code: attentionCode(receivedWgsl, s.headDim),
        bindings: [q, k, lse, y],
        params: gpuParams(s),
        workgroups: gpu.fold(rowsOf(s)),
      }),
    ];
  },
};
