/** Parquet files as records, row group by row group: checked first (parquet-page.ts), then decoded by hyparquet. */
import { type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { UserError } from '../errors.ts';
import { mostRows, type RawRow } from './json-lines.ts';
import { checkedCompressors } from './parquet-codec.ts';
import { type Budget, checkChunk } from './parquet-page.ts';
import { checkThrift } from './thrift-check.ts';

const largestFooter = 64 * 2 ** 20;
const mostColumns = 2000;
const deepestColumn = 12;
/** Bytes of a row group, decompressed, at most: it is decoded as a whole. */
const largestGroup = 2 * 2 ** 30;

type RowGroup = FileMetaData['row_groups'][number];

function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new UserError(what);
}

async function readFooter(blob: Blob): Promise<FileMetaData> {
  need(blob.size >= 12, `it has ${blob.size} bytes, too few for a Parquet file`);
  const tail = new DataView(await blob.slice(-8).arrayBuffer());
  const magic = tail.getUint32(4, true);
  need(magic !== 0x45524150, 'it is encrypted');
  need(magic === 0x31524150, 'it does not end with PAR1: it is cut off, or no Parquet file');
  const length = tail.getUint32(0, true);
  need(length <= blob.size - 12 && length <= largestFooter, `it claims ${length} bytes of metadata`);
  const bytes = await blob.slice(blob.size - 8 - length).arrayBuffer();
  checkThrift(new DataView(bytes), 0, length);
  return parquetMetadata(bytes, { geoparquet: false });
}

/** The schema as a list is a tree in preorder; its depth and width are bounded before hyparquet walks it. */
function checkSchema({ schema }: FileMetaData): void {
  need(schema.length > 0 && schema.length <= mostColumns, `a schema of ${schema.length} elements`);
  const open: number[] = [1];
  for (const { name, num_children = 0, logical_type } of schema) {
    const kind = logical_type?.type;
    need(
      kind !== 'VARIANT' && kind !== 'GEOMETRY' && kind !== 'GEOGRAPHY',
      `column ${name} is of type ${kind}`,
    );
    need(typeof name === 'string' && name !== '' && name !== '__proto__', `a column is called "${name}"`);
    need(Number.isInteger(num_children) && num_children >= 0, `a column of ${num_children} parts`);
    need(num_children <= schema.length, `a column of ${num_children} parts`);
    while (open.length > 0 && open[open.length - 1] === 0) open.pop();
    need(open.length > 0, 'its schema has elements without a place');
    open[open.length - 1]--;
    if (num_children > 0) open.push(num_children);
    need(open.length <= deepestColumn, `columns nested more than ${deepestColumn} deep`);
  }
  need(
    open.every((left) => left === 0),
    'its schema is incomplete',
  );
}

function toNumber(value: unknown, what: string, most: number): number {
  need(
    typeof value === 'bigint' && value >= 0n && value <= BigInt(most),
    `${what} is ${value}; at most ${most}`,
  );
  return Number(value);
}

async function checkGroup(
  blob: Blob,
  metadata: FileMetaData,
  group: RowGroup,
  budget: Budget,
): Promise<void> {
  const tree = parquetSchema(metadata);
  const rows = toNumber(group.num_rows, 'a number of rows', mostRows);
  const seen = new Set<string>();
  const before = budget.left;
  for (const column of group.columns) {
    const meta = column.meta_data;
    need(meta !== undefined && !column.file_path, 'a column lies in another file, or is not described');
    const path = meta.path_in_schema;
    const name = path.join('.');
    need(!seen.has(name), `column ${name} is there twice`);
    seen.add(name);
    const leaf = getTreePath(tree, path);
    const { element, children } = leaf[leaf.length - 1];
    need(path.length > 0 && children.length === 0, `column ${name} is no leaf of the schema`);
    need(element.type !== undefined && element.type === meta.type, `column ${name} has two types`);
    const first = toNumber(meta.dictionary_page_offset || meta.data_page_offset, 'a position', blob.size);
    const size = toNumber(meta.total_compressed_size, 'the size of a column', blob.size - first);
    const bytes = new Uint8Array(await blob.slice(first, first + size).arrayBuffer());
    try {
      checkChunk(
        bytes,
        {
          type: element.type,
          typeLength: element.type_length ?? 0,
          codec: meta.codec,
          maxRepetition: getMaxRepetitionLevel(leaf),
          maxDefinition: getMaxDefinitionLevel(leaf),
          rows,
          mostValues: 4 * mostRows,
        },
        budget,
      );
    } catch (error) {
      throw new UserError(`column ${name}: ${(error as Error).message}`);
    }
    need(before - budget.left <= largestGroup, `a row group unpacks to more than ${largestGroup} bytes`);
  }
  const leaves = metadata.schema.filter((e) => !e.num_children).length;
  need(seen.size === leaves, `a row group has ${seen.size} columns, the schema ${leaves}`);
}

/** Values as JSON has them, and bytes as Uint8Array: 64-bit integers become numbers where they are exact. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value ?? null;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** The rows of a Parquet file, from 1. Throws UserError where the file is damaged, cut off or hostile. */
export async function* readParquet(blob: Blob, where: string): AsyncGenerator<RawRow> {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      const reason = (error instanceof Error && error.message) || 'it is damaged';
      throw new UserError(`${where} cannot be read as Parquet: ${reason}.`);
    }
  };
  const metadata = await guarded(async () => {
    const footer = await readFooter(blob);
    checkSchema(footer);
    need(footer.row_groups.length <= mostRows, `${footer.row_groups.length} row groups`);
    let rows = 0n;
    for (const { num_rows } of footer.row_groups)
      rows += BigInt(toNumber(num_rows, 'a number of rows', mostRows));
    toNumber(rows, 'the number of rows', mostRows);
    need(rows === footer.num_rows, `it claims ${footer.num_rows} rows, its row groups ${rows}`);
    return footer;
  });
  const file = {
    byteLength: blob.size,
    slice: (start: number, end?: number) => blob.slice(start, end).arrayBuffer(),
  };
  // Chunks may name the same bytes again and again: what they unpack to is bounded by the file's size.
  const budget: Budget = { left: 64 * 2 ** 20 + 200 * blob.size };
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const records = await guarded(async () => {
      await checkGroup(blob, metadata, group, budget);
      if (rowEnd === rowStart) return [];
      return parquetReadObjects({
        file,
        metadata,
        rowStart,
        rowEnd,
        compressors: checkedCompressors,
        utf8: false,
        geoparquet: false,
        // As text: what is in it is the reward functions' business.
        parsers: { jsonFromBytes: (bytes: Uint8Array) => bytes && new TextDecoder().decode(bytes) },
      });
    });
    for (const [index, record] of records.entries()) {
      const entries = Object.entries(record).map(([key, value]) => [key, plain(value)] as const);
      yield { row: rowStart + index + 1, record: Object.fromEntries(entries) };
    }
    rowStart = rowEnd;
  }
}
