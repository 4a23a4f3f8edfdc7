/** A dataset on disk: the images that its rows name, and none outside of its folder. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { openPath } from '../../../src/import/node-source.ts';
import { lines, png } from './data.ts';

const root = mkdtempSync(join(tmpdir(), 'papo-data-'));
afterAll(() => rmSync(root, { recursive: true }));

it('finds images beside and below the file, or in the folder, and not above', async () => {
  const folder = join(root, 'data');
  mkdirSync(join(folder, 'images'), { recursive: true });
  writeFileSync(join(root, 'secret.png'), png(1, 1, [0, 0, 0]));
  writeFileSync(join(folder, 'images', 'a.png'), png(1, 1, [1, 2, 3]));
  symlinkSync(join(root, 'data'), join(folder, 'circle'));
  const rows = [
    'images/a.png',
    '../secret.png',
    join(root, 'secret.png'),
    'images',
    'none.png',
    'images\0a.png',
  ];
  writeFileSync(join(folder, 'd.jsonl'), lines(...rows.map((image) => ({ prompt: 'p', image }))));
  for (const path of [join(folder, 'd.jsonl'), folder]) {
    const { blobs, dataFiles } = await openPath(path);
    const report = await readDataset(blobs, { decodeImage, dataFiles });
    expect(report.problems.map(({ row }) => row)).toEqual([2, 3, 4, 5, 6]);
    expect((await report.dataset().row(0)).image.data).toEqual(Uint8Array.of(1, 2, 3));
  }
});
