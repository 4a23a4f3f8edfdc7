import { UserError } from '../errors.ts';

/**
 * Element types of the safetensors format that this project reads, with their sizes in bytes, in the order of the
 * Rust library's Dtype: its writer puts later ones first, which keeps every tensor aligned.
 */
export const dtypeSizes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type DType = keyof typeof dtypeSizes;

/** A tensor as it lies in a file: little-endian, row-major, `bytes` a view that is not copied. */
export interface StoredTensor {
  name: string;
  dtype: DType;
  shape: number[];
  bytes: Uint8Array;
}

export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(dtypeSizes, value);
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' || dtype === 'F64';
}

/** The tensor's bytes at an address that any typed array accepts; always a copy, so the file stays as it is. */
function alignedCopy(tensor: StoredTensor): ArrayBuffer {
  const copy = new Uint8Array(tensor.bytes.byteLength);
  copy.set(tensor.bytes);
  return copy.buffer;
}

/** bits [n] of IEEE half floats → float32 [n]; exact, subnormals, infinities and NaN included. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const outBits = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i] & 0x8000) << 16;
    const exponent = (bits[i] >> 10) & 0x1f;
    const mantissa = bits[i] & 0x3ff;
    if (exponent === 0) out[i] = (sign === 0 ? 1 : -1) * mantissa * 2 ** -24;
    else if (exponent === 0x1f) outBits[i] = sign | 0x7f800000 | (mantissa << 13);
    else outBits[i] = sign | ((exponent + 112) << 23) | (mantissa << 13);
  }
  return out;
}

/** bits [n] of bfloat16 → float32 [n]; exact: a bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i] << 16;
  return new Float32Array(out.buffer);
}

/** float32 [n] → bits [n] of bfloat16, rounded to nearest, ties to even; NaN stays NaN, too large becomes infinity. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i];
    const notANumber = (word & 0x7fffffff) > 0x7f800000;
    // Rounding could carry a NaN's low payload away and leave infinity: set the quiet bit instead.
    out[i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** A copy of the tensor's elements as float32 (float64 is rounded). Throws UserError for integer tensors. */
export function toFloat32(tensor: StoredTensor): Float32Array {
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(alignedCopy(tensor));
    case 'F16':
      return float16ToFloat32(new Uint16Array(alignedCopy(tensor)));
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(alignedCopy(tensor)));
    case 'F64':
      return Float32Array.from(new Float64Array(alignedCopy(tensor)));
    default:
      throw new UserError(`Tensor "${tensor.name}" is ${tensor.dtype}; expected F32, F16, BF16 or F64.`);
  }
}

function integers(tensor: StoredTensor): ArrayLike<number> | ArrayLike<bigint> {
  switch (tensor.dtype) {
    case 'I64':
      return new BigInt64Array(alignedCopy(tensor));
    case 'U64':
      return new BigUint64Array(alignedCopy(tensor));
    case 'I32':
      return new Int32Array(alignedCopy(tensor));
    case 'U32':
      return new Uint32Array(alignedCopy(tensor));
    case 'I16':
      return new Int16Array(alignedCopy(tensor));
    case 'U16':
      return new Uint16Array(alignedCopy(tensor));
    case 'I8':
      return new Int8Array(alignedCopy(tensor));
    case 'U8':
    case 'BOOL':
      return tensor.bytes;
    default:
      throw new UserError(`Tensor "${tensor.name}" is ${tensor.dtype}; expected an integer type or BOOL.`);
  }
}

/** A copy of the tensor's elements as int32. Throws UserError for floats and for values that do not fit. */
export function toInt32(tensor: StoredTensor): Int32Array {
  const values = integers(tensor);
  const out = new Int32Array(values.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = Number(values[i]);
    if (out[i] !== Number(values[i])) {
      throw new UserError(`Tensor "${tensor.name}" holds ${values[i]} at element ${i}, too large for int32.`);
    }
  }
  return out;
}

/** values of `shape` as a tensor to write, stored as float32 (a view) or bfloat16 (rounded to nearest even). */
export function floatTensor(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: 'F32' | 'BF16' = 'F32',
): StoredTensor {
  const stored = dtype === 'F32' ? values : float32ToBfloat16(values);
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  return { name, dtype, shape: [...shape], bytes };
}

/** values of `shape` as an I32 tensor to write (a view). */
export function int32Tensor(name: string, shape: readonly number[], values: Int32Array): StoredTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dtype: 'I32', shape: [...shape], bytes };
}
