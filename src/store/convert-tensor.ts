/** Weights on their way to a device: the bytes of a file as float32, or as IEEE half floats. */
import { UserError } from '../errors.ts';
import { type DType, dtypeSizes, float16ToFloat32, isFloat } from './dtypes.ts';

/** The smallest float32 that rounds to a half float's infinity, as bits: 65,520. */
const overflowBits = 0x477ff000;
const infinityBits = 0x7f800000;
const smallestNormalBits = 0x38800000;

/** In the tables below: what the value rounds to is no half float. */
const overflowMark = 0x10000;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The bits of a finite, not overflowing float32 as those of the nearest half float, ties to even. */
function roundToHalf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const size = word & 0x7fffffff;
  if (size < smallestNormalBits) {
    // Halves this small are multiples of 2⁻²⁴: adding 2²³ leaves float32 no bits for fractions of them.
    scratchBits[0] = size;
    scratch[0] = scratch[0] * 2 ** 24 + 2 ** 23;
    return sign | (scratchBits[0] & 0x7fffff);
  }
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
}

/** As `roundToHalf` for what is not finite: infinities stay, and NaN keeps its upper payload and stays NaN. */
function specialToHalf(word: number): number {
  const payload = (word >>> 13) & 0x3ff;
  const isInfinite = (word & 0x7fffffff) === infinityBits;
  return ((word >>> 16) & 0x8000) | 0x7c00 | (isInfinite ? 0 : payload || 0x200);
}

let bfloat16Table: Uint32Array | undefined;
let float16Table: Float32Array | undefined;

/** [65,536] half float's bits by bfloat16's bits, with `overflowMark`. */
function bfloat16ToHalf(): Uint32Array {
  bfloat16Table ??= Uint32Array.from({ length: 65_536 }, (_, bits) => {
    const word = (bits << 16) >>> 0;
    const size = word & 0x7fffffff;
    if (size >= infinityBits) return specialToHalf(word);
    return size >= overflowBits ? overflowMark : roundToHalf(word);
  });
  return bfloat16Table;
}

/** [65,536] float32 by half float's bits. */
function halfToFloat32(): Uint32Array {
  float16Table ??= float16ToFloat32(Uint16Array.from({ length: 65_536 }, (_, bits) => bits));
  // As bits: a float's copy need not keep a NaN's payload.
  return new Uint32Array(float16Table.buffer);
}

const overflow = (name: string, index: number, value: number) =>
  new UserError(
    `Tensor "${name}" holds ${value} at element ${index}, beyond the largest float16 (65504): ` +
      'it cannot be kept in half precision; load it as float32.',
  );

function float32ToHalf(words: Uint32Array, name: string): Uint16Array {
  const out = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const size = word & 0x7fffffff;
    // The common case inline: calls cost more than the arithmetic.
    if (size >= smallestNormalBits && size < overflowBits) {
      out[i] = ((word >>> 16) & 0x8000) | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    } else if (size < smallestNormalBits) out[i] = size === 0 ? (word >>> 16) & 0x8000 : roundToHalf(word);
    else if (size >= infinityBits) out[i] = specialToHalf(word);
    else throw overflow(name, i, new Float32Array(words.buffer, words.byteOffset + 4 * i, 1)[0]);
  }
  return out;
}

function bfloat16sToHalf(bits: Uint16Array, name: string): Uint16Array {
  const table = bfloat16ToHalf();
  const out = new Uint16Array(bits.length);
  let marks = 0;
  for (let i = 0; i < bits.length; i++) {
    const half = table[bits[i]];
    marks |= half;
    out[i] = half;
  }
  if (marks & overflowMark) {
    const index = bits.findIndex((value) => table[value] === overflowMark);
    scratchBits[0] = bits[index] << 16;
    throw overflow(name, index, scratch[0]);
  }
  return out;
}

/** float64 rounded once, to half floats: by way of float32 it would be rounded twice. */
function float64ToHalf(values: Float64Array, name: string): Uint16Array {
  const rounded = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const size = Math.abs(value);
    // Halves in [2ᵉ, 2ᵉ⁺¹) are multiples of 2ᵉ⁻¹⁰, small ones of 2⁻²⁴.
    let exponent = Math.floor(Math.log2(Math.max(size, 2 ** -14)));
    if (2 ** exponent > size && exponent > -14) exponent--;
    // 2⁵² of them leave float64 no bits for fractions of one.
    const shift = 2 ** (exponent - 10 + 52);
    const nearest = size < 65_536 ? size + shift - shift : size;
    if (nearest > 65_504 && size !== Infinity) throw overflow(name, i, value);
    rounded[i] = value < 0 || Object.is(value, -0) ? -nearest : nearest;
  }
  return float32ToHalf(new Uint32Array(rounded.buffer), name);
}

/** `bytes` where a typed array of `size`-byte elements can look at them: the same memory, or an aligned copy. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

/**
 * The little-endian elements of `bytes` [n], stored as `dtype`, as float32 [n] (`f32`, exact but for F64) or as the bits
 * of half floats [n] (`f16`): rounded to nearest, ties to even, subnormals included; infinities and NaN stay what they
 * are. Where nothing has to change the result may look at `bytes` itself.
 *
 * Throws UserError naming `name` for integers, and for a finite value that a half float cannot hold.
 */
export function convertTensor(bytes: Uint8Array, dtype: DType, to: 'f32', name?: string): Float32Array;
export function convertTensor(bytes: Uint8Array, dtype: DType, to: 'f16', name?: string): Uint16Array;
export function convertTensor(
  bytes: Uint8Array,
  dtype: DType,
  to: 'f32' | 'f16',
  name?: string,
): Float32Array | Uint16Array;
export function convertTensor(
  bytes: Uint8Array,
  dtype: DType,
  to: 'f32' | 'f16',
  name = '?',
): Float32Array | Uint16Array {
  if (!isFloat(dtype)) throw new UserError(`Tensor "${name}" is ${dtype}; expected F32, F16, BF16 or F64.`);
  const size = dtypeSizes[dtype];
  const { buffer, byteOffset, byteLength } = aligned(bytes, size);
  const count = byteLength / size;
  if (!Number.isInteger(count)) {
    throw new UserError(`Tensor "${name}": ${byteLength} bytes are no whole number of ${dtype} values.`);
  }
  if (dtype === 'F64') {
    const values = new Float64Array(buffer, byteOffset, count);
    return to === 'f32' ? Float32Array.from(values) : float64ToHalf(values, name);
  }
  if (dtype === 'F32') {
    return to === 'f32'
      ? new Float32Array(buffer, byteOffset, count)
      : float32ToHalf(new Uint32Array(buffer, byteOffset, count), name);
  }
  const bits = new Uint16Array(buffer, byteOffset, count);
  if (to === 'f16') return dtype === 'F16' ? bits : bfloat16sToHalf(bits, name);
  const out = new Uint32Array(count);
  if (dtype === 'BF16') for (let i = 0; i < count; i++) out[i] = bits[i] << 16;
  else {
    const table = halfToFloat32();
    for (let i = 0; i < count; i++) out[i] = table[bits[i]];
  }
  return new Float32Array(out.buffer);
}
