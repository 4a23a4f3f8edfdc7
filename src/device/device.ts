/** Where graphs run. Three devices: webgpu (shaders/), cpu (onnxruntime-web, WASM), reference (float64 loops). */
import type { Graph, Shape } from '../ops/graph.ts';

export type DeviceKind = 'webgpu' | 'cpu' | 'reference';
export type RunInputs = Record<string, Float32Array | Int32Array>;
export type RunOutputs = Record<string, Float32Array | Float64Array | Int32Array>;

export interface StoreEntry {
  readonly name: string;
  readonly shape: Shape;
  /** Row-major; zeros when absent. */
  readonly data?: Float32Array;
}

/** Named float32 tensors that live on a device: weights, gradients, optimizer state. */
export interface Store {
  readonly names: readonly string[];
  shape(name: string): Shape;
  read(name: string): Promise<Float32Array>;
  write(name: string, data: Float32Array): void;
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

export interface Device {
  readonly kind: DeviceKind;
  /** For people: "NVIDIA …", "onnxruntime-web WASM, 2 threads". */
  readonly label: string;
  createStore(entries: Iterable<StoreEntry>): Store;
  /** Variables of the graph are looked up in the stores, the first that has the name wins. */
  compile(graph: Graph, stores: readonly Store[]): Promise<Program>;
  dispose(): void;
}
