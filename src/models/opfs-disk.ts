/** Downloads on the browser's own disk: the origin private file system. */
import { type CacheDisk, partName, type SlotWriter, slotOfParts } from './cache-disk.ts';

const folderName = 'models';

/** In workers alone, and so not in TypeScript's DOM library. */
interface SyncAccess {
  createSyncAccessHandle(): Promise<{
    write(bytes: Uint8Array, options: { at: number }): number;
    flush(): void;
    close(): void;
  }>;
}

/** A worker that was just killed may still hold the file for a moment. */
async function openAccess(handle: SyncAccess): ReturnType<SyncAccess['createSyncAccessHandle']> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await handle.createSyncAccessHandle();
    } catch (error) {
      if ((error as Error).name !== 'NoModificationAllowedError' || attempt === 10) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** In a worker: written in place, so that what was written outlives a kill. */
async function inPlace(handle: FileSystemFileHandle & SyncAccess, start: number): Promise<SlotWriter> {
  const access = await openAccess(handle);
  let at = start;
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.byteLength; ) {
        const written = access.write(bytes.subarray(done), { at });
        if (written === 0) throw new DOMException('the file takes no more bytes', 'QuotaExceededError');
        done += written;
        at += written;
      }
    },
    async close() {
      access.flush();
      access.close();
    },
  };
}

/** Elsewhere: written beside the file and put in its place when it is closed. */
async function byStream(handle: FileSystemFileHandle, start: number): Promise<SlotWriter> {
  const stream = await handle.createWritable({ keepExistingData: true });
  await stream.seek(start);
  return {
    write: (bytes) => stream.write(bytes as Uint8Array<ArrayBuffer>),
    close: () => stream.close(),
  };
}

const isMissing = (error: unknown) => (error as { name?: string }).name === 'NotFoundError';

/** The disk, or null where the browser gives none (some private windows, pages without https). */
export async function opfsDisk(): Promise<CacheDisk | null> {
  let root: FileSystemDirectoryHandle;
  try {
    root = await (await navigator.storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
  } catch {
    return null;
  }
  const open = async (folder: string, name: string, create: boolean) => {
    try {
      return await (await root.getDirectoryHandle(folder, { create })).getFileHandle(name, { create });
    } catch (error) {
      if (!create && isMissing(error)) return null;
      throw error;
    }
  };
  return {
    slot: (folder, file) =>
      slotOfParts({
        async size(part) {
          const handle = await open(folder, partName(file, part), false);
          return handle && (await handle.getFile()).size;
        },
        async blob(part) {
          return (await open(folder, partName(file, part), false))!.getFile();
        },
        async open(part, at) {
          const handle = (await open(folder, partName(file, part), true))!;
          return 'createSyncAccessHandle' in handle
            ? inPlace(handle as FileSystemFileHandle & SyncAccess, at)
            : byStream(handle, at);
        },
        async remove(part) {
          await (await root.getDirectoryHandle(folder)).removeEntry(partName(file, part));
        },
      }),
    async folders() {
      const names: string[] = [];
      for await (const [name, handle] of root.entries()) if (handle.kind === 'directory') names.push(name);
      return names;
    },
    async removeFolder(folder) {
      try {
        await root.removeEntry(folder, { recursive: true });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
  };
}
