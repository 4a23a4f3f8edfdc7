// A file on its way to the Hub waits on the disk, in Node: a model need not fit into memory a second time.
import { openAsBlob } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { checkedChunks, type HoldFile } from './hub-blob.ts';

/** Throws UserError where the file's size is wrong, or the disk is full. */
export const holdOnDisk: HoldFile = async (file, signal) => {
  const folder = await mkdtemp(join(tmpdir(), 'papo-web-push-file-'));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'file');
    const handle = await open(path, 'wx');
    try {
      for await (const chunk of checkedChunks(file, signal)) await handle.writeFile(chunk);
    } finally {
      await handle.close();
    }
    return { blob: await openAsBlob(path), dispose };
  } catch (error) {
    await dispose();
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new UserError(
        `${file.name} (${file.size} bytes) does not fit into ${tmpdir()}, where it waits for its upload.`,
      );
    }
    throw error;
  }
};
