/** A user's dataset on disk, for the command line: its problems told, an eighth of it held out. */
import type { Dataset } from '../data/dataset.ts';
import { split } from '../data/dataset-split.ts';
import { readDataset } from '../import/dataset.ts';
import { decodeImage } from '../import/decode-node.ts';
import { openPath } from '../import/node-source.ts';

export const heldOutShare = 0.125;

export async function openUserDataset(
  path: string,
  { seed }: { seed: number },
  say: (line: string) => void,
  strict: boolean,
): Promise<{ train: Dataset; heldOut: Dataset }> {
  const { blobs, dataFiles } = await openPath(path);
  const report = await readDataset(blobs, { decodeImage, dataFiles, strict, name: path });
  for (const { file, row, column, message } of report.problems.slice(0, 10))
    say(`${file}, row ${row}${column ? `, ${column}` : ''}: ${message}`);
  if (report.problemCount > 0)
    say(
      `${report.rows - report.good} of ${report.rows} rows are left out (${report.problemCount} problems).`,
    );
  for (const note of report.notes) say(`note: ${note}`);
  return split(report.dataset(), heldOutShare, seed);
}
