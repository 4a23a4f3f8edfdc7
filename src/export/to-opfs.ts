// Files as one zip on the browser's own disk (origin private file system), to be offered as a download. For a worker:
// Safari writes such files there alone.
import type { OutFile } from './out-file.ts';
import { writeError } from './out-stream.ts';
import { type ZipOptions, type ZipStream, zipStream } from './zip-out.ts';

const folderName = 'downloads';
const lockName = (entry: string) => `papo-web/${folderName}/${entry}`;

/** This tab's downloads, each with what gives up its lock. */
const held = new Map<string, () => void>();

/** The origin private file system, or null where there is none (some browsers' private windows). */
async function privateFolder(create: boolean): Promise<FileSystemDirectoryHandle | null> {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(folderName, { create });
  } catch {
    return null;
  }
}

/** Holds the entry's lock until it is released or the tab ends, so that no other tab sweeps the file. */
async function hold(entry: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    navigator.locks
      .request(lockName(entry), () => {
        resolve();
        return new Promise<void>((release) => held.set(entry, release));
      })
      .catch(reject);
  });
}

async function writeTo(handle: FileSystemFileHandle, { stream }: ZipStream): Promise<void> {
  if ('createWritable' in handle) {
    // Closes the file at the end, and aborts it when the stream fails.
    await stream.pipeTo(await handle.createWritable());
    return;
  }
  const access = await (handle as FileSystemFileHandle & SyncAccess).createSyncAccessHandle();
  try {
    let at = 0;
    await eachPiece(stream, (piece) => {
      for (let begin = 0; begin < piece.byteLength; ) {
        const bytes = access.write(piece.subarray(begin), { at });
        if (bytes === 0) throw new DOMException('the file takes no more bytes', 'QuotaExceededError');
        begin += bytes;
        at += bytes;
      }
    });
    access.flush();
  } finally {
    access.close();
  }
}

/** For browsers whose streams are no async iterables (Safari). Cancels the stream when `use` throws. */
async function eachPiece(
  stream: ZipStream['stream'],
  use: (piece: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      use(value);
    }
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** In workers alone, and so not in TypeScript's DOM library. */
interface SyncAccess {
  createSyncAccessHandle(): Promise<{
    write(bytes: Uint8Array, options: { at: number }): number;
    flush(): void;
    close(): void;
  }>;
}

/** The archive as a Blob that the browser keeps where it likes. */
async function toBlob({ stream }: ZipStream, name: string): Promise<File> {
  const parts: Blob[] = [];
  await eachPiece(stream, (piece) => parts.push(new Blob([piece])));
  return new File(parts, name, { type: 'application/zip' });
}

/**
 * The zip of `files` as a File called `name` that lies on disk. It lasts until `sweepDownloads(true)` in this tab, or
 * the first `sweepDownloads()` after the tab has ended. Throws a StorageFullError, a UserError, or the signal's reason;
 * then nothing is left of it.
 */
export async function toOpfs(
  files: readonly OutFile[],
  name: string,
  options: ZipOptions = {},
): Promise<File> {
  const { signal } = options;
  signal?.throwIfAborted();
  const zip = zipStream(files, options);
  const folder = await privateFolder(true);
  if (!folder) {
    return toBlob(zip, name).catch((error: unknown) => {
      throw writeError(error, name, signal);
    });
  }
  const entry = `${crypto.randomUUID()}.zip`;
  await hold(entry);
  try {
    const handle = await folder.getFileHandle(entry, { create: true });
    await writeTo(handle, zip);
    // Refers to the file's bytes; they are not read.
    return new File([await handle.getFile()], name, { type: 'application/zip' });
  } catch (error) {
    await folder.removeEntry(entry).catch(() => {});
    release(entry);
    throw writeError(error, name, signal);
  }
}

function release(entry: string): void {
  held.get(entry)?.();
  held.delete(entry);
}

/** Removes what downloads of ended tabs left on the disk; `own`: this tab's too, which must be over by then. */
export async function sweepDownloads(own = false): Promise<void> {
  const folder = await privateFolder(false);
  if (!folder) return;
  for (const entry of own ? [...held.keys()] : []) {
    await folder.removeEntry(entry).catch(() => {});
    release(entry);
  }
  const entries: string[] = [];
  for await (const entry of folder.keys()) entries.push(entry);
  for (const entry of entries) {
    await navigator.locks.request(lockName(entry), { ifAvailable: true }, async (lock) => {
      // One that cannot be removed now is removed another time.
      if (lock) await folder.removeEntry(entry).catch(() => {});
    });
  }
}
