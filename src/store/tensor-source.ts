/** The tensors of a weight file, each read when it is wanted: never the whole file in memory. */
import { UserError } from '../errors.ts';
import { type DType, isFloat } from './dtypes.ts';
import { show } from './json.ts';
import { readSafetensorsHead, safetensorsHeadBytes } from './safetensors.ts';

/** A file of which parts can be read: a Blob, a file on disk, an address with Range, an entry of a zip. */
export interface RangedFile {
  /** In bytes. */
  readonly size: number;
  /** Bytes [begin, end), fewer where the file has become shorter; only to be read. Throws UserError on failure. */
  read(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A tensor that lies in a file. */
export interface TensorSource {
  readonly name: string;
  /** As stored: F64, F32, F16 or BF16. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Stored size. */
  readonly bytes: number;
  /**
   * Its bytes, little-endian and row-major, only to be read: they may belong to something larger. See `convertTensor`.
   * Throws UserError, or the signal's reason.
   */
  read(signal?: AbortSignal): Promise<Uint8Array>;
}

/** Most headers are shorter, and then one read is enough. */
const firstRead = 128 * 1024;

async function readHead(file: RangedFile, where: string, signal?: AbortSignal): Promise<Uint8Array> {
  const start = await file.read(0, Math.min(file.size, firstRead), signal);
  const bytes = safetensorsHeadBytes(start, file.size, where);
  return bytes <= start.byteLength ? start.subarray(0, bytes) : file.read(0, bytes, signal);
}

/**
 * The float tensors of a safetensors file in the order in which they lie there, and the names of the others. Only the
 * header is read. Throws UserError, beginning with `where`, for every departure from the format.
 */
export async function tensorSources(
  file: RangedFile,
  where: string,
  signal?: AbortSignal,
): Promise<{ tensors: TensorSource[]; skipped: string[] }> {
  const head = await readHead(file, where, signal);
  const { entries } = readSafetensorsHead(head, file.size, where);
  const start = head.byteLength;
  const skipped = entries.filter(({ dtype }) => !isFloat(dtype)).map(({ name }) => name);
  const tensors = entries
    .filter(({ dtype }) => isFloat(dtype))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
    .map(({ name, dtype, shape, begin, end }) => ({
      name,
      dtype,
      shape,
      bytes: end - begin,
      async read(signal?: AbortSignal) {
        signal?.throwIfAborted();
        const bytes = await file.read(start + begin, start + end, signal);
        if (bytes.byteLength === end - begin) return bytes;
        throw new UserError(
          `${where}: tensor ${show(name)} takes ${end - begin} bytes, but ${bytes.byteLength} could be read: ` +
            'the file is cut off, or was changed while it was read.',
        );
      },
    }));
  return { tensors, skipped };
}

/** Reads a Blob by slices: one on disk is never in memory as a whole. */
export function blobFile(blob: Blob, where: string): RangedFile {
  return {
    size: blob.size,
    async read(begin, end, signal) {
      signal?.throwIfAborted();
      try {
        return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
      } catch (error) {
        throw new UserError(`${where} could not be read: ${(error as Error).message}`);
      }
    },
  };
}

/** Bytes that are in memory already; what is read are views of them. */
export function bytesInMemory(bytes: Uint8Array): RangedFile {
  return { size: bytes.byteLength, read: async (begin, end) => bytes.subarray(begin, end) };
}
