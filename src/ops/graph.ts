/**
 * A computation as a flat list of op calls over statically shaped tensors. Model, objective and optimizer are
 * written once as functions that append calls to a Graph; a device (src/device) compiles the list.
 * The backward pass is a walk back over the same list (backward.ts) that appends more calls.
 */
import type { OnnxBuilder } from '../device/cpu/onnx-builder.ts';
import type { Dispatch, GpuLowering } from '../device/webgpu/dispatch.ts';

/** f16: frozen weights, as variables alone. Every op computes and returns f32 (or i32). */
export type DType = 'f32' | 'i32' | 'f16';
export type Shape = readonly number[];

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A value in a graph; `id` is unique in the process, `name` is for messages. Rows × features, rank 2, mostly. */
export interface Tensor extends TensorSpec {
  readonly id: number;
  readonly name: string;
}

export type NumericArray = Float64Array | Float32Array | Int32Array;

/** One op: all that any device, the backward pass or a test needs to know about it. */
export interface Op<A extends object = object> {
  readonly name: string;
  /** Shape rule. Throws an Error that names the op and the shapes when they do not fit. */
  outputs(inputs: readonly TensorSpec[], attributes: A): TensorSpec[];
  /** The op in plain loops: the float64 oracle of every test. Fills `outputs` (zeroed when it is called). */
  reference(inputs: NumericArray[], outputs: NumericArray[], call: Call<A>): void;
  /** Appends the calls that turn gradients of the outputs into gradients of the inputs that `needs` asks for. */
  backward?(
    g: Graph,
    call: Call<A>,
    gradients: (Tensor | undefined)[],
    needs: boolean[],
  ): (Tensor | undefined)[];
  /** Appends ONNX nodes; returns the names of the output values. */
  onnx(b: OnnxBuilder, call: Call<A>): string[];
  /** The op as compute dispatches; scratch buffers come from `gpu`. */
  webgpu(gpu: GpuLowering, call: Call<A>): Dispatch[];
  /** Output 0 is input 0 seen under another shape: no work, same storage. */
  readonly alias?: boolean;
  /** `inPlace[o]` is the input whose storage output o overwrites: nothing may read that input afterwards. */
  readonly inPlace?: readonly number[];
  /** The inputs that may be f16. */
  readonly halfInputs?: readonly number[];
  /** Runs on the CPU device without ONNX, on the arrays themselves (the optimizer). */
  readonly host?: boolean;
}

export interface Call<A extends object = object> {
  readonly op: Op<A>;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
}

/** Calls `start` … `end − 1` of a graph: one layer, forward or backward. */
export interface Block {
  readonly start: number;
  readonly end: number;
}

let nextId = 0;

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

export class Graph {
  readonly calls: Call[] = [];
  /** Uploaded at every run. */
  readonly inputs = new Map<string, Tensor>();
  /** Live on the device between runs (weights, optimizer state), found by name in the stores given at compile time. */
  readonly variables = new Map<string, Tensor>();
  readonly constants = new Map<Tensor, Float32Array | Int32Array>();
  /** Scalars in full: in float64 a clip at 0.2 must not become the float32 next to 0.2. */
  readonly scalars = new Map<Tensor, number>();
  /** Read back after every run. */
  readonly outputs = new Map<string, Tensor>();
  /**
   * Layers, in order and apart from each other: what the backward walk computes again instead of keeping (backward.ts),
   * and what the CPU device runs one at a time. None unless `hasBlocks`.
   */
  readonly blocks: Block[] = [];
  /** Stored into a variable at the end of every run: gradients. `add` accumulates. */
  readonly assignments: { variable: string; value: Tensor; mode: 'set' | 'add' }[] = [];

  /** `hasBlocks`: what `block` brackets is kept as a block. */
  constructor(readonly hasBlocks = false) {}

  /** Runs `build`; the calls that it appends are one block. */
  block<T>(build: () => T): T {
    const start = this.calls.length;
    const result = build();
    if (this.hasBlocks && this.calls.length > start) this.blocks.push({ start, end: this.calls.length });
    return result;
  }

  tensor(shape: Shape, dtype: DType = 'f32', name?: string): Tensor {
    const id = nextId++;
    return { id, shape, dtype, name: name ?? `t${id}` };
  }

  input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    if (this.inputs.has(name)) throw new Error(`graph input ${name} is declared twice`);
    const tensor = this.tensor(shape, dtype, name);
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** `dtype` is that of the tensor in the store. No gradient flows to an f16 variable. */
  variable(name: string, shape: Shape, dtype: 'f32' | 'f16' = 'f32'): Tensor {
    const known = this.variables.get(name);
    if (known) {
      if (String(known.shape) !== String(shape) || known.dtype !== dtype)
        throw new Error(`variable ${name} is ${known.dtype}[${known.shape}], not ${dtype}[${shape}]`);
      return known;
    }
    const tensor = this.tensor(shape, dtype, name);
    this.variables.set(name, tensor);
    return tensor;
  }

  constant(data: Float32Array | Int32Array, shape: Shape, name?: string): Tensor {
    if (data.length !== sizeOf(shape))
      throw new Error(`constant ${name ?? ''}: ${data.length} values for shape [${shape}]`);
    const tensor = this.tensor(shape, data instanceof Int32Array ? 'i32' : 'f32', name);
    this.constants.set(tensor, data);
    return tensor;
  }

  scalar(value: number): Tensor {
    const tensor = this.constant(Float32Array.of(value), [1, 1], `${value}`);
    this.scalars.set(tensor, value);
    return tensor;
  }

  output(name: string, tensor: Tensor): void {
    check(tensor.dtype !== 'f16', name, 'an output of a graph cannot be f16', [tensor]);
    this.outputs.set(name, tensor);
  }

  assign(variable: string, value: Tensor, mode: 'set' | 'add' = 'set'): void {
    const target = this.variables.get(variable);
    check(target?.dtype !== 'f16', variable, 'frozen weights in f16 cannot be assigned', [value]);
    this.assignments.push({ variable, value, mode });
  }

  call<A extends object>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor[] {
    inputs.forEach((t, i) => {
      const fits = t.dtype !== 'f16' || op.halfInputs?.includes(i);
      check(fits ?? false, op.name, `input ${i} cannot be f16`, inputs);
    });
    const outputs = op
      .outputs(inputs, attributes)
      .map((spec, i) =>
        this.tensor(spec.shape, spec.dtype, `${op.name}${i ? `.${i}` : ''}#${this.calls.length}`),
      );
    this.calls.push({ op, inputs, outputs, attributes } as unknown as Call);
    return outputs;
  }
}

/**
 * The assignments that may be done as soon as their value is there, so that it need not be kept to the end: those to
 * variables that nothing in the graph reads, and that are assigned once.
 */
export function earlyAssignments({ assignments, variables }: Pick<Graph, 'assignments' | 'variables'>) {
  const times = new Map<string, number>();
  for (const { variable } of assignments) times.set(variable, (times.get(variable) ?? 0) + 1);
  return new Set(assignments.filter(({ variable: v }) => !variables.has(v) && times.get(v) === 1));
}

/** Fails with the op's name when `ok` is false: shape rules read as a list of these. */
export function check(ok: boolean, op: string, message: string, inputs: readonly TensorSpec[]): void {
  if (!ok)
    throw new Error(`${op}: ${message}; got ${inputs.map((t) => `${t.dtype}[${t.shape}]`).join(', ')}`);
}

export const f32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'f32' });
export const i32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'i32' });
