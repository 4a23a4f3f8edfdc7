// Files into a folder that the user picked (File System Access). Each file is there whole or as it was before.
import { UserError } from '../errors.ts';
import type { OutFile } from './out-file.ts';
import {
  checkOutFiles,
  isStaleWeights,
  Meter,
  measuredChunks,
  type OutOptions,
  totalSize,
  writeError,
} from './out-stream.ts';

async function exists(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.getFileHandle(name);
    return true;
  } catch (error) {
    if ((error as DOMException).name === 'NotFoundError') return false;
    throw error;
  }
}

async function writeFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  file: OutFile,
  meter: Meter,
  signal?: AbortSignal,
): Promise<void> {
  const isNew = !(await exists(folder, name));
  const handle = await folder.getFileHandle(name, { create: true });
  let writable: FileSystemWritableFileStream | undefined;
  try {
    // What is written goes to a file beside it, which takes the name when it is closed.
    writable = await handle.createWritable();
    for await (const chunk of measuredChunks(file, signal)) {
      await writable.write(chunk);
      meter.count(chunk.byteLength, file.name);
    }
    await writable.close();
  } catch (error) {
    await writable?.abort().catch(() => {});
    if (isNew) await folder.removeEntry(name).catch(() => {});
    throw error;
  }
}

/**
 * Writes `files` below `directory`, one after the other; folders are made where missing. Files of the same names are
 * replaced, weights of an earlier save in other shards are removed last. Throws a UserError (StorageFullError for a
 * full disk, the signal's reason when aborted): then the files before are written and no file is half.
 */
export async function toDirectoryHandle(
  files: readonly OutFile[],
  directory: FileSystemDirectoryHandle,
  options: OutOptions = {},
): Promise<void> {
  checkOutFiles(files);
  const { signal } = options;
  const meter = new Meter(totalSize(files), options);
  for (const file of files) {
    const parts = file.name.split('/');
    const name = parts.pop()!;
    try {
      signal?.throwIfAborted();
      let folder = directory;
      for (const part of parts) folder = await folder.getDirectoryHandle(part, { create: true });
      await writeFile(folder, name, file, meter, signal);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError')
        throw new UserError(`${directory.name}/${file.name}: the browser does not allow writing there.`);
      throw writeError(error, `${directory.name}/${file.name}`, signal);
    }
  }
  const stale: string[] = [];
  for await (const name of directory.keys()) if (isStaleWeights(name, files)) stale.push(name);
  for (const name of stale) await directory.removeEntry(name);
}
