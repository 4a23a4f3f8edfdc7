/** Downloads in a folder on disk, for the command line: a folder a model, with its entry of the index in it. */
import { openAsBlob } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, writeDurably } from '../store/node-files.ts';
import { type CacheDisk, partName, slotOfParts } from './cache-disk.ts';
import type { CachedModel, CacheIndex } from './cache-index.ts';

const entryFile = 'papo-model.json';

/** `partBytes`: see cache-disk.ts; other values are for tests. */
export function nodeDisk(root: string, partBytes?: number): CacheDisk {
  return {
    slot(folder, file) {
      const path = (part: number) => join(root, folder, partName(file, part));
      return slotOfParts(
        {
          async size(part) {
            const found = await stat(path(part)).catch((error: unknown) => {
              if (isMissing(error)) return null;
              throw error;
            });
            return found === null ? null : found.size;
          },
          blob: (part) => openAsBlob(path(part)),
          async open(part, at) {
            await mkdir(join(root, folder), { recursive: true });
            const handle = await open(path(part), at === 0 ? 'w' : 'r+');
            let position = at;
            return {
              async write(bytes) {
                for (let done = 0; done < bytes.byteLength; ) {
                  const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position);
                  done += bytesWritten;
                  position += bytesWritten;
                }
              },
              async close() {
                await handle.sync().catch(() => {});
                await handle.close();
              },
            };
          },
          remove: (part) => rm(path(part)),
        },
        partBytes,
      );
    },
    async folders() {
      const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    },
    removeFolder: (folder) => rm(join(root, folder), { recursive: true, force: true }),
  };
}

/** The index beside the files; `folderOf` is the cache's name for a key's folder. */
export function nodeIndex(root: string, folderOf: (key: string) => Promise<string>): CacheIndex {
  const read = async (folder: string): Promise<CachedModel | undefined> => {
    const text = await readFile(join(root, folder, entryFile), 'utf8').catch(() => null);
    try {
      return text === null ? undefined : (JSON.parse(text) as CachedModel);
    } catch {
      // A damaged entry is none: its files are fetched again.
      return undefined;
    }
  };
  return {
    get: async (key) => read(await folderOf(key)),
    async set(model) {
      const folder = join(root, await folderOf(model.key));
      await mkdir(folder, { recursive: true });
      const temporary = join(folder, `${entryFile}.${process.pid}.tmp`);
      await rm(temporary, { force: true });
      await writeDurably(temporary, JSON.stringify(model, null, 2));
      await rename(temporary, join(folder, entryFile));
    },
    delete: async (key) => rm(join(root, await folderOf(key), entryFile), { force: true }),
    async all() {
      const folders = await readdir(root).catch(() => []);
      const models = await Promise.all(folders.map(read));
      return models.filter((model) => model !== undefined);
    },
  };
}
