// Files into a folder on disk (Node), streamed: no reader and no crash ever sees half a file.
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

async function writeDurably(path: string, file: OutFile, meter: Meter, signal?: AbortSignal): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for await (const chunk of measuredChunks(file, signal)) {
      await handle.writeFile(chunk);
      meter.count(chunk.byteLength, file.name);
    }
    // Without this a power cut can leave a renamed file empty.
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the renames of a folder durable; systems that cannot open folders (Windows) do without. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => null);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/**
 * Writes `files` into `directory`, made where missing: all under temporary names first, renamed when every byte is on
 * the disk. Weights of an earlier save in other shards are removed last; other files are left alone. Throws a UserError
 * (StorageFullError for a full disk, the signal's reason when aborted) with the old files as they were.
 */
export async function toNodeFolder(
  files: readonly OutFile[],
  directory: string,
  options: OutOptions = {},
): Promise<void> {
  checkOutFiles(files);
  const meter = new Meter(totalSize(files), options);
  const mark = `.${randomUUID()}.tmp`;
  const target = (name: string) => join(directory, ...name.split('/'));
  const written: string[] = [];
  let what = directory;
  try {
    for (const file of files) {
      what = target(file.name);
      await mkdir(dirname(what), { recursive: true });
      const temporary = `${what}${mark}`;
      written.push(temporary);
      await writeDurably(temporary, file, meter, options.signal);
    }
    for (const { name } of files) {
      what = target(name);
      await rename(`${what}${mark}`, what);
    }
    for (const name of await readdir(directory)) {
      if (isStaleWeights(name, files)) await rm(join(directory, name));
    }
    for (const folder of new Set([directory, ...files.map(({ name }) => dirname(target(name)))]))
      await syncFolder(folder);
  } catch (error) {
    for (const path of written) await rm(path, { force: true }).catch(() => {});
    throw writeError(error, what, options.signal);
  }
}
