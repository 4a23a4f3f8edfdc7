/** Where graphs run. Three devices: webgpu (shaders/), cpu (onnxruntime-web, WASM), reference (float64 loops). */
import { UserError } from '../errors.ts';
import type { Graph, Shape } from '../ops/graph.ts';
import type { GpuLowering } from './webgpu/dispatch.ts';
import type { GemmChoice } from './webgpu/gemm.ts';

export type DeviceKind = 'webgpu' | 'cpu' | 'reference';
export type RunInputs = Record<string, Float32Array | Int32Array>;
export type RunOutputs = Record<string, Float32Array | Float64Array | Int32Array>;

/** float32, or bits of half floats (Uint16Array). */
export type StoredValues = Float32Array | Uint16Array;

export interface StoreEntry {
  readonly name: string;
  readonly shape: Shape;
  /** How it is kept; default f32. f16 is for weights that nothing trains. */
  readonly dtype?: 'f32' | 'f16';
  /** Row-major; zeros when absent. Float32 values of an f16 tensor are rounded to nearest, ties to even. */
  readonly data?: StoredValues;
}

/** Named tensors that live on a device: weights, gradients, optimizer state. */
export interface Store {
  readonly names: readonly string[];
  shape(name: string): Shape;
  dtype(name: string): 'f32' | 'f16';
  /** Float32 whatever it is kept as. */
  read(name: string): Promise<Float32Array>;
  /**
   * The tensors as they are at this call, whatever runs or writes come after it; in the order of `names`. The arrays
   * are the caller's. Rejects with an OutOfMemoryError when there is no room for the copies.
   */
  readMany(names: readonly string[]): Promise<Map<string, Float32Array>>;
  /** Converts to what the tensor is kept as. Throws a UserError for a number that half floats cannot hold. */
  write(name: string, data: StoredValues): void;
  dispose(): void;
}

export interface ProgramStats {
  /** Compute dispatches (webgpu) or ONNX nodes (cpu) of one run. */
  readonly steps: number;
  /** Bytes of activations held at once: slots of the memory plan (webgpu), 0 where not known. */
  readonly activationBytes: number;
  /** CPU time spent on recording the last run's commands, milliseconds (webgpu). */
  readonly encodeMs: number;
}

/** A compiled graph. One run at a time. */
export interface Program {
  run(inputs?: RunInputs): Promise<RunOutputs>;
  readonly stats: ProgramStats;
  dispose(): void;
}

/** What is known of a device's memory before anything is put there. Plain data. */
export interface DeviceLimits {
  /** Bytes of the largest single tensor. */
  readonly largestTensor: number;
  /** Bytes of all tensors together; absent where nobody knows (WebGPU does not tell). */
  readonly memory?: number;
  /**
   * Bytes that WebAssembly can address, where graphs run in it: each run, or each block of one (see Graph.blocks), with all
   * that it reads and makes. What is kept between runs lies outside.
   */
  readonly wasm?: number;
  /** What ops on WebGPU are cut to, so that a graph can be planned without the device. */
  readonly webgpu?: { readonly lowering: GpuLowering['limits']; readonly gemm: GemmChoice };
}

/** The GPU went away: driver reset, crashed GPU process, unplugged, taken by the system, or destroyed by a script. */
export class DeviceLostError extends Error {
  override name = 'DeviceLostError';

  /** `reason`: what WebGPU says of it. */
  constructor(readonly reason: string) {
    super(
      `The connection to the GPU was lost (${reason}). The training up to the last checkpoint is safe. Resume from it: ` +
        'the GPU is then opened anew. If that does not help, restart the browser, or go on with the CPU device.',
    );
  }
}

/** The device has no room for what was asked of it. What was half allocated has been released. */
export class OutOfMemoryError extends UserError {
  override name = 'OutOfMemoryError';

  /**
   * `what`: "making a store of tensors"; `bytes`: what it takes, absent where that is not known; `allocated`: bytes that
   * were in use before it; `limit`: bytes that there are, where that is known.
   */
  constructor(
    readonly what: string,
    readonly bytes: number | undefined,
    readonly allocated: number,
    readonly limit?: number,
  ) {
    const takes = bytes === undefined ? 'takes more than there is' : `takes ${mebibytes(bytes)}`;
    const used = allocated > 0 || bytes !== undefined ? `; ${mebibytes(allocated)} are in use already` : '';
    const known = limit === undefined ? '' : `, and the limit is ${mebibytes(limit)}`;
    super(
      `Out of memory on the device: ${what} ${takes}${used}${known}. Lower per_device_train_batch_size (and raise ` +
        'gradient_accumulation_steps by as much), num_generations or max_completion_length, or close what else uses it.',
    );
  }
}

/** "12.3 MiB" */
export const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export interface Device {
  readonly kind: DeviceKind;
  readonly limits: DeviceLimits;
  /**
   * Resolves when the device is lost, and never otherwise (nor by dispose()). From then on everything rejects or
   * throws this error, what is running included.
   */
  readonly lost: Promise<DeviceLostError>;
  /** For people: "NVIDIA …", "onnxruntime-web WASM, 2 threads". */
  readonly label: string;
  /**
   * How many of so many bytes more the device has room for now, found by allocating and releasing them; where it does not
   * say how much memory it has.
   */
  room?(bytes: number): Promise<number>;
  createStore(entries: Iterable<StoreEntry>): Store;
  /** Variables of the graph are looked up in the stores, the first that has the name wins. */
  compile(graph: Graph, stores: readonly Store[]): Promise<Program>;
  dispose(): void;
}
