import { UserError } from '../errors.ts';
import { type DType, dtypeSizes, isDType, type StoredTensor } from './dtypes.ts';
import {
  duplicateKey,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
  show,
} from './json.ts';

export {
  type DType,
  float32ToBfloat16,
  floatTensor,
  int32Tensor,
  isFloat,
  type StoredTensor,
  toFloat32,
  toInt32,
} from './dtypes.ts';

/** The format's own limit: 8 bytes of little-endian length, then at most this much JSON, then the data. */
const maxHeaderBytes = 100_000_000;
const metadataKey = '__metadata__';

export interface SafetensorsFile {
  tensors: Map<string, StoredTensor>;
  metadata: Record<string, string>;
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Number of elements of `shape`; throws UserError for what is no shape. */
function elementCount(shape: readonly JsonValue[], where: string): number {
  let count = 1;
  for (const size of shape) {
    if (!isCount(size))
      throw new UserError(`${where}: shape ${show(shape)} must hold whole numbers of 0 or more.`);
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw new UserError(`${where}: shape ${show(shape)} is too large.`);
  return count;
}

/**
 * Bytes of length field and header of a file of `fileBytes`, of which `start` holds the first: 8 or more, 64 to be told
 * of a Git LFS pointer. Throws UserError for what the file cannot hold.
 */
export function safetensorsHeadBytes(start: Uint8Array, fileBytes: number, where: string): number {
  if (start.byteLength < 8 || fileBytes < 8) {
    throw new UserError(`${where}: ${fileBytes} bytes are too few for a safetensors file.`);
  }
  const text = new TextDecoder('latin1').decode(start.subarray(0, 64));
  if (text.startsWith('version https://git-lfs')) {
    throw new UserError(`${where} is a Git LFS pointer, not the weights: run \`git lfs pull\` first.`);
  }
  const length = new DataView(start.buffer, start.byteOffset, start.byteLength).getBigUint64(0, true);
  const room = fileBytes - 8;
  if (length > BigInt(maxHeaderBytes) || length > BigInt(room)) {
    throw new UserError(
      `${where}: the header claims ${length} bytes, but ${room} follow and ${maxHeaderBytes} are allowed. ` +
        'The file is cut off, or it is no safetensors file.',
    );
  }
  return 8 + Number(length);
}

/** The JSON of a header that `head` ends with. */
function readHeader(head: Uint8Array, where: string): JsonObject {
  const json = head.subarray(8);
  if (json[0] !== 0x7b) throw new UserError(`${where}: the header does not start with "{".`);
  const header = parseJsonObject(json, `${where}: the header`);
  const twice = duplicateKey(new TextDecoder().decode(json));
  if (twice !== null) throw new UserError(`${where}: the header names ${show(twice)} twice.`);
  return header;
}

function readMetadata(value: JsonValue | undefined, where: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isJsonObject(value) || Object.values(value).some((entry) => typeof entry !== 'string')) {
    throw new UserError(`${where}: ${metadataKey} must map strings to strings.`);
  }
  return value as Record<string, string>;
}

/** A tensor and its place behind the header. */
export interface SafetensorsEntry {
  name: string;
  dtype: DType;
  shape: number[];
  begin: number;
  end: number;
}

/** One checked line of the header; its offsets agree with dtype and shape, and lie in `dataBytes`. */
function readEntry(name: string, value: JsonValue, dataBytes: number, where: string): SafetensorsEntry {
  const here = `${where}: tensor ${show(name)}`;
  if (!isJsonObject(value))
    throw new UserError(`${here} must be an object with dtype, shape and data_offsets.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) {
    const known = Object.keys(dtypeSizes).join(', ');
    throw new UserError(`${here} has dtype ${show(dtype)}; expected one of ${known}.`);
  }
  if (!Array.isArray(shape)) throw new UserError(`${here} has shape ${show(shape)}; expected a list.`);
  const expected = elementCount(shape, here) * dtypeSizes[dtype];
  if (!Array.isArray(offsets) || offsets.length !== 2 || !isCount(offsets[0]) || !isCount(offsets[1])) {
    throw new UserError(`${here} has data_offsets ${show(offsets)}; expected [begin, end].`);
  }
  const [begin, end] = [offsets[0], offsets[1]];
  if (end < begin) throw new UserError(`${here} ends at ${end}, before it begins at ${begin}.`);
  if (end > dataBytes) {
    throw new UserError(
      `${here} ends at byte ${end}, but the data are ${dataBytes} bytes: the file is cut off.`,
    );
  }
  if (end - begin !== expected) {
    throw new UserError(`${here} takes ${end - begin} bytes, but ${dtype} ${show(shape)} is ${expected}.`);
  }
  return { name, dtype, shape: shape as number[], begin, end };
}

/** The format demands that the tensors fill the data exactly: no hole, no overlap, nothing after the last. */
function checkLayout(entries: readonly SafetensorsEntry[], dataBytes: number, where: string): void {
  let position = 0;
  let before = 'the start of the data';
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw new UserError(`${where}: tensor ${show(name)} overlaps ${before}.`);
    if (begin > position) {
      throw new UserError(
        `${where}: ${begin - position} bytes between ${before} and tensor ${show(name)} belong to none.`,
      );
    }
    position = end;
    before = `tensor ${show(name)}`;
  }
  if (position !== dataBytes) {
    throw new UserError(`${where}: ${dataBytes - position} bytes after ${before} belong to no tensor.`);
  }
}

/**
 * The tensors that `head` (length field and header; see `safetensorsHeadBytes`) says a file of `fileBytes` holds, in
 * the header's order, checked like a whole file's: places agree with dtype and shape and fill the file.
 */
export function readSafetensorsHead(
  head: Uint8Array,
  fileBytes: number,
  where: string,
): { entries: SafetensorsEntry[]; metadata: Record<string, string> } {
  const dataBytes = fileBytes - head.byteLength;
  const { [metadataKey]: metadata, ...rest } = readHeader(head, where);
  const entries = Object.entries(rest).map(([name, value]) => readEntry(name, value, dataBytes, where));
  checkLayout(entries, dataBytes, where);
  return { entries, metadata: readMetadata(metadata, where) };
}

/**
 * Reads a whole safetensors file (format: huggingface/safetensors README). Tensors are views into `bytes`; nothing of
 * a size that the file merely claims is allocated. Throws UserError, beginning with `where`, for every departure from
 * the format.
 */
export function readSafetensorsFile(bytes: Uint8Array, where = 'safetensors'): SafetensorsFile {
  const dataStart = safetensorsHeadBytes(bytes, bytes.byteLength, where);
  const { entries, metadata } = readSafetensorsHead(bytes.subarray(0, dataStart), bytes.byteLength, where);
  const data = bytes.subarray(dataStart);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { name, dtype, shape, bytes: data.subarray(begin, end) });
  }
  return { tensors, metadata };
}

/** The tensors of a safetensors file by name, in the header's order; see `readSafetensorsFile`. */
export function readSafetensors(bytes: Uint8Array, where = 'safetensors'): Map<string, StoredTensor> {
  return readSafetensorsFile(bytes, where).tensors;
}

const dtypeOrder = Object.keys(dtypeSizes);

/** A tensor as a header describes it. */
export interface TensorHead {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The order of the Rust library's writer: by dtype, widest first, then by name in code-unit order. */
function fileOrder(a: TensorHead, b: TensorHead): number {
  const byType = dtypeOrder.indexOf(b.dtype) - dtypeOrder.indexOf(a.dtype);
  if (byType !== 0) return byType;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

export interface WriteOptions {
  /** Added to, or replacing, `format: pt`, without which transformers refuses the file. */
  metadata?: Record<string, string>;
}

/** Where everything in a safetensors file goes, known before any value is. */
export interface FileLayout<T extends TensorHead> {
  /** Length field and header, padded with spaces to a multiple of 8 bytes; the first tensor follows. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** In the file's order, without gaps. */
  readonly tensors: readonly T[];
  /** Of the whole file. */
  readonly size: number;
}

/** The layout of a file with these tensors, the same for any order. Throws UserError for a name used twice. */
export function layoutSafetensors<T extends TensorHead>(
  tensors: Iterable<T>,
  options: WriteOptions = {},
): FileLayout<T> {
  const sorted = [...tensors].sort(fileOrder);
  const header = new Map<string, JsonValue>([[metadataKey, { format: 'pt', ...options.metadata }]]);
  let position = 0;
  for (const { name, dtype, shape } of sorted) {
    const where = `Tensor "${name}"`;
    if (name === metadataKey) throw new UserError(`A tensor cannot be called "${metadataKey}".`);
    if (header.has(name)) throw new UserError(`${where} is there twice.`);
    const end = position + elementCount(shape, where) * dtypeSizes[dtype];
    header.set(name, { dtype, shape: [...shape], data_offsets: [position, end] });
    position = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(json, 8);
  return { head, tensors: sorted, size: head.byteLength + position };
}

/**
 * A safetensors file holding `tensors`: the same bytes for the same tensors in any order. Throws UserError for a name
 * used twice and for data that do not fit their shape.
 */
export function writeSafetensors(tensors: Iterable<StoredTensor>, options: WriteOptions = {}): Uint8Array {
  const { head, tensors: sorted, size } = layoutSafetensors(tensors, options);
  for (const { name, dtype, shape, bytes } of sorted) {
    const expected = elementCount(shape, name) * dtypeSizes[dtype];
    if (bytes.byteLength !== expected) {
      throw new UserError(
        `Tensor "${name}" has ${bytes.byteLength} bytes, but ${dtype} [${shape}] is ${expected}.`,
      );
    }
  }
  const out = new Uint8Array(size);
  out.set(head);
  let offset = head.byteLength;
  for (const { bytes } of sorted) {
    out.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return out;
}
