// Safetensors files on their way out, made from tensors that are read one at a time, in one file or in shards as
// transformers' save_pretrained makes them.
import { UserError } from '../errors.ts';
import { dtypeSizes, float32ToBfloat16 } from '../store/dtypes.ts';
import { indexFile, weightsFile } from '../store/hf-folder.ts';
import { layoutSafetensors, type TensorHead } from '../store/safetensors.ts';
import { bytesFile, type OutFile, type TensorSource } from './out-file.ts';

/** What a parameter is stored as. */
export type WeightDtype = 'F32' | 'BF16';

export interface SafetensorsOptions {
  readonly dtype?: WeightDtype;
  /** Added to the header's metadata. */
  readonly metadata?: Record<string, string>;
  /** The source's tensors that go into this file; default all. */
  readonly tensors?: Iterable<string>;
}

/** Values of one piece: 4 MiB of float32. */
const pieceLength = 2 ** 20;

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** One tensor's bytes. Its own generator, so that the tensor is free before the next one is read. */
async function* tensorPieces(
  source: TensorSource,
  { name, dtype, shape }: TensorHead,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const original = await source.original?.(name);
  if (original?.dtype === dtype) {
    const bytes = count(shape) * dtypeSizes[dtype];
    if (original.bytes.byteLength !== bytes)
      throw new UserError(
        `Tensor "${name}" has ${original.bytes.byteLength} bytes in its file, but ${dtype} [${shape}] is ${bytes}.`,
      );
    for (let begin = 0; begin < bytes; begin += 4 * pieceLength)
      yield new Uint8Array(original.bytes.subarray(begin, begin + 4 * pieceLength));
    return;
  }
  const values = await source.read(name);
  if (values.length !== count(shape)) {
    throw new UserError(
      `Tensor "${name}" has ${values.length} values, but [${shape}] takes ${count(shape)}.`,
    );
  }
  for (let begin = 0; begin < values.length; begin += pieceLength) {
    const part = values.subarray(begin, begin + pieceLength);
    const stored = dtype === 'BF16' ? float32ToBfloat16(part) : part;
    // A copy: the values may lie in memory that is shared, or that the receiver would keep alive.
    yield new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength).slice();
  }
}

/**
 * The file that `writeSafetensors` would make of the same tensors, byte for byte, without holding more than one of
 * them. bfloat16 rounds to nearest even. Throws UserError for a name that the source does not have.
 */
export function safetensorsOut(
  name: string,
  source: TensorSource,
  options: SafetensorsOptions = {},
): OutFile {
  const { dtype = 'F32', metadata, tensors = source.shapes.keys() } = options;
  const heads = Array.from(tensors, (tensor) => {
    const shape = source.shapes.get(tensor);
    if (!shape) throw new UserError(`${name}: there is no tensor "${tensor}".`);
    return { name: tensor, dtype, shape };
  });
  const layout = layoutSafetensors(heads, { metadata });
  return {
    name,
    size: layout.size,
    async *chunks() {
      yield layout.head.slice();
      for (const tensor of layout.tensors) yield* tensorPieces(source, tensor);
    },
  };
}

export interface ShardPlan {
  readonly files: readonly { readonly name: string; readonly tensors: readonly string[] }[];
  /** The content of model.safetensors.index.json; null when everything is in one file. */
  readonly index: {
    readonly metadata: { readonly total_parameters: number; readonly total_size: number };
    readonly weight_map: Readonly<Record<string, string>>;
  } | null;
}

/** 2 GB, as transformers counts: 2 · 10⁹ bytes. */
export const defaultShardBytes = 2e9;

/**
 * Which tensor goes into which file, as huggingface_hub's split_state_dict_into_shards_factory decides: in the source's
 * order, a new file where the next tensor would pass `maxShardBytes`; a tensor larger than that has a file of its own.
 */
export function shardPlan(
  shapes: ReadonlyMap<string, readonly number[]>,
  dtype: WeightDtype,
  maxShardBytes = defaultShardBytes,
): ShardPlan {
  if (!(maxShardBytes > 0)) throw new UserError(`maxShardBytes is ${maxShardBytes}; expected more than 0.`);
  const shards: string[][] = [];
  let open: string[] = [];
  let openBytes = 0;
  let parameters = 0;
  for (const [name, shape] of shapes) {
    const bytes = count(shape) * dtypeSizes[dtype];
    parameters += count(shape);
    if (bytes > maxShardBytes) {
      shards.push([name]);
      continue;
    }
    if (openBytes + bytes > maxShardBytes) {
      shards.push(open);
      open = [];
      openBytes = 0;
    }
    open.push(name);
    openBytes += bytes;
  }
  if (open.length > 0 || shards.length === 0) shards.push(open);
  if (shards.length === 1) return { files: [{ name: weightsFile, tensors: shards[0] }], index: null };

  const five = (n: number) => String(n).padStart(5, '0');
  const files = shards.map((tensors, i) => ({
    name: `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`,
    tensors,
  }));
  const placed = files.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor, name] as const));
  placed.sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    files,
    index: {
      metadata: { total_parameters: parameters, total_size: parameters * dtypeSizes[dtype] },
      weight_map: Object.fromEntries(placed),
    },
  };
}

/** model.safetensors, or its shards and their index. */
export function weightFiles(
  source: TensorSource,
  options: Omit<SafetensorsOptions, 'tensors'> & { readonly maxShardBytes?: number } = {},
): OutFile[] {
  const { dtype = 'F32', metadata, maxShardBytes } = options;
  const { files, index } = shardPlan(source.shapes, dtype, maxShardBytes);
  const out = files.map(({ name, tensors }) => safetensorsOut(name, source, { dtype, metadata, tensors }));
  if (index) out.push(bytesFile(indexFile, `${JSON.stringify(index, null, 2)}\n`));
  return out;
}
