/**
 * Checks one column chunk of a Parquet file page by page, so that hyparquet, which trusts its input, then decodes only
 * pages whose counts, lengths and dictionary indexes fit. The format: apache/parquet-format, README and Encodings.md.
 */
import { parquetHeader } from 'hyparquet/src/column.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { UserError } from '../errors.ts';
import { checkPageSize, unpackPage } from './parquet-codec.ts';
import { checkThrift } from './thrift-check.ts';

export interface ChunkShape {
  readonly type: string;
  readonly typeLength: number;
  readonly codec: string;
  readonly maxRepetition: number;
  readonly maxDefinition: number;
  /** Rows of the row group. */
  readonly rows: number;
  /** Values of all pages, at most. */
  readonly mostValues: number;
}

export interface Budget {
  /** Decompressed bytes that may still come. */
  left: number;
}

interface Page {
  readonly view: DataView;
  offset: number;
}

const bitWidth = (value: number) => 32 - Math.clz32(value);

function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new UserError(what);
}

/** Counts values equal to `target`, and the largest, of `count` in the RLE/bit-packed hybrid before `end`. */
function walkHybrid(page: Page, end: number, width: number, count: number, target: number) {
  let [seen, equal, largest] = [0, 0, 0];
  need(width <= 32, `values of ${width} bits`);
  const next = () => {
    need(page.offset < end, 'a page ends in the middle of its values');
    return page.view.getUint8(page.offset++);
  };
  while (seen < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      need(shift < 35, 'a run has an endless length');
      const byte = next();
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const run = Math.floor(header / 2);
    if (header % 2 === 0) {
      let value = 0;
      for (let i = 0; i < (width + 7) >> 3; i++) value += next() * 2 ** (8 * i);
      need(run > 0 && seen + run <= count, `a run of ${run} values where ${count - seen} are left`);
      if (value === target) equal += run;
      largest = Math.max(largest, value);
      seen += run;
    } else {
      // A packed run is padded to eight values, by some writers to more.
      need(run * 8 <= count - seen + 504, `a run of ${run * 8} values where ${count - seen} are left`);
      need(page.offset + run * width <= end, 'a page ends in the middle of its values');
      let [bits, have] = [0n, 0];
      const start = page.offset;
      for (let i = 0, at = start; i < run * 8 && seen < count; i++, seen++) {
        while (have < width) {
          bits |= BigInt(page.view.getUint8(at++)) << BigInt(have);
          have += 8;
        }
        const value = Number(bits & ((1n << BigInt(width)) - 1n));
        bits >>= BigInt(width);
        have -= width;
        if (value === target) equal++;
        largest = Math.max(largest, value);
      }
      page.offset = start + run * width;
    }
  }
  return { equal, largest };
}

/** Levels with their length before them (data page v1). */
function levelsV1(page: Page, max: number, count: number, target: number): number {
  if (max === 0) return count;
  need(page.offset + 4 <= page.view.byteLength, 'a page ends before its levels');
  const length = page.view.getUint32(page.offset, true);
  page.offset += 4;
  const end = page.offset + length;
  need(end <= page.view.byteLength, `levels of ${length} bytes do not fit into their page`);
  const { equal, largest } = walkHybrid(page, end, bitWidth(max), count, target);
  need(largest <= max, `a level of ${largest}, where ${max} is the deepest`);
  page.offset = end;
  return equal;
}

function levelsV2(page: Page, max: number, length: number, count: number, target: number): number {
  const end = page.offset + length;
  need(max > 0 || length === 0, 'levels where there are none');
  if (max === 0) return count;
  const { equal, largest } = walkHybrid(page, end, bitWidth(max), count, target);
  need(largest <= max, `a level of ${largest}, where ${max} is the deepest`);
  page.offset = end;
  return equal;
}

const widths: Readonly<Record<string, number>> = { INT32: 4, INT64: 8, INT96: 12, FLOAT: 4, DOUBLE: 8 };

function checkDelta(page: Page, count: number, output: Int32Array | BigInt64Array): void {
  const start = page.offset;
  const varint = () => {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      need(page.offset < page.view.byteLength, 'a page ends in the middle of its values');
      const byte = page.view.getUint8(page.offset++);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new UserError('a delta header has an endless number');
  };
  const [block, minis, total] = [varint(), varint(), varint()];
  need(block > 0 && block <= 65536 && block % 128 === 0, `delta blocks of ${block} values`);
  need(
    minis > 0 && minis <= 256 && (block / minis) % 32 === 0,
    `${minis} delta miniblocks a block of ${block}`,
  );
  need(total === count, `${total} delta values where ${count} are expected`);
  page.offset = start;
  if (count > 0) deltaBinaryUnpack(page, count, output);
  need(page.offset <= page.view.byteLength + block * 8, 'a page ends in the middle of its values');
}

/** The values of a page: `count` of them fit into it, by its encoding. */
function checkValues(
  page: Page,
  encoding: string,
  count: number,
  chunk: ChunkShape,
  dictionary: number | null,
) {
  const room = page.view.byteLength - page.offset;
  const width = chunk.type === 'FIXED_LEN_BYTE_ARRAY' ? chunk.typeLength : widths[chunk.type];
  if (count === 0) return;
  switch (encoding) {
    case 'PLAIN':
      if (chunk.type === 'BYTE_ARRAY') {
        for (let i = 0; i < count; i++) {
          need(page.offset + 4 <= page.view.byteLength, 'a page ends in the middle of its values');
          page.offset += 4 + page.view.getUint32(page.offset, true);
          need(page.offset <= page.view.byteLength, 'a value is longer than its page');
        }
      } else if (chunk.type === 'BOOLEAN') need(Math.ceil(count / 8) <= room, 'a page is too short');
      else need(width > 0 && count * width <= room, `${count} values of ${width} bytes in a page of ${room}`);
      return;
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY': {
      need(dictionary !== null, 'a page refers to a dictionary that is not there');
      need(room > 0, 'a page is too short');
      const bits = page.view.getUint8(page.offset++);
      const { largest } =
        bits === 0 ? { largest: 0 } : walkHybrid(page, page.view.byteLength, bits, count, -1);
      need(largest < dictionary, `entry ${largest} of a dictionary that has ${dictionary}`);
      return;
    }
    case 'RLE':
      need(chunk.type === 'BOOLEAN', `run lengths of ${chunk.type}`);
      levelsV1(page, 1, count, 1);
      return;
    case 'BYTE_STREAM_SPLIT':
      need(width > 0 && count * width <= room, `${count} values of ${width} bytes in a page of ${room}`);
      return;
    case 'DELTA_BINARY_PACKED':
      need(chunk.type === 'INT32' || chunk.type === 'INT64', `deltas of ${chunk.type}`);
      checkDelta(page, count, chunk.type === 'INT32' ? new Int32Array(count) : new BigInt64Array(count));
      return;
    case 'DELTA_LENGTH_BYTE_ARRAY': {
      const lengths = new Int32Array(count);
      checkDelta(page, count, lengths);
      for (const length of lengths) {
        page.offset += length;
        need(length >= 0 && page.offset <= page.view.byteLength, 'a value is longer than its page');
      }
      return;
    }
    default:
      throw new UserError(`the encoding ${encoding} is not read; expected PLAIN or RLE_DICTIONARY`);
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Checks all pages of a chunk; `bytes` is the whole chunk. Throws UserError. */
export function checkChunk(bytes: Uint8Array, chunk: ChunkShape, budget: Budget): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [at, rows, values] = [0, 0, 0];
  let dictionary: number | null = null;
  // hyparquet stops one byte before the end, too.
  while (at < bytes.length - 1) {
    const start = checkThrift(view, at);
    const header = parquetHeader({ view, offset: at });
    const packed = header.compressed_page_size;
    need(
      isCount(packed) && packed <= bytes.length - start,
      `a page of ${packed} bytes does not fit its column`,
    );
    const body = bytes.subarray(start, start + packed);
    at = start + packed;
    checkPageSize(packed, header.uncompressed_page_size);
    budget.left -= header.uncompressed_page_size;
    need(budget.left >= 0, 'its pages unpack to far more than the file, as in a bomb');
    if (header.type === 'DICTIONARY_PAGE') {
      const count = header.dictionary_page_header?.num_values;
      need(isCount(count) && dictionary === null && values === 0, 'a dictionary is out of place');
      const page = unpackPage(body, header.uncompressed_page_size, chunk.codec);
      need(count <= chunk.mostValues, `a dictionary of ${count} entries`);
      checkValues(toPage(page), 'PLAIN', count, chunk, null);
      dictionary = count;
      continue;
    }
    let count: unknown;
    if (header.type === 'DATA_PAGE') {
      const head = header.data_page_header;
      count = head?.num_values;
      need(head !== undefined && isCount(count), `a page of ${count} values`);
      values += count;
      need(values <= chunk.mostValues, `${values} values; at most ${chunk.mostValues} are allowed`);
      const page = toPage(unpackPage(body, header.uncompressed_page_size, chunk.codec));
      rows += levelsV1(page, chunk.maxRepetition, count, 0);
      const present = levelsV1(page, chunk.maxDefinition, count, chunk.maxDefinition);
      checkValues(page, head.encoding, present, chunk, dictionary);
    } else if (header.type === 'DATA_PAGE_V2') {
      const head = header.data_page_header_v2;
      count = head?.num_values;
      need(head !== undefined && isCount(count), `a page of ${count} values`);
      values += count;
      need(values <= chunk.mostValues, `${values} values; at most ${chunk.mostValues} are allowed`);
      const [rep, def] = [head.repetition_levels_byte_length, head.definition_levels_byte_length ?? 0];
      need(isCount(rep) && isCount(def) && rep + def <= packed, 'levels do not fit into their page');
      need(rep + def <= header.uncompressed_page_size, 'levels do not fit into their page');
      const levels = toPage(body.subarray(0, rep + def));
      rows += levelsV2(levels, chunk.maxRepetition, rep, count, 0);
      const present = levelsV2(levels, chunk.maxDefinition, def, count, chunk.maxDefinition);
      need(
        head.num_nulls === count - present,
        `${head.num_nulls} nulls are claimed, ${count - present} are there`,
      );
      const size = header.uncompressed_page_size - rep - def;
      const codec = head.is_compressed === false ? 'UNCOMPRESSED' : chunk.codec;
      checkValues(
        toPage(unpackPage(body.subarray(rep + def), size, codec)),
        head.encoding,
        present,
        chunk,
        dictionary,
      );
    } else {
      throw new UserError(`a page of type ${header.type}`);
    }
  }
  need(rows === chunk.rows, `${rows} rows where the file claims ${chunk.rows}`);
}

const toPage = (bytes: Uint8Array): Page => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  offset: 0,
});
