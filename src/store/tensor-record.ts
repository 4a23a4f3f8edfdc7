/** What a checkpoint keeps of a tensor beside its bytes, how its bytes are cut into pieces, and how they are checked. */
import { UserError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import type { CheckpointTensor, TensorData } from './run-store.ts';

export type ElementType = 'F32' | 'I32' | 'U8';

export interface TensorRecord {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly crc32: number;
}

/** Larger tensors go to storage in pieces, so that none holds up what else the thread does. */
export const maxPieceBytes = 2 * 2 ** 20;

const elementTypes = { F32: Float32Array, I32: Int32Array, U8: Uint8Array } as const;

export function isElementType(value: unknown): value is ElementType {
  return typeof value === 'string' && Object.hasOwn(elementTypes, value);
}

export function elementTypeOf(data: TensorData): ElementType {
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

/** Throws a UserError unless the data fill the shape. */
export function checkTensor(name: string, { shape, data }: CheckpointTensor): void {
  const expected = shape.reduce((product, size) => product * size, 1);
  if (data.length !== expected || shape.some((size) => !Number.isSafeInteger(size) || size < 0))
    throw new UserError(`Tensor "${name}" has ${data.length} values, but shape [${shape}].`);
}

/** The tensor's bytes in order, as views of at most maxPieceBytes, at least one; returns the finished record. */
export function* tensorPieces(
  name: string,
  tensor: CheckpointTensor,
): Generator<Uint8Array, TensorRecord, void> {
  checkTensor(name, tensor);
  const { buffer, byteOffset, byteLength } = tensor.data;
  let sum = 0;
  let begin = 0;
  do {
    const piece = new Uint8Array(buffer, byteOffset + begin, Math.min(maxPieceBytes, byteLength - begin));
    sum = crc32(piece, sum);
    yield piece;
    begin += piece.byteLength;
  } while (begin < byteLength);
  const dtype = elementTypeOf(tensor.data);
  return { name, dtype, shape: [...tensor.shape], bytes: byteLength, crc32: sum };
}

/**
 * The pieces that storage gave, as the tensor they were. Throws a UserError beginning with `where` when they are not
 * those that `record` was made of.
 */
export function joinTensor(
  record: TensorRecord,
  pieces: readonly Uint8Array[],
  where: string,
): CheckpointTensor {
  const found = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const here = `${where}: tensor "${record.name}"`;
  if (found !== record.bytes)
    throw new UserError(`${here} is damaged: ${found} bytes are there, but ${record.bytes} were saved.`);
  const bytes = new Uint8Array(record.bytes);
  let begin = 0;
  for (const piece of pieces) {
    bytes.set(piece, begin);
    begin += piece.byteLength;
  }
  if (crc32(bytes) !== record.crc32)
    throw new UserError(`${here} is damaged: its checksum is not the one that was saved with it.`);
  return { shape: record.shape, data: new elementTypes[record.dtype](bytes.buffer) };
}
