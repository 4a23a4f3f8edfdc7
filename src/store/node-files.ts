import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import {
  checkFileName,
  type ModelFiles,
  type ModelFolder,
  packModelFolder,
  type SaveOptions,
} from './hf-folder.ts';
import { StorageFullError } from './run-store.ts';
import type { RangedFile } from './tensor-source.ts';

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** A model folder on disk (Node). */
export function nodeFiles(directory: string): ModelFiles {
  return {
    where: directory,
    async read(name) {
      checkFileName(name, directory);
      try {
        return await readFile(join(directory, name));
      } catch (error) {
        if (!isMissing(error))
          throw new UserError(`${join(directory, name)} could not be read: ${reason(error)}`);
      }
      const found = await stat(directory).catch(() => null);
      if (!found) throw new UserError(`There is no folder ${directory}.`);
      return null;
    },
    async open(name) {
      checkFileName(name, directory);
      return diskFile(join(directory, name));
    },
  };
}

/** A file on disk for reading parts of it, or null when there is none. It is open only while something is read. */
async function diskFile(path: string): Promise<RangedFile | null> {
  const failed = (error: unknown) => new UserError(`${path} could not be read: ${reason(error)}`);
  const found = await stat(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw failed(error);
  });
  if (!found) return null;
  if (!found.isFile()) throw new UserError(`${path} is no file.`);
  return {
    size: found.size,
    async read(begin, end, signal) {
      signal?.throwIfAborted();
      try {
        const file = await open(path, 'r');
        try {
          const bytes = new Uint8Array(end - begin);
          let done = 0;
          while (done < bytes.byteLength) {
            const { bytesRead } = await file.read(bytes, done, bytes.byteLength - done, begin + done);
            if (bytesRead === 0) break;
            done += bytesRead;
          }
          return bytes.subarray(0, done);
        } finally {
          await file.close();
        }
      } catch (error) {
        throw failed(error);
      }
    },
  };
}

/** A new file, on the disk when this resolves: without that a power cut can leave a renamed file empty. */
export async function writeDurably(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const isWhole = typeof content === 'string' || content instanceof Uint8Array;
  const file = await open(path, 'wx');
  try {
    for (const chunk of isWhole ? [content] : content) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the renames in a folder on the disk; systems that cannot open folders (Windows) do without. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** What to throw for a failed write: StorageFullError for a full disk or quota, UserError for what else it refused. */
export function diskError(error: unknown, what: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StorageFullError(`${what} could not be written: the disk is full (${code}).`);
  if (typeof code === 'string' && code.startsWith('E') && !code.startsWith('ERR_'))
    return new UserError(`${what} could not be written: ${reason(error)}`);
  return error;
}

/**
 * Writes `files` into `directory` (made where missing) so that no reader and no crash ever sees a half-written file:
 * all go to temporary names first and are renamed when every byte is on the disk. Other files there are left alone.
 * Throws UserError when the disk refuses, with the old files as they were.
 */
export async function writeFilesAtomically(directory: string, files: Map<string, Uint8Array>): Promise<void> {
  const mark = `.${randomUUID()}.tmp`;
  const temporary = (name: string) => join(directory, `${name}${mark}`);
  for (const name of files.keys()) checkFileName(name, directory);
  try {
    await mkdir(directory, { recursive: true });
    for (const [name, bytes] of files) await writeDurably(temporary(name), bytes);
    for (const name of files.keys()) await rename(temporary(name), join(directory, name));
  } catch (error) {
    for (const name of files.keys()) await rm(temporary(name), { force: true }).catch(() => {});
    throw new UserError(`The model could not be written to ${directory}: ${reason(error)}`);
  }
}

/** Saves a model as a Hugging Face folder that transformers and `loadModelFolder` open; see `packModelFolder`. */
export async function saveModelFolder(
  directory: string,
  folder: Pick<ModelFolder, 'config' | 'weights' | 'files'>,
  options: SaveOptions = {},
): Promise<void> {
  await writeFilesAtomically(directory, packModelFolder(folder, options));
}
