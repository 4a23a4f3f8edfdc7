import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { convertTensor } from '../../../src/store/convert-tensor.ts';

// Made by numpy: tests/fixtures/generate/float16.py.
const expected = JSON.parse(readFileSync('tests/fixtures/float16.json', 'utf8')) as Record<string, string>;

const digest = (values: ArrayBufferView) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
const isNaNHalf = (bits: number) => (bits & 0x7fff) > 0x7c00;

/** What a half float's bits mean, by the format's definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function bfloatValue(bits: number): number {
  const word = new DataView(new ArrayBuffer(4));
  word.setUint16(0, bits);
  return word.getFloat32(0);
}

describe('float16 to float32', () => {
  it('is exact for every value, and back again every bit is what it was', () => {
    const wide = convertTensor(bytesOf(all), 'F16', 'f32');
    for (let i = 0; i < 65_536; i++)
      if (!Object.is(wide[i], halfValue(i))) expect([i, wide[i]]).toEqual([i, halfValue(i)]);
    expect(digest(wide.map((value) => (Number.isNaN(value) ? 0 : value)))).toBe(expected.half_to_float32);
    expect(convertTensor(bytesOf(wide), 'F32', 'f16')).toEqual(all);
  });
});

describe('bfloat16', () => {
  it('becomes float32 exactly, NaN payloads included', () => {
    const wide = convertTensor(bytesOf(all), 'BF16', 'f32');
    const bits = new Uint32Array(wide.buffer);
    for (let i = 0; i < 65_536; i++) if (bits[i] >>> 16 !== i || bits[i] & 0xffff) expect.fail(`${i}`);
    expect(Object.is(wide[0x3f80], 1) && Object.is(wide[0x8000], -0)).toBe(true);
  });

  it('becomes the nearest float16 for every value, or is refused by name', () => {
    const halves = new Uint16Array(65_536);
    let refused = 0;
    for (let i = 0; i < 65_536; i++) {
      const one = bytesOf(Uint16Array.of(0, i));
      const value = bfloatValue(i);
      if (Number.isFinite(value) && Math.abs(value) >= 65_520) {
        refused++;
        expect(() => convertTensor(one, 'BF16', 'f16', 'some.weight')).toThrow(UserError);
        continue;
      }
      halves[i] = convertTensor(one, 'BF16', 'f16', 'some.weight')[1];
      if (Number.isNaN(value)) {
        if (!isNaNHalf(halves[i])) expect.fail(`${i} is no longer NaN`);
        if (halves[i] >> 15 !== i >> 15) expect.fail(`${i} has lost its sign`);
      }
    }
    expect(refused).toBe(expected.bfloat16_overflowing);
    const finite = halves.map((bits) => ((bits & 0x7c00) === 0x7c00 ? 0 : bits));
    expect(digest(finite)).toBe(expected.bfloat16_to_half);
    expect([halves[0x7f80], halves[0xff80]]).toEqual([0x7c00, 0xfc00]);
    expect(() => convertTensor(bytesOf(Uint16Array.of(0, 0x4800)), 'BF16', 'f16', 'some.weight')).toThrow(
      /"some.weight" holds 131072 at element 1, beyond the largest float16 \(65504\)/,
    );
  });
});

/** Every half float's middle to the next one, exact in float32. */
const middles = Float64Array.from({ length: 0x7bff }, (_, i) => (halfValue(i) + halfValue(i + 1)) / 2);

it('rounds float32 as numpy does, at all middles, beside them and everywhere else', () => {
  const weyl = Uint32Array.from({ length: 1 << 20 }, (_, i) =>
    Number((BigInt(i) * 2654435761n) % (1n << 32n)),
  );
  const spread = weyl.map((w) => ((w & 0x807fffff) | ((100 + ((w >>> 8) % 42)) << 23)) >>> 0);
  const bits = new Uint32Array(Float32Array.from(middles).buffer);
  const words = new Uint32Array([
    ...spread,
    ...bits.map((w) => w - 1),
    ...bits,
    ...bits.map((w) => w + 1),
    ...bits.map((w) => w | 0x80000000),
  ]);
  expect(digest(convertTensor(bytesOf(words), 'F32', 'f16'))).toBe(expected.float32_to_half);
});

it('rounds float64 once', () => {
  const values = Float64Array.of(
    ...[...middles].map((m) => m * (1 + 2 ** -40)),
    ...[...middles].map((m) => m * (1 - 2 ** -40)),
  );
  expect(digest(convertTensor(bytesOf(values), 'F64', 'f16'))).toBe(expected.float64_to_half);
  const special = Float64Array.of(Infinity, -Infinity, Number.NaN, -0, -1e-30, 65_519.999, -2.5);
  const halves = [...convertTensor(bytesOf(special), 'F64', 'f16')];
  expect(isNaNHalf(halves[2])).toBe(true);
  expect(halves.toSpliced(2, 1)).toEqual([0x7c00, 0xfc00, 0x8000, 0x8000, 0x7bff, 0xc100]);
  expect([...convertTensor(bytesOf(Float64Array.of(1 / 3)), 'F64', 'f32')]).toEqual([Math.fround(1 / 3)]);
});

it.each([65_520, -65_520, 1e30])('refuses float32 %d, and keeps infinity', (value) => {
  expect(() => convertTensor(bytesOf(Float32Array.of(0, value)), 'F32', 'f16', 'w')).toThrow(
    /"w" holds -?[\d.e+]+ at element 1/,
  );
  expect(() => convertTensor(bytesOf(Float64Array.of(0, value)), 'F64', 'f16', 'w')).toThrow(UserError);
  expect([...convertTensor(bytesOf(Float32Array.of(65_519.996, -Infinity)), 'F32', 'f16')]).toEqual([
    0x7bff, 0xfc00,
  ]);
});

it('reads bytes at any address', () => {
  const values = Float32Array.of(1, -2, 3.5);
  for (let offset = 0; offset < 4; offset++) {
    const bytes = new Uint8Array(16);
    bytes.set(bytesOf(values), offset);
    expect(convertTensor(bytes.subarray(offset, offset + 12), 'F32', 'f32')).toEqual(values);
    expect([...convertTensor(bytes.subarray(offset, offset + 12), 'F32', 'f16')]).toEqual([
      0x3c00, 0xc000, 0x4300,
    ]);
  }
});

it('refuses integers and broken lengths', () => {
  expect(() => convertTensor(new Uint8Array(8), 'I64', 'f32', 'ids')).toThrow(/"ids" is I64; expected F32/);
  expect(() => convertTensor(new Uint8Array(7), 'F32', 'f32', 'a')).toThrow(/7 bytes are no whole number/);
});
