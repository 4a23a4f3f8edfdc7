/**
 * An ONNX model of dynamic shapes in the making: nodes by way of OnnxBuilder, weights by name. Its file's size is
 * known before any weight is read, and its bytes come a tensor at a time.
 */
import {
  type Dims,
  dataTypes,
  encodeProto,
  OnnxBuilder,
  type OnnxType,
} from '../../device/cpu/onnx-builder.ts';
import { UserError } from '../../errors.ts';
import { float32ToFloat16 } from '../../store/float16.ts';
import type { OutFile, TensorSource } from '../out-file.ts';

/** ReduceMean and ReduceMax take their axes as an input since 18; every op here is plain ONNX. */
const opset = 18;
/** A protobuf message's limit. */
const maxBytes = 2 ** 31 - 1;

/** Element types of the weights, by transformers.js's names; it is all computed in float32. */
export type OnnxDType = 'fp32' | 'fp16';

/** Values of one piece on its way out: 4 MiB of float32. */
const pieceLength = 2 ** 20;

interface Initializer {
  readonly dims: readonly number[];
  /** The parameter that it is made of. */
  readonly parameter: string;
  /** Turned: [out, in] is stored as [in, out]. */
  readonly isTransposed: boolean;
}

interface Output {
  readonly name: string;
  readonly value: string;
  readonly type: OnnxType;
  readonly dims: Dims;
}

export class OnnxModel {
  readonly b = new OnnxBuilder();
  private readonly weights = new Map<string, Initializer>();
  private readonly outputs: Output[] = [];

  constructor(
    private readonly source: TensorSource,
    private readonly dtype: OnnxDType = 'fp32',
  ) {}

  input(name: string, type: OnnxType, dims: Dims): string {
    return this.b.namedInput(name, type, dims);
  }

  output(name: string, value: string, dims: Dims): void {
    this.outputs.push({ name, value, type: 'f32', dims });
  }

  /** A parameter as it is stored. */
  weight(name: string): string {
    return this.initializer(name, { dims: this.shape(name), parameter: name, isTransposed: false });
  }

  /** A parameter [out, in] as the right side of a MatMul, [in, out]: quantizers ask for a stored matrix there. */
  matrix(name: string): string {
    const [rows, columns] = this.shape(name);
    const dims = [columns, rows];
    return this.initializer(`${name}.transposed`, { dims, parameter: name, isTransposed: true });
  }

  /** x [..., in] → [..., out] by `name`.weight, and `name`.bias where there is one. */
  linear(x: string, name: string, { bias }: { bias: boolean }): string {
    const product = this.b.node('MatMul', [x, this.matrix(`${name}.weight`)]);
    return bias ? this.b.node('Add', [product, this.weight(`${name}.bias`)]) : product;
  }

  /** x [batch, length, heads · headDim] → [batch, heads, length, headDim]. */
  splitHeads(x: string, heads: number, headDim: number): string {
    return this.b.transpose(this.b.reshape(x, [0, 0, heads, headDim]), [0, 2, 1, 3]);
  }

  /** x [batch, heads, length, headDim] → [batch, length, heads · headDim]. */
  joinHeads(x: string, width: number): string {
    return this.b.reshape(this.b.transpose(x, [0, 2, 1, 3]), [0, 0, width]);
  }

  /** Throws UserError where the file would pass the 2 GB of a protobuf message. */
  file(name: string): OutFile {
    const half = this.dtype === 'fp16';
    const { source } = this;
    const head = encodeProto('ModelProto', {
      ir_version: 8,
      producer_name: 'papo-web',
      opset_import: [{ domain: '', version: opset }],
    });
    const graph = encodeProto('GraphProto', this.b.graph(this.outputs));
    const tensors = [...this.weights].map(([tensor, initializer]) => {
      const { dims } = initializer;
      const bytes = (half ? 2 : 4) * count(dims);
      const data_type = half ? dataTypes.f16 : dataTypes.f32;
      const described = encodeProto('TensorProto', { name: tensor, dims, data_type });
      const inner = join(described, fieldHead(fieldNumbers.rawData, bytes));
      return {
        initializer,
        bytes,
        head: join(fieldHead(fieldNumbers.initializer, inner.length + bytes), inner),
      };
    });
    const graphBytes = tensors.reduce((sum, { head, bytes }) => sum + head.length + bytes, graph.length);
    // Fields of a message may be cut apart and put together again: repeated ones append.
    const start = join(join(head, fieldHead(fieldNumbers.graph, graphBytes)), graph);
    const size = start.length - graph.length + graphBytes;
    if (size > maxBytes)
      throw new UserError(
        `${name} would take ${size} bytes; an ONNX file holds at most ${maxBytes}. ` +
          'Larger models need external data files, which are not written: export model.safetensors instead.',
      );
    return {
      name,
      size,
      async *chunks() {
        yield start;
        for (const { initializer, head } of tensors) {
          yield head;
          yield* valuePieces(source, initializer, half);
        }
      },
    };
  }

  private shape(name: string): readonly number[] {
    const shape = this.source.shapes.get(name);
    if (!shape) throw new UserError(`The weights have no tensor ${name}, which the ONNX export needs.`);
    return shape;
  }

  private initializer(name: string, initializer: Initializer): string {
    this.weights.set(name, initializer);
    // Runtimes fold this away when they load the model.
    return this.dtype === 'fp16' ? this.b.cast(name, 'f32') : name;
  }
}

/** onnx-ml.proto: ModelProto.graph, GraphProto.initializer, TensorProto.raw_data. */
const fieldNumbers = { graph: 7, initializer: 5, rawData: 9 } as const;

/** Tag and length of a length-delimited protobuf field. */
function fieldHead(field: number, length: number): Uint8Array {
  const out = [(field << 3) | 2];
  let rest = length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  out.push(rest);
  return Uint8Array.from(out);
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

const count = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/**
 * One parameter's bytes, converted and turned a piece at a time, so that there is never a second copy of it. Its own
 * generator: the values are free before the next ones are read.
 */
async function* valuePieces(
  source: TensorSource,
  { dims, parameter, isTransposed }: Initializer,
  half: boolean,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const values = await source.read(parameter);
  if (values.length !== count(dims))
    throw new UserError(`${parameter} has ${values.length} values; its shape asks for ${count(dims)}.`);
  const width = isTransposed ? dims[1] : 1;
  const rows = values.length / width;
  const rowsAPiece = Math.max(1, Math.floor(pieceLength / width));
  for (let begin = 0; begin < rows; begin += rowsAPiece) {
    const end = Math.min(rows, begin + rowsAPiece);
    // Always new memory: what the source gives may be the weights themselves, and a consumer may transfer what it gets.
    const part = isTransposed ? columnsOf(values, width, begin, end) : values.slice(begin, end);
    const data = half ? float32ToFloat16(part, parameter) : part;
    yield new Uint8Array(data.buffer as ArrayBuffer);
  }
}

/** Columns begin to end − 1 of a matrix of `rows` rows, as rows. */
function columnsOf(values: Float32Array, rows: number, begin: number, end: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array((end - begin) * rows);
  for (let r = 0; r < rows; r++)
    for (let c = begin; c < end; c++) out[(c - begin) * rows + r] = values[r * columns + c];
  return out;
}
