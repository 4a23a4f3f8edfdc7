/**
 * The CPU device: graphs as ONNX models run by onnxruntime-web's WASM execution provider, in a page's worker
 * and in Node alike. Weights live in JavaScript memory and are fed at every run; the optimizer (ops marked
 * `host`) works on them in place.
 */
import * as ort from 'onnxruntime-web';
import { UserError } from '../../errors.ts';
import { type Graph, sizeOf } from '../../ops/graph.ts';
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

const WASM_BYTES = 2 ** 32;

export interface CpuOptions {
  /** WASM threads; more than one needs Node or a cross-origin isolated page. Default: the cores, at most 8. */
  readonly threads?: number;
}

export class CpuDevice implements Device {
  readonly kind = 'cpu';
  readonly label: string;
  /** onnxruntime-web's WASM addresses memory with 32 bits, and everything that a run reads or makes is in there. */
  readonly limits = { largestTensor: WASM_BYTES, memory: WASM_BYTES };
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
  return isFull ? new OutOfMemoryError(what, undefined, 0, WASM_BYTES) : undefined;
}

class OnnxProgram implements Program {
  private constructor(
    private readonly graph: Graph,
    private readonly stores: readonly Store[],
    private readonly session: ort.InferenceSession,
    readonly stats: Program['stats'],
  ) {}

  static async create(graph: Graph, stores: readonly Store[]): Promise<OnnxProgram> {
    // Loaded while onnxruntime's WebAssembly is: it has the schema of ONNX in it.
    const { OnnxBuilder } = await import('./onnx-builder.ts');
    const builder = new OnnxBuilder();
    for (const [name, tensor] of graph.inputs) builder.input(tensor, `input:${name}`);
    for (const [name, tensor] of graph.variables) builder.input(tensor, `variable:${name}`);
    builder.append(graph);
    const results = [
      ...[...graph.outputs].map(([name, tensor]) => ({ name: `output:${name}`, tensor })),
      ...graph.assignments.map(({ variable, value }) => ({ name: `assign:${variable}`, tensor: value })),
    ];
    const model = builder.model(results);
    let session: ort.InferenceSession;
    try {
      session = await ort.InferenceSession.create(model, {
        executionProviders: ['wasm'],
        // 'all' runs no faster on these graphs (measured) and takes five times as long to create a session.
        graphOptimizationLevel: 'basic',
        logSeverityLevel: 3,
      });
    } catch (error) {
      const full = outOfMemory(error, 'compiling a graph');
      if (full) throw full;
      throw new UserError(
        `onnxruntime-web could not take the graph: ${error instanceof Error ? error.message : error}`,
      );
    }
    const stats = { steps: builder.nodeCount, activationBytes: 0, encodeMs: 0 };
    return new OnnxProgram(graph, stores, session, stats);
  }

  async run(inputs: RunInputs = {}): Promise<RunOutputs> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { shape, dtype }] of this.graph.inputs) {
      const data = inputs[name];
      if (data?.length !== sizeOf(shape))
        throw new Error(`input ${name}: expected [${shape}], got ${data?.length ?? 'nothing'}`);
      feeds[`input:${name}`] =
        dtype === 'i32'
          ? new ort.Tensor('int32', data as Int32Array, shape)
          : new ort.Tensor('float32', data as Float32Array, shape);
    }
    for (const [name, { shape }] of this.graph.variables)
      feeds[`variable:${name}`] = new ort.Tensor(
        'float32',
        findArray(this.stores, name) as Float32Array,
        shape,
      );

    const fetched = await this.session.run(feeds).catch((error) => {
      throw outOfMemory(error, 'a run') ?? error;
    });

    for (const { variable, mode } of this.graph.assignments) {
      const target = findArray(this.stores, variable);
      const source = fetched[`assign:${variable}`].data as Float32Array;
      if (mode === 'set') target.set(source);
      else for (let i = 0; i < target.length; i++) target[i] += source[i];
    }
    return Object.fromEntries(
      [...this.graph.outputs.keys()].map((name) => [name, fetched[`output:${name}`].data as Float32Array]),
    );
  }

  dispose(): void {
    void this.session.release();
  }
}
