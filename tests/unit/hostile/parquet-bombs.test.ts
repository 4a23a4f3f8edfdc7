/** Parquet that claims gigabytes: refused by what it claims, before anything of that size is made. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { unpackPage } from '../../../src/import/parquet-codec.ts';
import { type ChunkShape, checkChunk } from '../../../src/import/parquet-page.ts';
import { checkThrift } from '../../../src/import/thrift-check.ts';
import { joined } from '../import/make-zip.ts';

type Field = number | { readonly [id: number]: Field };

function varint(value: number): number[] {
  const out: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...out, left];
    out.push((left % 128) | 0x80);
  }
}

/** A Thrift struct of i32 fields and structs, by field number. */
function struct(fields: { readonly [id: number]: Field }): number[] {
  const out: number[] = [];
  let last = 0;
  for (const [key, value] of Object.entries(fields)) {
    const id = Number(key);
    const type = typeof value === 'number' ? 5 : 12;
    out.push(((id - last) << 4) | type);
    out.push(...(typeof value === 'number' ? varint(value < 0 ? -2 * value - 1 : 2 * value) : struct(value)));
    last = id;
  }
  return [...out, 0];
}

const plain = 0;
const rle = 3;
const dictionary = 8;

/** A data page of version 1: header and body. */
const page = (
  values: number,
  body: number[],
  claims: { size?: number; packed?: number; encoding?: number } = {},
) =>
  Uint8Array.of(
    ...struct({
      1: 0,
      2: claims.size ?? body.length,
      3: claims.packed ?? body.length,
      5: { 1: values, 2: claims.encoding ?? plain, 3: rle, 4: rle },
    }),
    ...body,
  );

/** Optional integers; levels are one run. */
const shape: ChunkShape = {
  type: 'INT32',
  typeLength: 0,
  codec: 'UNCOMPRESSED',
  maxRepetition: 0,
  maxDefinition: 1,
  rows: 3,
  mostValues: 1_000_000,
};
const levels = (run: number, level: number) => {
  const body = [...varint(run * 2), level];
  return [body.length, 0, 0, 0, ...body];
};
const three = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];

const check = (bytes: Uint8Array, over: Partial<ChunkShape> = {}, left = 2 ** 30) =>
  checkChunk(bytes, { ...shape, ...over }, { left });

describe('pages', () => {
  it('takes an honest one, which the others are made from', () => {
    check(page(3, [...levels(3, 1), ...three]));
    check(page(3, levels(3, 0)));
  });

  it.each<[string, Uint8Array, Partial<ChunkShape>, RegExp]>([
    ['two gigabytes', page(3, [], { size: 2 ** 31 - 1 }), {}, /claims 2147483647 bytes/],
    ['a negative size', page(3, [], { size: -5 }), {}, /claims -5 bytes/],
    ['a body beyond its column', page(3, [], { packed: 5000 }), {}, /5000 bytes does not fit/],
    ['a negative body', page(3, [], { packed: -1 }), {}, /-1 bytes does not fit/],
    ['2^30 values', page(2 ** 30, levels(2 ** 30, 0)), {}, /1073741824 values; at most/],
    [
      'a run that is longer than the page',
      page(3, [...levels(2 ** 29, 1), ...three]),
      {},
      /a run of 536870912/,
    ],
    ['runs of nothing', page(3, [...levels(0, 1), ...three]), {}, /a run of 0 values/],
    ['a level that is too deep', page(3, [...levels(3, 2), ...three]), {}, /a level of 2/],
    ['levels beyond the page', page(3, [255, 255, 255, 127]), {}, /levels of 2147483647 bytes/],
    ['fewer values than it claims', page(3, [...levels(3, 1), 1, 0, 0, 0]), {}, /3 values of 4 bytes/],
    ['fewer rows than the file', page(2, [...levels(2, 1), ...three]), {}, /2 rows where the file claims 3/],
    [
      'a dictionary that is not there',
      page(3, [...levels(3, 1), 2, 6, 0], { encoding: dictionary }),
      {},
      /not there/,
    ],
    [
      'a text beyond its page',
      page(3, [...levels(3, 1), 255, 255, 255, 127]),
      { type: 'BYTE_ARRAY' },
      /longer than its page/,
    ],
    [
      'delta blocks of nothing',
      page(3, [...levels(3, 1), 0, 0, 3], { encoding: 5 }),
      {},
      /delta blocks of 0/,
    ],
    [
      'endless delta miniblocks',
      page(3, [...levels(3, 1), 128, 1, 255, 255, 255, 255, 15, 3, 0], { encoding: 5 }),
      {},
      /miniblocks/,
    ],
    [
      'prefix deltas, which grow by themselves',
      page(3, [...levels(3, 1)], { encoding: 7 }),
      { type: 'BYTE_ARRAY' },
      /DELTA_BYTE_ARRAY/,
    ],
  ])('refuses %s', (_, bytes, over, message) => {
    const start = performance.now();
    expect(() => check(bytes, over)).toThrow(UserError);
    expect(() => check(bytes, over)).toThrow(message);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('refuses what unpacks to more than the budget, over all pages', () => {
    const one = page(1, [...levels(1, 1), 1, 0, 0, 0]);
    const chunk = joined([one, one, one]);
    check(chunk, {}, 100);
    expect(() => check(chunk, {}, 20)).toThrow(/far more than the file/);
  });

  it('refuses an entry that the dictionary does not have', () => {
    const dictionaryPage = [...struct({ 1: 2, 2: 8, 3: 8, 7: { 1: 2, 2: plain } }), 1, 0, 0, 0, 2, 0, 0, 0];
    const chunk = (entry: number) =>
      joined([
        Uint8Array.of(...dictionaryPage),
        page(3, [...levels(3, 1), 2, 6, entry], { encoding: dictionary }),
      ]);
    check(chunk(1));
    expect(() => check(chunk(3))).toThrow(/entry 3 of a dictionary that has 2/);
  });
});

describe('compression', () => {
  const zeros = new Uint8Array(64 * 2 ** 20);
  it('refuses a bomb by its ratio, and a page that is not as long as it claims', () => {
    const bomb = new Uint8Array(gzipSync(zeros.subarray(0, 1000)));
    expect(unpackPage(bomb, 1000, 'GZIP')).toHaveLength(1000);
    expect(() => unpackPage(bomb, zeros.length, 'GZIP')).toThrow(/as in a bomb/);
    expect(() => unpackPage(bomb, 2 ** 31, 'GZIP')).toThrow(/at most/);
    expect(() => unpackPage(bomb, Number.NaN, 'GZIP')).toThrow(UserError);
    expect(() => unpackPage(bomb, 1000, 'BROTLI')).toThrow(
      /packed by BROTLI; expected SNAPPY, GZIP, ZSTD or none/,
    );
  });

  it('refuses Zstandard frames that claim more than the page', () => {
    // Magic, single segment with an 8-byte content size of 2^40.
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0);
    expect(() => unpackPage(frame, 1000, 'ZSTD')).toThrow(/holds 1099511627776 bytes/);
    // A window of 2 GB, and one block of run lengths that is longer than the page.
    const window = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 1, 0, 0, 0, 0);
    expect(() => unpackPage(window, 1000, 'ZSTD')).toThrow(/window of 2147483648 bytes/);
    const run = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50, 0x03, 0x00, 0x10, 0x41);
    expect(() => unpackPage(run, 1000, 'ZSTD')).toThrow(/hold more than the 1000 bytes/);
  });
});

describe('metadata', () => {
  const walk = (...bytes: number[]) => checkThrift(new DataView(Uint8Array.from(bytes).buffer), 0);
  it('finds the end of a struct', () => expect(walk(...struct({ 1: 5, 3: { 1: 7 } }), 9, 9)).toBe(7));
  it.each<[string, number[], RegExp]>([
    ['a list of 2^31 entries', [0x19, 0xf5, 255, 255, 255, 255, 7], /a list claims 2147483647/],
    ['text of 2^31 bytes', [0x18, 255, 255, 255, 255, 7], /2147483647 bytes are claimed/],
    ['an endless number', [0x15, 255, 255, 255, 255, 255, 255], /too long/],
    ['no end', [0x15, 2], /end too early/],
    ['an unknown type', [0x1e, 0], /type 14/],
    ['structs in structs', Array<number>(100).fill(0x1c), /nested more than/],
    [
      'lists in lists',
      Array.from({ length: 100 }, (_, i) => (i === 0 ? 0x19 : 0x19)),
      /nested more than|claims/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => walk(...bytes)).toThrow(UserError);
    expect(() => walk(...bytes)).toThrow(message);
  });
});
