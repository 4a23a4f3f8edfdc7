import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import {
  floatTensor,
  int32Tensor,
  readSafetensors,
  readSafetensorsFile,
  toFloat32,
  toInt32,
  writeSafetensors,
} from '../../../src/store/safetensors.ts';

/** A file with this header and `dataBytes` zero bytes; `length` replaces the header's true length. */
function file(header: unknown, dataBytes = 0, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (shape: unknown, begin: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

const sample = () => [
  floatTensor('b', [2, 2], Float32Array.of(1, -2, 3.5, 1e-30)),
  floatTensor('half', [3], Float32Array.of(0.5, 1.00390625, -8), 'BF16'),
  int32Tensor('ids', [1, 3], Int32Array.of(7, -1, 2 ** 31 - 1)),
  floatTensor('a', [], Float32Array.of(42)),
  floatTensor('empty', [0, 4], new Float32Array(0)),
];

describe('writing and reading', () => {
  it('gives back what was written', () => {
    const { tensors, metadata } = readSafetensorsFile(
      writeSafetensors(sample(), { metadata: { step: '3' } }),
    );
    expect(metadata).toEqual({ format: 'pt', step: '3' });
    expect([...tensors.keys()].sort()).toEqual(['a', 'b', 'empty', 'half', 'ids']);
    expect(tensors.get('b')?.shape).toEqual([2, 2]);
    expect(toFloat32(tensors.get('b')!)).toEqual(Float32Array.of(1, -2, 3.5, 1e-30));
    expect(tensors.get('half')?.dtype).toBe('BF16');
    expect(toFloat32(tensors.get('half')!)).toEqual(Float32Array.of(0.5, 1, -8));
    expect(toInt32(tensors.get('ids')!)).toEqual(Int32Array.of(7, -1, 2 ** 31 - 1));
    expect(toFloat32(tensors.get('a')!)).toEqual(Float32Array.of(42));
    expect(tensors.get('a')?.shape).toEqual([]);
    expect(toFloat32(tensors.get('empty')!)).toHaveLength(0);
  });

  it('is the same file whatever the order, with aligned header and data', () => {
    const bytes = writeSafetensors(sample());
    expect(writeSafetensors(sample().reverse())).toEqual(bytes);
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
    for (const { dtype, bytes: data } of readSafetensors(bytes).values()) {
      expect(data.byteOffset % (dtype === 'BF16' ? 2 : 4)).toBe(0);
    }
  });

  it('reads from the middle of a larger buffer without copying', () => {
    const bytes = writeSafetensors(sample());
    const larger = new Uint8Array(bytes.length + 13);
    larger.set(bytes, 5);
    const tensors = readSafetensors(larger.subarray(5, 5 + bytes.length));
    expect(tensors.get('b')?.bytes.buffer).toBe(larger.buffer);
    expect(toFloat32(tensors.get('b')!)).toEqual(Float32Array.of(1, -2, 3.5, 1e-30));
  });

  it.each(['smolvlm-tiny', 'smolvlm-tiny-untied'])(
    "repeats transformers' file of %s byte for byte",
    async (name) => {
      const original = await readFile(`tests/fixtures/${name}/model.safetensors`);
      const again = writeSafetensors([...readSafetensors(original).values()].reverse());
      expect(Buffer.compare(again, original)).toBe(0);
    },
  );

  it("orders mixed types like transformers' file", async () => {
    const tensors = readSafetensors(await readFile('tests/fixtures/smolvlm-tiny/greedy.safetensors'));
    const again = readSafetensors(writeSafetensors([...tensors.values()].reverse()));
    expect(new Set([...tensors.values()].map(({ dtype }) => dtype)).size).toBeGreaterThan(1);
    expect([...again.keys()]).toEqual([...tensors.keys()]);
  });

  it('takes names that JavaScript objects treat specially', () => {
    const names = ['__proto__', 'constructor', '1', 'ä "quoted" \\ \n {', 'toString'];
    const bytes = writeSafetensors(names.map((name, i) => floatTensor(name, [1], Float32Array.of(i))));
    const tensors = readSafetensors(bytes);
    expect(names.map((name) => toFloat32(tensors.get(name)!)[0])).toEqual([0, 1, 2, 3, 4]);
  });

  it('reads a file without tensors', () => {
    expect(readSafetensors(writeSafetensors([])).size).toBe(0);
    expect(readSafetensors(file('{}')).size).toBe(0);
  });
});

describe('what is refused in writing', () => {
  const one = Float32Array.of(1);
  it.each([
    ['a name used twice', [floatTensor('w', [1], one), floatTensor('w', [1], one)], /"w" is there twice/],
    ['data that do not fit the shape', [floatTensor('w', [2], one)], /"w" has 4 bytes, but F32 \[2\] is 8/],
    ['a negative size', [floatTensor('w', [-1, -1], one)], /"w": shape \[-1,-1\]/],
    ['the reserved name', [floatTensor('__metadata__', [1], one)], /cannot be called/],
  ])('%s', (_, tensors, message) => {
    expect(() => writeSafetensors(tensors)).toThrow(UserError);
    expect(() => writeSafetensors(tensors)).toThrow(message);
  });
});

describe('what is refused in reading', () => {
  const good = { a: f32([2], 0, 8), b: f32([1], 8, 12) };
  it('not the well-formed file that the others are made from', () => {
    expect([...readSafetensors(file(good, 12)).keys()]).toEqual(['a', 'b']);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /0 bytes are too few/],
    ['seven bytes', new Uint8Array(7), /7 bytes are too few/],
    ['a header longer than the file', file(good, 12, 4000n), /claims 4000 bytes/],
    ['a header of 2^63 bytes', file(good, 12, 2n ** 63n), /claims 9223372036854775808 bytes/],
    ['an empty header', new Uint8Array(8), /does not start with "\{"/],
    ['a header that is a list', file([1]), /does not start with "\{"/],
    ['leading blanks', file(' {}'), /does not start with "\{"/],
    ['broken JSON', file('{"a": }'), /not valid JSON/],
    ['text after the object', file('{} x'), /not valid JSON/],
    ['bytes that are not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d), /not UTF-8/],
    [
      'a name used twice',
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":1}'),
      /names "a" twice/,
    ],
    ['an escaped twin', file('{"a":1,"\\u0061":1}'), /names "a" twice/],
    [
      'a field used twice',
      file('{"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}'),
      /"shape" twice/,
    ],
    ['an entry that is no object', file({ a: 1 }), /"a" must be an object/],
    [
      'an unknown dtype',
      file({ a: { ...f32([1], 0, 4), dtype: 'F8_E4M3' } }, 4),
      /dtype "F8_E4M3"; expected one of/,
    ],
    [
      'a dtype from the prototype',
      file({ a: { ...f32([1], 0, 4), dtype: 'toString' } }, 4),
      /dtype "toString"/,
    ],
    ['no dtype', file({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /dtype undefined/],
    ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /shape undefined/],
    ['a negative size', file({ a: f32([-1, -1], 0, 4) }, 4), /whole numbers of 0 or more/],
    ['a fractional size', file({ a: f32([0.5, 2], 0, 4) }, 4), /whole numbers of 0 or more/],
    ['a size that is text', file({ a: f32(['1'], 0, 4) }, 4), /whole numbers of 0 or more/],
    ['a product beyond 2^53', file({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4), /too large/],
    ['a shape larger than its bytes', file({ a: f32([3], 0, 8) }, 8), /takes 8 bytes, but F32 \[3\] is 12/],
    [
      'one offset',
      file({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4),
      /expected \[begin, end\]/,
    ],
    ['a negative offset', file({ a: f32([1], -4, 0) }, 4), /expected \[begin, end\]/],
    ['an end before the beginning', file({ a: f32([1], 4, 0) }, 4), /before it begins/],
    ['data that are cut off', file(good, 11), /"b" ends at byte 12, but the data are 11 bytes/],
    ['an overlap', file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, 8), /"b" overlaps tensor "a"/],
    ['the same place twice', file({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4), /overlaps/],
    [
      'a hole',
      file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
      /4 bytes between tensor "a" and tensor "b"/,
    ],
    ['a hole at the start', file({ a: f32([1], 4, 8) }, 8), /between the start of the data and tensor "a"/],
    ['bytes after the last tensor', file(good, 13), /1 bytes after tensor "b"/],
    ['metadata that are no texts', file({ __metadata__: { step: 3 } }), /must map strings to strings/],
    [
      'a Git LFS pointer',
      new TextEncoder().encode('version https://git-lfs.example/spec/v1\noid sha256:00\nsize 99\n'),
      /Git LFS pointer/,
    ],
  ])('%s', (_, bytes, message) => {
    let error: unknown;
    try {
      readSafetensors(bytes, 'model.safetensors');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toMatch(message);
    expect((error as UserError).message).toContain('model.safetensors');
  });

  it('every cut of a real file, without a crash of another kind', () => {
    const bytes = writeSafetensors(sample());
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readSafetensors(bytes.subarray(0, length))).toThrow(UserError);
    }
  });
});
