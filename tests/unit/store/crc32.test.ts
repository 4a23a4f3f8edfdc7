import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32 } from '../../../src/store/crc32.ts';

const text = (value: string) => new TextEncoder().encode(value);
// In Node since 20.15, in its types later.
const reference = (zlib as unknown as { crc32(data: Uint8Array, before?: number): number }).crc32;

describe('crc32', () => {
  test('known values (the check value of the catalogue, and those that Python gives)', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    expect(crc32(text(''))).toBe(0);
    expect(crc32(text('a'))).toBe(0xe8b7be43);
    expect(crc32(text('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
    expect(crc32(new Uint8Array(32).fill(255))).toBe(0xff6cab0b);
  });

  test('agrees with zlib at every length and alignment, and in pieces', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(7),
      fc.nat(200),
      (values, shift, cut) => {
        const shifted = new Uint8Array(values.length + shift);
        shifted.set(values, shift);
        const bytes = shifted.subarray(shift);
        expect(crc32(bytes)).toBe(reference(values));
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(reference(values));
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  test('sees every single flipped bit', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i * 37);
    const right = crc32(bytes);
    for (let bit = 0; bit < 512; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      expect(crc32(damaged)).not.toBe(right);
    }
  });
});
