/** IEEE half floats, which older browsers and Node have no array for, from and to float32. */
import { UserError } from '../errors.ts';
import { float16ToFloat32 } from './dtypes.ts';

/**
 * Bits [n], rounded to nearest, ties to even. Throws UserError beginning with `where` for a number that a half float
 * cannot hold: not finite, or beyond 65,504.
 */
export function float32ToFloat16(values: Float32Array, where: string): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const sign = (words[i] >>> 16) & 0x8000;
    const size = words[i] & 0x7fffffff;
    // Below 2⁻¹⁴ halves are multiples of 2⁻²⁴, and adding 2²³ leaves float32 no bits for fractions.
    if (size < 0x38800000) out[i] = sign | (Math.fround(Math.abs(values[i]) * 2 ** 24 + 2 ** 23) - 2 ** 23);
    else {
      const rebiased = size - 0x38000000;
      const half = (rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13;
      if (half >= 0x7c00) throw new UserError(`${where} holds ${values[i]}, which is beyond float16.`);
      out[i] = sign | half;
    }
  }
  return out;
}

/** A tensor's values [n], given in either precision, as float32. */
export function asFloat32(values: Float32Array | Uint16Array): Float32Array {
  return values instanceof Uint16Array ? float16ToFloat32(values) : values;
}

/** The same as bits of half floats: see float32ToFloat16 for `where` and what it throws. */
export function asFloat16(values: Float32Array | Uint16Array, where: string): Uint16Array {
  return values instanceof Uint16Array ? values : float32ToFloat16(values, where);
}
