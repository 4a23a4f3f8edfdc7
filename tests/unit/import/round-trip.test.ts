/** What goes out comes in again: the exported zip as a model, the completions tables as Parquet. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { completionTables } from '../../../src/export/completions-out.ts';
import { bytesFile } from '../../../src/export/out-file.ts';
import { zipStream } from '../../../src/export/zip-out.ts';
import { readParquet } from '../../../src/import/parquet.ts';
import { openModelSource } from '../../../src/import/picked-files.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';

it('an exported zip is a model that can be dropped on the page', async () => {
  const folder = 'public/models/papo-nano';
  const names = readdirSync(folder);
  const files = names.map((name) =>
    bytesFile(`papo-nano/${name}`, new Uint8Array(readFileSync(`${folder}/${name}`))),
  );
  const { stream, size } = zipStream(files);
  const zip = new File([await new Response(stream).blob()], 'papo-nano.zip');
  expect(zip.size).toBe(size);
  const [here, there] = await Promise.all([
    loadModelFolder(await openModelSource([zip])),
    loadModelFolder(nodeFiles(folder)),
  ]);
  expect([...here.weights.keys()]).toEqual([...there.weights.keys()]);
  for (const [name, { data }] of there.weights) {
    expect(
      Buffer.compare(
        new Uint8Array(here.weights.get(name)?.data.buffer ?? new ArrayBuffer(0)),
        new Uint8Array(data.buffer),
      ),
      name,
    ).toBe(0);
  }
  expect([...here.files.keys()]).toEqual([...there.files.keys()]);
});

it('a completions table is Parquet that is read', async () => {
  const row = (i: number) => ({
    prompt: `p${i}`,
    completion: 'x'.repeat(i * 100),
    rewards: { accuracy: i % 2 ? 1 : null, format: 0.5 },
    advantage: i - 1.5,
    extra: { answer: String(i), held: i > 1, count: i, nothing: null },
  });
  const [table] = completionTables([
    { step: 7, kind: 'step', metrics: {}, completions: [0, 1, 2, 3].map(row) },
  ]);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of table.chunks()) pieces.push(piece);
  const records = [];
  for await (const { record } of readParquet(new Blob(pieces), table.name)) records.push(record);
  expect(records).toHaveLength(4);
  expect(records[2]).toMatchObject({
    step: 7,
    prompt: 'p2',
    completion: 'x'.repeat(200),
    accuracy: null,
    format: 0.5,
    advantage: 0.5,
  });
  expect(records[3]).toMatchObject({ accuracy: 1, answer: '3', held: true, count: 3 });
});
