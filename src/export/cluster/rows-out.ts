/**
 * A dataset as Parquet files that Hugging Face's `datasets` opens: `problem` with the mark <image>, `answer`, and
 * `images`, a list of one struct {bytes, path} whose type the file itself says, so that images come out decoded.
 */
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Dataset, Row } from '../../data/dataset.ts';
import { papoInstruction } from '../../data/format-prompt.ts';
import { UserError } from '../../errors.ts';
import type { OutFile } from '../out-file.ts';
import { pngBytes } from '../png.ts';

type Schema = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>;

const text = (name: string): Schema[number] => ({
  name,
  type: 'BYTE_ARRAY',
  repetition_type: 'OPTIONAL',
  converted_type: 'UTF8',
});

const schema: Schema = [
  { name: 'schema', num_children: 3 },
  text('problem'),
  text('answer'),
  { name: 'images', repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { name: 'element', repetition_type: 'OPTIONAL', num_children: 2 },
  { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
  text('path'),
];

/** Without this `datasets` leaves the structs as they are, and the masks of the authors' code need images. */
const features = JSON.stringify({
  info: {
    features: {
      problem: { dtype: 'string', _type: 'Value' },
      answer: { dtype: 'string', _type: 'Value' },
      images: { feature: { _type: 'Image' }, _type: 'Sequence' },
    },
  },
});

/** A file ends with the row that takes it past one of these. */
const mostBytes = 32e6;
const mostRows = 4096;

interface ClusterRow {
  readonly problem: string;
  readonly answer: string | null;
  readonly image: Uint8Array;
  readonly path: string;
}

async function clusterRow(dataset: Dataset, index: number): Promise<ClusterRow> {
  const { prompt, answer, image }: Row = await dataset.row(index);
  // Their loader puts an image wherever the mark stands; ours always puts it first.
  if (prompt.includes('<image>'))
    throw new UserError(
      `${dataset.name}: row ${index} has the mark <image> in its prompt, where there is none to put.`,
    );
  if (prompt.endsWith(papoInstruction))
    throw new Error(`${dataset.name}: row ${index} has the instruction already that data.format_prompt adds`);
  return {
    problem: `<image>${prompt}`,
    answer,
    image: await pngBytes(image),
    path: `${String(index).padStart(6, '0')}.png`,
  };
}

function parquet(rows: readonly ClusterRow[]): Uint8Array<ArrayBuffer> {
  const columnData = [
    { name: 'problem', data: rows.map(({ problem }) => problem) },
    { name: 'answer', data: rows.map(({ answer }) => answer) },
    { name: 'images', data: rows.map(({ image, path }) => [{ bytes: image, path }]) },
  ];
  return new Uint8Array(
    parquetWriteBuffer({
      columnData,
      schema,
      // Of images they would be bytes that nobody asks for.
      statistics: false,
      kvMetadata: [{ key: 'huggingface', value: features }],
      createdBy: 'papo-web',
    }),
  );
}

interface Part {
  readonly begin: number;
  readonly end: number;
  readonly bytes: number;
}

/**
 * Rows 0 to count − 1 as `folder`/part-00000.parquet and so on. Rows are read once to know the files' sizes, and again
 * when a file is asked for: no more than one file is in memory. Throws UserError for a prompt with the mark <image>.
 */
export async function rowFiles(dataset: Dataset, count: number, folder: string): Promise<OutFile[]> {
  const parts: Part[] = [];
  let open: ClusterRow[] = [];
  let openBytes = 0;
  for (let index = 0; index < count; index++) {
    const row = await clusterRow(dataset, index);
    open.push(row);
    openBytes += row.image.byteLength;
    if (openBytes < mostBytes && open.length < mostRows && index + 1 < count) continue;
    parts.push({ begin: index + 1 - open.length, end: index + 1, bytes: parquet(open).byteLength });
    open = [];
    openBytes = 0;
  }
  return parts.map(({ begin, end, bytes }, i) => ({
    name: `${folder}/part-${String(i).padStart(5, '0')}.parquet`,
    size: bytes,
    async *chunks() {
      const rows: ClusterRow[] = [];
      for (let index = begin; index < end; index++) rows.push(await clusterRow(dataset, index));
      yield parquet(rows);
    },
  }));
}
