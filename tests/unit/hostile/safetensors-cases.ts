/** Safetensors headers that lie, and a second, straightforward parser that says what a file holds. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { SafetensorsFile } from '../../../src/store/safetensors.ts';
import { oddValues } from './harness.ts';

export function headerFile(json: string, dataBytes: number, length?: bigint): Uint8Array {
  const header = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + header.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(header.length), true);
  bytes.set(header, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + header.length + i] = (i * 37 + 1) & 255;
  return bytes;
}

const size = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom<unknown>(-1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, -0, null, '2', [2], true),
);
const offset = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom<unknown>(-1, 2 ** 53, 1e300, 0.5, null, '0'),
);
const dtype = fc.oneof(
  { arbitrary: fc.constantFrom('F32', 'BF16', 'I64', 'U8', 'BOOL', 'F64'), weight: 8 },
  { arbitrary: fc.constantFrom<unknown>('F8_E4M3', '__proto__', 'toString', 'f32', null, 4, {}), weight: 1 },
);
const name = fc.oneof(
  fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', '', '__metadata__'),
  fc.string(),
);

const widths: Readonly<Record<string, number>> = { F32: 4, BF16: 2, I64: 8, U8: 1, BOOL: 1, F64: 8 };

/** Tensors laid one behind the other, as the format demands. */
const honest = fc
  .uniqueArray(
    fc.tuple(
      fc.string(),
      fc.constantFrom(...Object.keys(widths)),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    ),
    {
      maxLength: 4,
      selector: ([key]) => key,
    },
  )
  .map((tensors) => {
    let end = 0;
    const entries = tensors.map(([key, type, shape]) => {
      const begin = end;
      end += shape.reduce((product, n) => product * n, 1) * widths[type];
      return [key, { dtype: type, shape, data_offsets: [begin, end] }];
    });
    return { header: Object.fromEntries(entries) as Record<string, unknown>, dataBytes: end };
  });

const liar = fc
  .array(
    fc.tuple(
      name,
      fc.oneof(
        {
          arbitrary: fc.record(
            {
              dtype,
              shape: fc.oneof(fc.array(size, { maxLength: 4 }), oddValues),
              data_offsets: fc.oneof(fc.tuple(offset, offset), oddValues),
            },
            { requiredKeys: [] },
          ),
          weight: 6,
        },
        { arbitrary: oddValues, weight: 1 },
      ),
    ),
    { maxLength: 4 },
  )
  .map((entries) => ({ header: Object.fromEntries(entries) as Record<string, unknown>, dataBytes: 40 }));

/** A header, the bytes of data behind it, and what the length field says instead of the truth. */
export const lyingHeader: fc.Arbitrary<{
  header: Record<string, unknown>;
  dataBytes: number;
  length?: bigint;
}> = fc.oneof(
  { arbitrary: liar, weight: 4 },
  { arbitrary: honest, weight: 3 },
  {
    arbitrary: fc
      .tuple(honest, name, fc.constantFrom('shape', 'data_offsets', 'dtype'), oddValues)
      .map(([file, , field, odd]) => {
        const header = structuredClone(file.header) as Record<string, Record<string, unknown>>;
        const first = Object.keys(header)[0];
        if (first !== undefined) header[first][field] = odd;
        return { ...file, header };
      }),
    weight: 2,
  },
  {
    arbitrary: fc
      .tuple(honest, fc.constantFrom(0n, 1n, 7n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n))
      .map(([file, length]) => ({ ...file, length })),
    weight: 1,
  },
);

/** Holds what was read against a parser that trusts nothing and shares no code with ours. */
export function checkParsed(bytes: Uint8Array, { tensors }: SafetensorsFile): void {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const start = 8 + length;
  expect(start).toBeLessThanOrEqual(bytes.length);
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, start))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const names = Object.keys(header).filter((key) => key !== '__metadata__');
  expect([...tensors.keys()].sort()).toEqual(names.sort());
  let covered = 0;
  for (const key of names) {
    const {
      dtype,
      shape,
      data_offsets: [begin, end],
    } = header[key];
    const tensor = tensors.get(key);
    const width =
      { F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2 }[dtype] ?? 1;
    const elements = shape.reduce((product, n) => product * BigInt(n), 1n);
    expect(BigInt(end - begin)).toBe(elements * BigInt(width));
    expect(tensor).toMatchObject({ name: key, dtype, shape });
    expect(start + end).toBeLessThanOrEqual(bytes.length);
    expect(Buffer.compare(tensor?.bytes ?? new Uint8Array(), bytes.slice(start + begin, start + end))).toBe(
      0,
    );
    covered += end - begin;
  }
  expect(covered).toBe(bytes.length - start);
}
