import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import {
  bfloat16ToFloat32,
  type DType,
  dtypeSizes,
  float16ToFloat32,
  float32ToBfloat16,
  toFloat32,
  toInt32,
} from '../../../src/store/dtypes.ts';

const allBits = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** IEEE 754 binary16 by its definition, sign · 2^(e−15) · (1 + m/1024), in float64. */
function halfByDefinition(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * 2 ** -14 * (mantissa / 1024)
    : sign * 2 ** (exponent - 15) * (1 + mantissa / 1024);
}

describe('float16', () => {
  it('reads all 65,536 values exactly', () => {
    const values = float16ToFloat32(allBits);
    const wrong = [...allBits].filter((bits) => !Object.is(values[bits], halfByDefinition(bits)));
    expect(wrong).toEqual([]);
  });

  it('knows the edges', () => {
    const edges = Uint16Array.of(0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x8000, 0x3c00, 0xc000);
    const expected = [2 ** -24, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity, -0, 1, -2];
    expect([...float16ToFloat32(edges)]).toEqual(expected);
    expect(float16ToFloat32(Uint16Array.of(0x7e00))[0]).toBeNaN();
  });
});

describe('bfloat16', () => {
  it('survives the way to float32 and back, for every value', () => {
    const back = float32ToBfloat16(bfloat16ToFloat32(allBits));
    const isNotANumber = (bits: number) => (bits & 0x7fff) > 0x7f80;
    // A NaN stays NaN of the same sign, made quiet; everything else keeps its bits.
    const wrong = [...allBits].filter((bits) => back[bits] !== (isNotANumber(bits) ? bits | 0x40 : bits));
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, ties to even', () => {
    const step = 2 ** -7;
    const values = [
      1 + step / 2,
      1 + (3 * step) / 2,
      1 + step / 2 + 2 ** -20,
      1 + step / 2 - 2 ** -20,
      -(1 + step / 2),
    ];
    const rounded = bfloat16ToFloat32(float32ToBfloat16(Float32Array.from(values)));
    expect([...rounded]).toEqual([1, 1 + 2 * step, 1 + step, 1, -1]);
  });

  it('rounds every float32 between two neighbours to the nearer one', () => {
    // All 65,536 words that share an upper half, odd and even: the result is the nearest value, or the even one.
    for (const upper of [0x3f80, 0x3f81, 0x0000, 0x0001, 0xc2f7]) {
      const words = Uint32Array.from({ length: 65536 }, (_, low) => ((upper << 16) | low) >>> 0);
      const rounded = float32ToBfloat16(new Float32Array(words.buffer));
      const wrong = [...rounded.keys()].filter((low) => {
        const up = low > 0x8000 || (low === 0x8000 && upper % 2 === 1);
        return rounded[low] !== upper + (up ? 1 : 0);
      });
      expect(wrong).toEqual([]);
    }
  });

  it('keeps subnormals, signed zero and infinity, and overflows to infinity', () => {
    const largest = 3.4028234663852886e38;
    const values = Float32Array.of(9.183549615799121e-41, -0, Infinity, -Infinity, largest, -largest);
    expect([...float32ToBfloat16(values)]).toEqual([0x0001, 0x8000, 0x7f80, 0xff80, 0x7f80, 0xff80]);
  });

  it('keeps a NaN whose payload lies in the dropped half', () => {
    const word = Uint32Array.of(0x7f800001, 0xffffffff);
    expect([...float32ToBfloat16(new Float32Array(word.buffer))]).toEqual([0x7fc0, 0xffff]);
  });
});

function stored(dtype: DType, values: ArrayBufferView & { length: number }) {
  const bytes = new Uint8Array(values.byteLength + 1);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 1);
  // One byte off: no typed array may be laid over it as it is.
  return { name: 't', dtype, shape: [values.byteLength / dtypeSizes[dtype]], bytes: bytes.subarray(1) };
}

describe('conversion of tensors', () => {
  it('reads every float type from an unaligned place', () => {
    expect([...toFloat32(stored('F32', Float32Array.of(1.5, -2)))]).toEqual([1.5, -2]);
    expect([...toFloat32(stored('F64', Float64Array.of(0.1)))]).toEqual([Math.fround(0.1)]);
    expect([...toFloat32(stored('F16', Uint16Array.of(0x3c00)))]).toEqual([1]);
    expect([...toFloat32(stored('BF16', Uint16Array.of(0x3f80)))]).toEqual([1]);
  });

  it('copies: changing the result leaves the file as it was', () => {
    const tensor = { name: 't', dtype: 'F32' as const, shape: [1], bytes: new Uint8Array(4) };
    toFloat32(tensor)[0] = 1;
    expect([...tensor.bytes]).toEqual([0, 0, 0, 0]);
  });

  it('reads every integer type from an unaligned place', () => {
    expect([...toInt32(stored('I64', BigInt64Array.of(-100n, 7n)))]).toEqual([-100, 7]);
    expect([...toInt32(stored('U64', BigUint64Array.of(7n)))]).toEqual([7]);
    expect([...toInt32(stored('I32', Int32Array.of(-(2 ** 31))))]).toEqual([-(2 ** 31)]);
    expect([...toInt32(stored('U32', Uint32Array.of(5)))]).toEqual([5]);
    expect([...toInt32(stored('I16', Int16Array.of(-3)))]).toEqual([-3]);
    expect([...toInt32(stored('U16', Uint16Array.of(65535)))]).toEqual([65535]);
    expect([...toInt32(stored('I8', Int8Array.of(-3)))]).toEqual([-3]);
    expect([...toInt32(stored('U8', Uint8Array.of(255)))]).toEqual([255]);
    expect([...toInt32(stored('BOOL', Uint8Array.of(0, 1)))]).toEqual([0, 1]);
  });

  it('refuses what would lose its value', () => {
    expect(() => toInt32(stored('I64', BigInt64Array.of(1n, 2n ** 31n)))).toThrow(/2147483648 at element 1/);
    expect(() => toInt32(stored('U32', Uint32Array.of(2 ** 32 - 1)))).toThrow(UserError);
    expect(() => toInt32(stored('F32', Float32Array.of(1)))).toThrow(/"t" is F32/);
    expect(() => toFloat32(stored('I32', Int32Array.of(1)))).toThrow(/"t" is I32/);
  });
});
