/**
 * Runs a graph op by op with each op's reference loops: in float64 it is the oracle of the tests (device
 * `reference`), in float32 it runs the optimizer of the CPU device in place on the weights.
 */
import type { Call, Graph, NumericArray, Tensor } from '../ops/graph.ts';
import { sizeOf } from '../ops/graph.ts';
import { isRepeat } from '../ops/repeat.ts';
import { float16ToFloat32 } from '../store/dtypes.ts';
import { asFloat16, asFloat32 } from '../store/float16.ts';
import type {
  Device,
  DeviceLostError,
  Program,
  RunInputs,
  RunOutputs,
  Store,
  StoredValues,
  StoreEntry,
} from './device.ts';

type FloatArray = typeof Float32Array | typeof Float64Array;

export class ArrayStore implements Store {
  /** Uint16Array: bits of half floats. */
  private readonly entries = new Map<
    string,
    { shape: readonly number[]; data: Float32Array | Float64Array | Uint16Array }
  >();

  constructor(
    entries: Iterable<StoreEntry>,
    private readonly Float: FloatArray = Float32Array,
  ) {
    for (const { name, shape, dtype, data } of entries) {
      const size = sizeOf(shape);
      this.entries.set(name, { shape, data: dtype === 'f16' ? new Uint16Array(size) : new Float(size) });
      if (data) this.write(name, data);
    }
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** The tensor itself where it is f32; a copy of an f16 tensor in the store's precision. */
  array(name: string): Float32Array | Float64Array {
    const { data } = this.entry(name);
    return data instanceof Uint16Array ? this.Float.from(float16ToFloat32(data)) : data;
  }

  /** Bits of an f16 tensor, not copied; undefined where it is f32. */
  halves(name: string): Uint16Array | undefined {
    const { data } = this.entry(name);
    return data instanceof Uint16Array ? data : undefined;
  }

  shape(name: string): readonly number[] {
    return this.entry(name).shape;
  }

  dtype(name: string): 'f32' | 'f16' {
    return this.halves(name) ? 'f16' : 'f32';
  }

  async read(name: string): Promise<Float32Array> {
    return new Float32Array(this.array(name));
  }

  async readMany(names: readonly string[]): Promise<Map<string, Float32Array>> {
    return new Map(names.map((name) => [name, new Float32Array(this.array(name))]));
  }

  write(name: string, data: StoredValues): void {
    const { shape, data: array } = this.entry(name);
    if (array.length !== data.length) throw new Error(`${name}: ${data.length} values for shape [${shape}]`);
    array.set(array instanceof Uint16Array ? asFloat16(data, name) : asFloat32(data));
  }

  dispose(): void {
    this.entries.clear();
  }

  private entry(name: string) {
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`no tensor named ${name} in the store`);
    return entry;
  }
}

export function findArray(stores: readonly Store[], name: string): Float32Array | Float64Array {
  for (const store of stores) if (store instanceof ArrayStore && store.has(name)) return store.array(name);
  throw new Error(`variable ${name} is in none of the program's stores`);
}

export class InterpretedProgram implements Program {
  readonly stats: Program['stats'];

  constructor(
    private readonly graph: Graph,
    private readonly stores: readonly Store[],
    private readonly Float: FloatArray,
  ) {
    this.stats = { steps: graph.calls.length, activationBytes: 0, encodeMs: 0 };
  }

  async run(inputs: RunInputs = {}): Promise<RunOutputs> {
    const values = new Map<Tensor, NumericArray>();
    for (const [name, tensor] of this.graph.inputs) {
      const data = inputs[name];
      if (data?.length !== sizeOf(tensor.shape))
        throw new Error(`input ${name}: expected [${tensor.shape}], got ${data?.length ?? 'nothing'}`);
      values.set(tensor, tensor.dtype === 'i32' ? Int32Array.from(data) : this.Float.from(data));
    }
    for (const [name, tensor] of this.graph.variables) values.set(tensor, findArray(this.stores, name));
    this.bindConstants(this.graph, values);
    this.execute(this.graph, values);

    for (const { variable, value, mode } of this.graph.assignments) {
      const target = findArray(this.stores, variable);
      const source = values.get(value)!;
      for (let i = 0; i < target.length; i++) target[i] = mode === 'add' ? target[i] + source[i] : source[i];
    }
    return Object.fromEntries(
      [...this.graph.outputs].map(([name, t]) => [name, values.get(t)!.slice() as RunOutputs[string]]),
    );
  }

  private bindConstants(graph: Graph, values: Map<Tensor, NumericArray>): void {
    for (const [tensor, data] of graph.constants) {
      const scalar = graph.scalars.get(tensor);
      if (scalar !== undefined) values.set(tensor, this.Float.of(scalar));
      else values.set(tensor, tensor.dtype === 'i32' ? data : this.Float.from(data));
    }
  }

  private execute(graph: Graph, values: Map<Tensor, NumericArray>): void {
    for (const call of graph.calls) {
      if (isRepeat(call)) this.repeat(call, values);
      else {
        const inputs = call.inputs.map((t) => values.get(t)!);
        const outputs = call.outputs.map((t, i) => {
          const size = sizeOf(t.shape);
          const source = call.op.inPlace?.[i];
          if (source !== undefined) return inputs[source];
          return t.dtype === 'i32' ? new Int32Array(size) : new this.Float(size);
        });
        call.op.reference(inputs, outputs, call);
        call.outputs.forEach((t, i) => void values.set(t, outputs[i]));
      }
    }
  }

  private repeat(call: Call, values: Map<Tensor, NumericArray>): void {
    if (!isRepeat(call)) return;
    const { body, times, state, next, until } = call.attributes;
    this.bindConstants(body, values);
    // The first state is copied: in-place ops of the body must not reach what the loop started from.
    let current: NumericArray[] = call.inputs.map((t) => values.get(t)!.slice());
    for (let i = 0; i < times; i++) {
      state.forEach((t, k) => void values.set(t, current[k]));
      this.execute(body, values);
      current = next.map((t) => values.get(t)!);
      if (until && values.get(until)![0] !== 0) break;
    }
    call.outputs.forEach((t, k) => void values.set(t, current[k]));
  }

  dispose(): void {}
}

/** The float64 oracle. Slow on purpose: it only has to be plainly right. */
export class ReferenceDevice implements Device {
  readonly kind = 'reference';
  readonly label = 'float64 reference loops';
  readonly limits = { largestTensor: Number.POSITIVE_INFINITY };
  readonly lost = new Promise<DeviceLostError>(() => {});

  createStore(entries: Iterable<StoreEntry>): Store {
    return new ArrayStore(entries, Float64Array);
  }

  async compile(graph: Graph, stores: readonly Store[]): Promise<Program> {
    return new InterpretedProgram(graph, stores, Float64Array);
  }

  dispose(): void {}
}
