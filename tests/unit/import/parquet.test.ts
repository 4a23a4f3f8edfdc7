/** Parquet as pyarrow, polars and DuckDB write it (parquet/make_parquet.py made the files). */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { openPath } from '../../../src/import/node-source.ts';

const folder = 'tests/unit/import/parquet';
const files = readdirSync(folder).filter((name) => name.endsWith('.parquet'));

describe('Parquet of other writers', () => {
  it('has a file of each', () => expect(files).toHaveLength(6));

  it.each(files)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(`${folder}/${name}`));
    const report = await readDataset([new File([bytes], name)], { decodeImage });
    expect(report.problems).toEqual([]);
    expect(report.rows).toBe(6);
    const data = report.dataset();
    for (let i = 0; i < 6; i++) {
      const { id, prompt, answer, columns, image } = await data.row(i);
      expect([id, prompt, answer]).toEqual([`${name}:${i + 1}`, `p${i}`, i === 4 ? null : String(i)]);
      expect(columns).toEqual({ level: i % 2 ? 'hard' : 'easy' });
      expect([image.width, image.height, ...image.data]).toEqual([2, 1, 40 * i, 0, 0, 40 * i, 0, 0]);
    }
  });
});

describe('openPath', () => {
  it('opens a file with what lies beside it, and a folder', async () => {
    const one = await openPath(`${folder}/polars.parquet`);
    expect(one.dataFiles).toEqual(['polars.parquet']);
    const report = await readDataset(one.blobs, { decodeImage, dataFiles: one.dataFiles });
    expect([report.rows, report.good]).toEqual([6, 6]);
    const all = await openPath(folder);
    expect((await readDataset(all.blobs, { decodeImage })).rows).toBe(36);
    const outside = await openPath('tests/unit/import/data.ts');
    expect(outside.blobs.has?.('parquet/polars.parquet')).toBe(true);
    await expect(outside.blobs.open('../hostile/harness.ts')).rejects.toThrow(/"\.\."/);
    await expect(openPath(`${folder}/none.jsonl`)).rejects.toThrow(/There is no/);
  });
});
