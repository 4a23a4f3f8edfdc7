/**
 * What a graph will take on the CPU device, without compiling it. While a piece of the graph runs (see segments.ts), its
 * inputs, outputs, and what lies between are in WebAssembly's memory: each op's results from where they are made to where
 * they are last read, and what its ONNX nodes make on the way. Between pieces the values are in JavaScript's memory.
 */
import type { AttentionShape } from '../../ops/attention.ts';
import { type Call, type Graph, sizeOf, type Tensor, type TensorSpec } from '../../ops/graph.ts';
import type { HeadAttributes, HeadBackwardAttributes } from '../../ops/head.ts';
import { chunkOf } from '../../ops/head-onnx.ts';
import { isRepeat } from '../../ops/repeat.ts';
import type { NamedBytes } from '../webgpu/program-size.ts';
import { cutIntoSegments, type Segment } from './segments.ts';

export interface CpuProgramSize {
  /** Bytes of values that are in JavaScript's memory at the same time, while a run goes on. */
  readonly between: number;
  /** Bytes that a run takes in WebAssembly at most. */
  readonly wasm: number;
  /** Bytes that stay in WebAssembly while the program is there. */
  readonly kept: number;
  /** It gives back what its runs take (see compileSegment). */
  readonly isApart: boolean;
}

/** onnxruntime-web's WASM addresses memory with 32 bits. */
export const wasmBytes = 2 ** 32;

/** Node or a tab, this program's code, and onnxruntime's, before there is any model; measured. */
export const runtimeBytes = 300 * 2 ** 20;

/**
 * A program in one piece takes its memory from onnxruntime's arena, which grows by powers of two and keeps what it has:
 * this much more than what lies in it; measured.
 */
const arenaSlack = 1.25;

const bytesOf = ({ shape, dtype }: TensorSpec) => sizeOf(shape) * (dtype === 'f16' ? 2 : 4);
const asFloats = ({ shape }: TensorSpec) => sizeOf(shape) * 4;
const total = (tensors: readonly Tensor[], of = bytesOf) => tensors.reduce((sum, t) => sum + of(t), 0);

export function cpuProgramSize(graph: Graph): CpuProgramSize & {
  /** Bytes of constants and inputs in JavaScript's memory. */
  readonly fixed: number;
  readonly largest: NamedBytes;
} {
  const segments = cutIntoSegments(graph);
  const isApart = graph.blocks.length > 0;
  const distinct = new Map(segments.map((segment) => [segment.key, segment]));
  let kept = 0;
  for (const { constants } of distinct.values())
    for (const data of constants.values()) kept += data.byteLength;
  const peaks = segments.map((segment) => peakOf(segment));
  const wasm = peaks.reduce((most, peak) => Math.max(most, peak), 0);
  const made = graph.calls.flatMap((call) => call.outputs);
  const largest = [...made, ...graph.inputs.values(), ...graph.variables.values()].reduce((a, b) =>
    asFloats(b) > asFloats(a) ? b : a,
  );
  const constants = [...graph.constants.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    between: betweenSegments(segments),
    wasm: isApart ? wasm : wasm * arenaSlack,
    ...{ kept, isApart },
    fixed: constants + total([...graph.inputs.values()]),
    largest: { name: largest.name, bytes: asFloats(largest) },
  };
}

/** Results of pieces that later ones, or the run's caller, still need; those of the running one are there twice. */
function betweenSegments(segments: readonly Segment[]): number {
  const live = new Map<Tensor, number>();
  let now = 0;
  let most = 0;
  for (const { outputs, dead } of segments) {
    for (const t of outputs) {
      live.set(t, bytesOf(t));
      now += bytesOf(t);
    }
    most = Math.max(most, now);
    for (const t of dead) {
      now -= live.get(t) ?? 0;
      live.delete(t);
    }
  }
  return most;
}

/** Bytes in WebAssembly at the fullest moment of a piece. */
function peakOf({ calls, inputs, outputs }: Segment): number {
  const halves = inputs.filter(({ dtype }) => dtype === 'f16');
  return total(inputs) + walk(calls, new Set(outputs), halves);
}

/**
 * The most bytes of what the calls make and of the float32 copies of `halves` that they read. `kept`: results that are
 * read after all of them.
 */
function walk(calls: readonly Call[], kept: ReadonlySet<Tensor>, halves: readonly Tensor[]): number {
  const half = new Set(halves);
  const root = new Map<Tensor, Tensor>();
  const rootOf = (t: Tensor) => root.get(t) ?? t;
  const reads = calls.map((call) => readsOf(call));
  const lastRead = new Map<Tensor, number>();
  calls.forEach((call, i) => {
    if (call.op.alias) root.set(call.outputs[0], rootOf(call.inputs[0]));
    for (const t of reads[i]) lastRead.set(rootOf(t), i);
    for (const t of call.outputs) if (kept.has(t)) lastRead.set(rootOf(t), calls.length);
  });
  // What a forward op leaves for its backward one lives as long as that.
  const stashes = new Map<number, number>();
  calls.forEach((call, i) => {
    const stash = stashOf(call);
    const last = calls.findLastIndex((other) => readsStash(other, call));
    if (stash > 0 && last > i) stashes.set(i, last);
  });
  const endings = new Map<number, number[]>();
  const ends = (i: number, bytes: number) => endings.set(i, [...(endings.get(i) ?? []), bytes]);
  const seen = new Set<Tensor>();
  let now = 0;
  let most = 0;
  calls.forEach((call, i) => {
    for (const t of reads[i])
      if (half.has(t) && !seen.has(t)) {
        seen.add(t);
        now += asFloats(t);
        ends(lastRead.get(t)!, asFloats(t));
      }
    if (!call.op.alias)
      for (const t of call.outputs) {
        now += bytesOf(t);
        ends(Math.max(lastRead.get(t) ?? i, i), bytesOf(t));
      }
    most = Math.max(most, now + temporaries(call));
    const last = stashes.get(i);
    if (last !== undefined) {
      now += stashOf(call);
      ends(last, stashOf(call));
      most = Math.max(most, now);
    }
    for (const bytes of endings.get(i) ?? []) now -= bytes;
  });
  return most;
}

/** What a call reads, a loop's body included. */
function readsOf(call: Call): Tensor[] {
  if (!isRepeat(call)) return [...call.inputs];
  const { body, next } = call.attributes;
  return [...call.inputs, ...body.calls.flatMap(readsOf), ...next];
}

/** Probabilities of attention, and the head's distributions where it computes all rows at once. */
function stashOf({ op, attributes, inputs }: Call): number {
  if (op.name === 'attention') return scoreBytes(attributes as AttentionShape);
  if (op.name !== 'head') return 0;
  const { views, vocabulary, count, chunks } = chunkOf(inputs, attributes as HeadAttributes);
  // log p and p of each view, and the views' difference.
  return chunks > 1 ? 0 : (2 * views + views - 1) * count * vocabulary * 4;
}

const readsStash = ({ op, inputs }: Call, forward: Call) =>
  op.name === `${forward.op.name}Backward` &&
  inputs.includes(forward.outputs[forward.op.name === 'attention' ? 1 : 0]);

/** Scores of all queries over the keys that their segment has. */
function scoreBytes(s: AttentionShape): number {
  const { prefixes: P, prefixLength: L, group: G, completionLength: T, heads } = s;
  return P * heads * (L * L + G * T * (L + T)) * 4;
}

/** Bytes that an op's nodes make beside its results, and drop before the next op. Counted by hand from the lowerings. */
function temporaries(call: Call): number {
  const { op, inputs, outputs, attributes } = call;
  const [first] = outputs;
  const output = total(outputs);
  switch (op.name) {
    case 'reshape':
    case 'detach':
      return 0;
    case 'matmul': {
      const { transA } = attributes as { transA?: boolean };
      return transA ? bytesOf(inputs[0]) : 0;
    }
    case 'attention': {
      const shape = attributes as AttentionShape;
      // Heads of q, k and v apart; scores, the same with masks, and their probabilities over prefix and own keys apart.
      return 2 * total(inputs.slice(0, 3)) + 2.5 * scoreBytes(shape);
    }
    case 'attentionReceived':
      return 2 * total(inputs) + 2 * scoreBytes(attributes as AttentionShape);
    case 'attentionBackward':
      return 2 * total(inputs.slice(0, 4)) + 4 * scoreBytes(attributes as AttentionShape);
    case 'decodeAttention':
      // Keys and values with their axes exchanged, of prefix and own cache.
      return 2 * total(inputs.slice(1, 5)) - total(inputs.slice(1, 5)) + 4 * output;
    case 'head': {
      const { views, count, vocabulary } = chunkOf(inputs, attributes as HeadAttributes);
      return (4 * views + 1) * count * vocabulary * 4;
    }
    case 'headBackward': {
      const { views, count, vocabulary, chunks } = chunkOf(inputs, attributes as HeadBackwardAttributes);
      const weight = (attributes as HeadBackwardAttributes).weightGradient && chunks > 1 ? outputs[1] : null;
      return (7 * views + 2) * count * vocabulary * 4 + (weight ? 2 * bytesOf(weight) : 0);
    }
    case 'sample': {
      const { greedy, topK, topP } = attributes as { greedy?: boolean; topK: number; topP: number };
      const logits = bytesOf(inputs[0]);
      if (greedy) return 0;
      // Sorted values with their 64-bit places and sums, where likelihoods are cut by rank.
      return (topP < 1 || topK > 0 ? 7 : 4) * logits;
    }
    case 'scatterAdd':
      // 64-bit places, as many as values; and the zeros that they are added to.
      return 2 * bytesOf(inputs[0]) + bytesOf(first);
    case 'repeat': {
      if (!isRepeat(call)) return 0;
      const { body, next } = call.attributes;
      // A turn's state is there as it was and as it becomes.
      return walk(body.calls, new Set(next), []) + total(call.inputs);
    }
    case 'layerNormBackward':
    case 'rmsNormBackward':
    case 'geluBackward':
    case 'swigluBackward':
      return 3 * bytesOf(first);
    default:
      return bytesOf(first ?? inputs[0]);
  }
}
