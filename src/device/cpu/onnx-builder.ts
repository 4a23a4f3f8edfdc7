/**
 * Writes a Graph as an ONNX model (opset 20 and onnxruntime's own domain), static shapes throughout. Each op
 * appends its nodes here; equal nodes are made once (masks, transposed weights, tables).
 */
import protobuf from 'protobufjs';
import type { Call, DType, Graph, Shape, Tensor } from '../../ops/graph.ts';
import { encodeMessage } from './encode-message.ts';
import { elementBytes, nodePeak, type OnnxNode, type OnnxValue } from './node-memory.ts';
import schema from './onnx-ml.proto?raw';

const root = protobuf.parse(schema, { keepCase: true }).root;

export type OnnxType = DType | 'i64' | 'bool';
/** TensorProto.DataType. */
export const dataTypes: Record<OnnxType, number> = { f32: 1, i32: 6, i64: 7, bool: 9, f16: 10 };

/** A dimension that varies from run to run has a name instead of a size. */
export type Dims = readonly (number | string)[];

/** The bytes of a message of onnx-ml.proto, fields by the names it has there. */
export function encodeProto(message: 'ModelProto' | 'GraphProto' | 'TensorProto', value: object): Uint8Array {
  return encodeMessage(root.lookupType(`onnx.${message}`), value);
}

/** Integers, integer lists and strings as they are; floats as { f }, so that 1.0 is not taken for an integer. */
export type Attribute =
  | number
  | readonly number[]
  | string
  | { readonly f: number }
  | { readonly graph: object };

/** TensorProto. */
interface Initializer {
  readonly name: string;
  readonly data_type: number;
  readonly dims: Shape;
  readonly raw_data: Uint8Array;
}

/** ValueInfoProto. */
interface ValueInfo {
  readonly name: string;
  readonly type: {
    readonly tensor_type: {
      readonly elem_type: number;
      readonly shape: {
        readonly dim: readonly { readonly dim_value?: number; readonly dim_param?: string }[];
      };
    };
  };
}

interface Scope {
  readonly nodes: object[];
  /** Equal nodes by their text. */
  readonly known: Map<string, string[]>;
}

export class OnnxBuilder {
  private readonly names = new Map<Tensor, string>();
  private readonly stashed = new Map<string, string>();
  private readonly initializers = new Map<string, Initializer>();
  private readonly graphInputs: ValueInfo[] = [];
  private scopes: Scope[] = [{ nodes: [], known: new Map() }];
  private counter = 0;
  nodeCount = 0;

  /** The ONNX name of a tensor's value. */
  name(tensor: Tensor): string {
    const name = this.names.get(tensor);
    if (name === undefined) throw new Error(`${tensor.name} is used before it is made`);
    if (name === '') throw new Error(`${tensor.name} is not available on the CPU device`);
    return name;
  }

  bind(tensor: Tensor, name: string): void {
    this.names.set(tensor, name);
  }

  /** Half floats are made float32 here, once: where they are used may be inside a loop. */
  input(tensor: Tensor, name: string): void {
    this.bind(tensor, tensor.dtype === 'f16' ? this.cast(name, 'f32') : name);
    this.graphInputs.push(valueInfo(name, tensor.dtype, tensor.shape));
  }

  /** An input that is no tensor of a Graph. Returns its name. */
  namedInput(name: string, type: OnnxType, dims: Dims): string {
    this.graphInputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Keeps a value of a forward pass for the backward lowering of the same op. */
  stash(tensor: Tensor, key: string, name: string): void {
    this.stashed.set(`${tensor.id}.${key}`, name);
  }

  stashOf(tensor: Tensor, key: string): string | undefined {
    return this.stashed.get(`${tensor.id}.${key}`);
  }

  node(
    type: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): string {
    return this.nodes(type, inputs, 1, attributes, domain)[0];
  }

  nodes(
    type: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): string[] {
    const hasGraph = Object.values(attributes).some((a) => typeof a === 'object' && 'graph' in a);
    const text = hasGraph ? '' : JSON.stringify([domain, type, inputs, outputCount, attributes]);
    if (text) for (const { known } of this.scopes) if (known.has(text)) return known.get(text)!;
    const outputs = Array.from({ length: outputCount }, () => `v${this.counter++}`);
    const scope = this.scopes[this.scopes.length - 1];
    scope.nodes.push({
      op_type: type,
      domain,
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    });
    this.nodeCount++;
    if (text) scope.known.set(text, outputs);
    return outputs;
  }

  /** A float32 scalar, or any constant; the same numbers under the same shape are stored once. */
  scalar(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }

  ints(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  constant(data: Float32Array | Int32Array | BigInt64Array, shape: Shape): string {
    const type = data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'i64';
    // Short constants are told apart by their numbers; long ones are not worth comparing.
    const key = data.length <= 64 ? `${type}[${shape}]${data.join()}` : `long${this.counter}`;
    const known = this.initializers.get(key);
    if (known) return known.name;
    const name = `c${this.counter++}`;
    const raw_data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.set(key, { name, data_type: dataTypes[type], dims: shape, raw_data });
    return name;
  }

  cast(name: string, type: OnnxType): string {
    return this.node('Cast', [name], { to: dataTypes[type] });
  }

  reshape(name: string, shape: Shape): string {
    return this.node('Reshape', [name, this.ints(shape)]);
  }

  transpose(name: string, perm: readonly number[]): string {
    return this.node('Transpose', [name], { perm });
  }

  slice(name: string, axis: number, start: number, end: number): string {
    return this.node('Slice', [name, this.ints([start]), this.ints([end]), this.ints([axis])]);
  }

  concat(names: readonly string[], axis: number): string {
    return names.length === 1 ? names[0] : this.node('Concat', names, { axis });
  }

  /** Appends all calls of a graph. */
  append(graph: Pick<Graph, 'constants'> & { readonly calls: readonly Call[] }): void {
    for (const [tensor, data] of graph.constants) this.bind(tensor, this.constant(data, tensor.shape));
    for (const call of graph.calls) {
      const names = call.op.onnx(this, call);
      call.outputs.forEach((t, i) => {
        this.bind(t, names[i] ?? '');
      });
    }
  }

  loop(
    times: number,
    initial: readonly string[],
    body: Graph,
    state: readonly Tensor[],
    next: readonly Tensor[],
    until?: Tensor,
  ): string[] {
    const prefix = `loop${this.counter++}`;
    state.forEach((t, i) => {
      this.bind(t, `${prefix}.state${i}`);
    });
    this.scopes.push({ nodes: [], known: new Map() });
    this.append(body);
    // Identity: a body's outputs must be its own, and two outputs may not share a name.
    const outputs = next.map((t, i) => ({
      tensor: t,
      value: this.rename(this.name(t), `${prefix}.next${i}`),
    }));
    const goOn = until
      ? this.node('Not', [this.cast(this.reshape(this.name(until), []), 'bool')])
      : this.rename(`${prefix}.cond`, `${prefix}.go`);
    const { nodes } = this.scopes.pop()!;
    const graph = {
      name: prefix,
      node: nodes,
      input: [
        valueInfo(`${prefix}.turn`, 'i64', []),
        valueInfo(`${prefix}.cond`, 'bool', []),
        ...state.map((t, i) => valueInfo(`${prefix}.state${i}`, t.dtype, t.shape)),
      ],
      output: [
        valueInfo(goOn, 'bool', []),
        ...outputs.map(({ tensor, value }) => valueInfo(value, tensor.dtype, tensor.shape)),
      ],
    };
    const count = this.constant(BigInt64Array.of(BigInt(times)), []);
    return this.nodes('Loop', [count, '', ...initial], next.length, { body: { graph } });
  }

  /** The GraphProto so far, with outputs that are no tensors of a Graph. */
  graph(outputs: readonly { name: string; value: string; type: OnnxType; dims: Dims }[]): object {
    for (const { name, value } of outputs) this.rename(value, name);
    return {
      name: 'graph',
      node: this.scopes[0].nodes,
      input: this.graphInputs,
      output: outputs.map(({ name, type, dims }) => valueInfo(name, type, dims)),
      initializer: [...this.initializers.values()],
    };
  }

  private rename(from: string, to: string): string {
    this.scopes[this.scopes.length - 1].nodes.push({ op_type: 'Identity', input: [from], output: [to] });
    return to;
  }

  /** The most bytes that onnxruntime holds for these results while it makes them, inputs and constants not counted. */
  peakBytes(results: readonly Tensor[]): number {
    const given = new Map<string, OnnxValue>();
    for (const { name, type } of this.graphInputs) {
      const { elem_type, shape } = type.tensor_type;
      const dims = shape.dim.map((d) => d.dim_value ?? 1);
      given.set(name, { dims, width: elementBytes[elem_type] });
    }
    for (const { name, dims, data_type, raw_data } of this.initializers.values()) {
      const { buffer, byteOffset, byteLength } = raw_data;
      const isIndex = data_type === dataTypes.i64;
      const ints = isIndex
        ? Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number)
        : undefined;
      given.set(name, { dims, width: elementBytes[data_type], ints });
    }
    return nodePeak(this.scopes[0].nodes as OnnxNode[], given, new Set(results.map((t) => this.name(t))));
  }

  /** The serialized model with these outputs. */
  model(outputs: readonly { name: string; tensor: Tensor }[]): Uint8Array {
    for (const { name, tensor } of outputs) this.rename(this.name(tensor), name);
    const model = {
      ir_version: 9,
      producer_name: 'papo-web',
      opset_import: [
        { domain: '', version: 20 },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name: 'graph',
        node: this.scopes[0].nodes,
        input: this.graphInputs,
        output: outputs.map(({ name, tensor }) => valueInfo(name, tensor.dtype, tensor.shape)),
        initializer: [...this.initializers.values()],
      },
    };
    return encodeProto('ModelProto', model);
  }
}

function valueInfo(name: string, type: OnnxType, shape: Dims): ValueInfo {
  const dim = shape.map((n) => (typeof n === 'number' ? { dim_value: n } : { dim_param: n }));
  return { name, type: { tensor_type: { elem_type: dataTypes[type], shape: { dim } } } };
}

/** AttributeProto.type: FLOAT 1, INT 2, STRING 3, GRAPH 5, INTS 7. */
function encodeAttribute(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value };
  if ('f' in value) return { name, type: 1, f: value.f };
  return { name, type: 5, g: (value as { graph: object }).graph };
}
