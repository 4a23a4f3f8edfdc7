/**
 * The CPU device: graphs as ONNX models run by onnxruntime-web's WASM execution provider, in a page's worker
 * and in Node alike. Weights live in JavaScript memory and are fed at every run; the optimizer (ops marked
 * `host`) works on them in place.
 */
import * as ort from 'onnxruntime-web';
import { UserError } from '../../errors.ts';
import { type Graph, sizeOf, type Tensor } from '../../ops/graph.ts';
import {
  type Device,
  type DeviceLostError,
  OutOfMemoryError,
  type Program,
  type RunInputs,
  type RunOutputs,
  type Store,
  type StoreEntry,
} from '../device.ts';
import { ArrayStore, findArray, InterpretedProgram } from '../interpreter.ts';
import { cutIntoSegments, type Segment } from './segments.ts';

/** onnxruntime-web's WASM addresses memory with 32 bits. */
export const wasmBytes = 2 ** 32;

export interface CpuOptions {
  /** WASM threads; more than one needs Node or a cross-origin isolated page. Default: the cores, at most 8. */
  readonly threads?: number;
}

export class CpuDevice implements Device {
  readonly kind = 'cpu';
  readonly label: string;
  readonly limits = { largestTensor: wasmBytes, wasm: wasmBytes };
  readonly lost = new Promise<DeviceLostError>(() => {});

  constructor({ threads }: CpuOptions = {}) {
    const isolated = typeof SharedArrayBuffer !== 'undefined' && globalThis.crossOriginIsolated !== false;
    const cores = globalThis.navigator?.hardwareConcurrency ?? 2;
    const count = isolated ? (threads ?? Math.min(cores, 8)) : 1;
    // onnxruntime starts its threads with the first session: the first device of a process decides.
    ort.env.wasm.numThreads = count;
    ort.env.logLevel = 'error';
    this.label = `CPU (onnxruntime-web, WASM SIMD, ${count} thread${count > 1 ? 's' : ''})`;
  }

  createStore(entries: Iterable<StoreEntry>): Store {
    return new ArrayStore(entries);
  }

  async compile(graph: Graph, stores: readonly Store[]): Promise<Program> {
    for (const name of graph.variables.keys()) findArray(stores, name);
    if (graph.calls.length > 0 && graph.calls.every((call) => call.op.host))
      return new InterpretedProgram(graph, stores, Float32Array);
    return OnnxProgram.create(graph, stores);
  }

  dispose(): void {}
}

/** What onnxruntime says when WASM's memory is full, and when one tensor alone is larger than it. */
function outOfMemory(error: unknown, what: string): OutOfMemoryError | undefined {
  const isFull = /bad_alloc|SafeIntOnOverflow|[Ff]ailed to allocate/.test(String(error));
  return isFull ? new OutOfMemoryError(what, undefined, 0, wasmBytes) : undefined;
}

interface Piece extends Segment {
  readonly session: ort.InferenceSession;
}

class OnnxProgram implements Program {
  private constructor(
    private readonly graph: Graph,
    private readonly stores: readonly Store[],
    private readonly pieces: readonly Piece[],
    readonly stats: Program['stats'],
  ) {}

  static async create(graph: Graph, stores: readonly Store[]): Promise<OnnxProgram> {
    const segments = cutIntoSegments(graph);
    const sessions = new Map<string, ort.InferenceSession>();
    let steps = 0;
    for (const segment of segments) {
      if (sessions.has(segment.key)) continue;
      const { session, nodes } = await compileSegment(segment, graph.blocks.length > 0);
      sessions.set(segment.key, session);
      steps += nodes;
    }
    const pieces = segments.map((segment) => ({ ...segment, session: sessions.get(segment.key)! }));
    return new OnnxProgram(graph, stores, pieces, { steps, activationBytes: 0, encodeMs: 0 });
  }

  async run(inputs: RunInputs = {}): Promise<RunOutputs> {
    const { graph, stores, pieces } = this;
    const values = new Map<Tensor, ort.Tensor>();
    for (const [name, tensor] of graph.inputs) {
      const data = inputs[name];
      if (data?.length !== sizeOf(tensor.shape))
        throw new Error(`input ${name}: expected [${tensor.shape}], got ${data?.length ?? 'nothing'}`);
      values.set(tensor, toOrt(data, tensor));
    }
    for (const tensor of graph.variables.values())
      values.set(tensor, toOrt(variableOf(stores, tensor), tensor));
    for (const [tensor, data] of graph.constants) values.set(tensor, toOrt(data, tensor));

    const dataOf = (tensor: Tensor) => values.get(tensor)!.data as Float32Array;
    const assign = ({ variable, value, mode }: Graph['assignments'][number]) => {
      const target = findArray(stores, variable);
      const source = dataOf(value);
      if (mode === 'set') target.set(source);
      else for (let i = 0; i < target.length; i++) target[i] += source[i];
    };
    for (const { session, inputs: reads, outputs, assignments, dead } of pieces) {
      const feeds = Object.fromEntries(reads.map((t, i) => [`in${i}`, values.get(t)!]));
      const results = await session.run(feeds).catch((error) => {
        throw outOfMemory(error, 'a run') ?? error;
      });
      outputs.forEach((t, i) => void values.set(t, results[`out${i}`]));
      for (const assignment of assignments) assign(assignment);
      for (const t of dead) values.delete(t);
    }
    const done = new Set(pieces.flatMap(({ assignments }) => assignments));
    for (const assignment of graph.assignments) if (!done.has(assignment)) assign(assignment);
    return Object.fromEntries([...graph.outputs].map(([name, tensor]) => [name, dataOf(tensor)]));
  }

  dispose(): void {
    for (const session of new Set(this.pieces.map((piece) => piece.session))) void session.release();
  }
}

type Values = Float32Array | Int32Array | Uint16Array;

/** A variable's values as its store has them. */
function variableOf(stores: readonly Store[], { name, dtype }: Tensor): Values {
  if (dtype === 'f32') return findArray(stores, name) as Float32Array;
  for (const store of stores)
    if (store instanceof ArrayStore && store.has(name)) {
      const halves = store.halves(name);
      if (halves) return halves;
    }
  throw new Error(`variable ${name} is in none of the program's stores as ${dtype}`);
}

const ortTypes = { f32: 'float32', i32: 'int32', f16: 'float16' } as const;

function toOrt(data: Values, { shape, dtype }: Tensor): ort.Tensor {
  return new ort.Tensor(ortTypes[dtype], data as Float32Array, shape);
}

/** `isOneOfMany`: its memory is given back after each run, because another segment needs it next. */
async function compileSegment(
  { calls, constants, inputs, outputs }: Segment,
  isOneOfMany: boolean,
): Promise<{ session: ort.InferenceSession; nodes: number }> {
  // Loaded while onnxruntime's WebAssembly is: it has the schema of ONNX in it.
  const { OnnxBuilder } = await import('./onnx-builder.ts');
  const builder = new OnnxBuilder();
  for (const [i, tensor] of inputs.entries()) builder.input(tensor, `in${i}`);
  builder.append({ calls, constants });
  const model = builder.model(outputs.map((tensor, i) => ({ name: `out${i}`, tensor })));
  try {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['wasm'],
      // 'all' runs no faster on these graphs (measured) and takes five times as long to create a session.
      graphOptimizationLevel: 'basic',
      logSeverityLevel: 3,
      ...(isOneOfMany && { enableCpuMemArena: false, enableMemPattern: false }),
    });
    return { session, nodes: builder.nodeCount };
  } catch (error) {
    const full = outOfMemory(error, 'compiling a graph');
    if (full) throw full;
    throw new UserError(
      `onnxruntime-web could not take the graph: ${error instanceof Error ? error.message : error}`,
    );
  }
}
