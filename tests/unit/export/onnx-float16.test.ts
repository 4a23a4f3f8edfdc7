import { expect, it } from 'vitest';
import { float16ToFloat32 } from '../../../src/store/dtypes.ts';
import { float32ToFloat16 } from '../../../src/store/float16.ts';

const finite = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter(
  (bits) => (bits & 0x7c00) !== 0x7c00,
);

it('gives every finite half float back', () => {
  expect(
    Buffer.compare(
      Buffer.from(float32ToFloat16(float16ToFloat32(finite), 'w').buffer),
      Buffer.from(finite.buffer),
    ),
  ).toBe(0);
});

it('rounds to the nearest, ties to even, between all neighbours', () => {
  // Positive halves are in order of their bits.
  const positive = finite.filter((bits) => bits < 0x8000);
  const values = float16ToFloat32(positive);
  const wrong: number[] = [];
  for (let i = 0; i + 1 < values.length; i++) {
    // Exact in float32: a half float has 11 significant bits.
    const middle = (values[i] + values[i + 1]) / 2;
    const step = values[i + 1] - values[i];
    const cases = Float32Array.of(middle, middle - step / 64, middle + step / 64, -middle);
    const even = positive[i] % 2 === 0 ? positive[i] : positive[i + 1];
    const expected = [even, positive[i], positive[i + 1], even | 0x8000];
    const got = float32ToFloat16(cases, 'w');
    if (expected.some((bits, k) => bits !== got[k])) wrong.push(values[i]);
  }
  expect(wrong).toEqual([]);
});

it('refuses what a half float cannot hold', () => {
  expect(float32ToFloat16(Float32Array.of(65519), 'w')).toEqual(Uint16Array.of(0x7bff));
  for (const value of [65520, -1e9, Number.POSITIVE_INFINITY, Number.NaN])
    expect(() => float32ToFloat16(Float32Array.of(0, value), 'lm_head.weight')).toThrow(
      `lm_head.weight holds ${value}, which is beyond float16`,
    );
});
