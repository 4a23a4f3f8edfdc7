/** The tiny papo-nano as a zip on the disk, for a file input. */
import { writeFile } from 'node:fs/promises';
import { memorySource, modelFolderFiles } from '../../src/export/model-folder.ts';
import { zipStream } from '../../src/export/zip-out.ts';
import { tinyNano } from '../tiny-nano.ts';

export async function writeTinyZip(path: string): Promise<void> {
  const { config, files, weights } = await tinyNano();
  const folder = modelFolderFiles({ config, sideFiles: files, tensors: memorySource(weights) });
  await writeFile(path, zipStream(folder).stream as never);
}
