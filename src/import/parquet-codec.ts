/** Decompresses a Parquet page after what it claims was checked: no size that it merely names is allocated. */
import { compressors } from 'hyparquet-compressors';
import { UserError } from '../errors.ts';

/** Bytes of one page, at most; writers aim at one megabyte, and at the largest value. */
const largestPage = 128 * 2 ** 20;
const smallPage = 8 * 2 ** 20;
/** Beyond what deflate reaches. */
const largestRatio = 1100;
const largestWindow = 8 * 2 ** 20;

const codecs = ['SNAPPY', 'GZIP', 'ZSTD'] as const;
type Codec = (typeof codecs)[number];

/** The decompressors in the form that hyparquet takes. Throw UserError for what is larger than the page header says. */
export const checkedCompressors = Object.fromEntries(
  codecs.map((codec) => [codec, (input: Uint8Array, size: number) => unpackPage(input, size, codec)]),
);

export function checkPageSize(packed: number, size: number): void {
  if (!Number.isSafeInteger(size) || size < 0 || size > largestPage) {
    throw new UserError(`a page claims ${size} bytes; at most ${largestPage} are allowed`);
  }
  if (size > smallPage && size > packed * largestRatio) {
    throw new UserError(`a page claims to unpack ${packed} bytes into ${size}, as in a bomb`);
  }
}

/** `input` decompressed to exactly `size` bytes. */
export function unpackPage(input: Uint8Array, size: number, codec: string): Uint8Array {
  checkPageSize(input.length, size);
  if (codec === 'UNCOMPRESSED') {
    if (input.length !== size) throw new UserError(`a page has ${input.length} bytes, but claims ${size}`);
    return input;
  }
  if (!(codecs as readonly string[]).includes(codec)) {
    throw new UserError(`it is packed by ${codec}; expected ${codecs.join(', ')} or none`);
  }
  if (codec === 'ZSTD') checkZstd(input, size);
  const unpack = compressors[codec as Codec];
  const page = size === 0 && input.length === 0 ? new Uint8Array(0) : unpack?.(input, size);
  if (page?.length !== size) {
    throw new UserError(`a page unpacks to ${page?.length} bytes, but claims ${size}`);
  }
  return page;
}

/** Walks frame and block headers (RFC 8878, 3.1.1): their sizes are allocated by the decompressor. */
function checkZstd(input: Uint8Array, size: number): void {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 9 || view.getUint32(0, true) !== 0xfd2fb528) {
    throw new UserError('a page is said to be Zstandard, but does not begin like it');
  }
  const flags = view.getUint8(4);
  const single = (flags >> 5) & 1;
  let at = 5;
  if (!single) {
    const descriptor = view.getUint8(at++);
    const base = 2 ** (10 + (descriptor >> 3));
    const window = base + (base / 8) * (descriptor & 7);
    if (window > largestWindow) throw new UserError(`a page wants a Zstandard window of ${window} bytes`);
  }
  if ((flags & 11) !== 0) throw new UserError('a page wants a Zstandard dictionary, or sets a reserved bit');
  const sizeBytes = flags >> 6 ? 1 << (flags >> 6) : single;
  if (at + sizeBytes + 3 > input.length) throw new UserError('a Zstandard page ends in its header');
  let content = 0;
  for (let i = 0; i < sizeBytes; i++) content += view.getUint8(at + i) * 2 ** (8 * i);
  if (sizeBytes === 2) content += 256;
  at += sizeBytes;
  if (sizeBytes > 0 && content !== size) {
    throw new UserError(`a Zstandard page holds ${content} bytes, but its header claims ${size}`);
  }
  let plain = 0;
  let blocks = 0;
  for (let last = 0; !last; ) {
    if (at + 3 > input.length) throw new UserError('a Zstandard page ends in the middle of a block');
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    last = header & 1;
    const kind = (header >> 1) & 3;
    const length = header >>> 3;
    if (kind === 3 || length > 131072) throw new UserError('a Zstandard page has a block that is none');
    if (kind !== 2) plain += length;
    blocks += 1;
    at += 3 + (kind === 1 ? 1 : length);
    if (plain > size || blocks > 16 + size / 16384) {
      throw new UserError(`the blocks of a Zstandard page hold more than the ${size} bytes it claims`);
    }
  }
  const checksum = flags & 4 ? 4 : 0;
  if (at + checksum !== input.length)
    throw new UserError('a Zstandard page does not end with its last block');
}
