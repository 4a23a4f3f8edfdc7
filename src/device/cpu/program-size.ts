/**
 * What a graph will take on the CPU device, without compiling it. While a piece of the graph runs (see segments.ts), its
 * inputs, outputs, and what lies between are in WebAssembly's memory (node-memory.ts). Between pieces the values are in JavaScript's memory.
 */
import { type Graph, sizeOf, type Tensor, type TensorSpec } from '../../ops/graph.ts';
import type { NamedBytes } from '../webgpu/program-size.ts';
import { OnnxBuilder } from './onnx-builder.ts';
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

/** Node with this program's code and onnxruntime's, compiled and with its threads, beside any model; measured. */
export const runtimeBytes = 520 * 2 ** 20;

/** What WebAssembly's memory begins with, onnxruntime in it. */
export const wasmBase = 20 * 2 ** 20;

/** What lies in gaps between pieces of WebAssembly's memory, for each byte that is used; measured. */
const withGaps = 1.06;

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
  const peaks = [...distinct.values()].map(peakOf);
  const wasm = peaks.reduce((most, peak) => Math.max(most, peak), 0);
  const made = graph.calls.flatMap((call) => call.outputs);
  const largest = [...made, ...graph.inputs.values(), ...graph.variables.values()].reduce((a, b) =>
    asFloats(b) > asFloats(a) ? b : a,
  );
  const constants = [...graph.constants.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return {
    between: betweenSegments(segments),
    wasm: wasm * withGaps,
    ...{ kept, isApart },
    fixed: constants + total([...graph.inputs.values()]),
    largest: { name: largest.name, bytes: asFloats(largest) },
  };
}

/** Results of pieces that later ones, or the run's caller, still need; and about as much that waits to be collected. */
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
  return 2 * most;
}

/** Bytes in WebAssembly at the fullest moment of a piece. */
function peakOf({ calls, constants, inputs, outputs }: Segment): number {
  const builder = new OnnxBuilder();
  for (const [i, tensor] of inputs.entries()) builder.input(tensor, `in${i}`);
  builder.append({ calls, constants });
  return total(inputs) + builder.peakBytes(outputs);
}
