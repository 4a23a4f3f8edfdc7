// An OutFile as a Blob, which is what the Hub's library and `fetch` want. Files are made whole before they are sent:
// a hash and a body must be of the same bytes though the weights on the device go on changing.
import { UserError } from '../errors.ts';
import type { OutFile } from './out-file.ts';

/** A file's bytes, and how to be rid of them. */
export interface HeldFile {
  readonly blob: Blob;
  dispose(): Promise<void>;
}

/** Larger files go to the browser's disk (the origin's private file system) where it has one. */
const keptInMemory = 16 * 2 ** 20;
const folderName = 'papo-web-push';
const leftOver = 24 * 60 * 60 * 1000;

/** The file's chunks, counted. Throws UserError where they are not what `size` says. */
export async function* checkedChunks(
  file: OutFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  for await (const chunk of file.chunks()) {
    signal?.throwIfAborted();
    bytes += chunk.byteLength;
    if (bytes > file.size) break;
    yield chunk;
  }
  if (bytes !== file.size) {
    const came = bytes > file.size ? 'more came' : `${bytes} came`;
    throw new UserError(`${file.name}: ${file.size} bytes were announced, ${came}.`);
  }
}

/** Browsers move the data of large Blobs to their disk themselves; Node keeps it in memory (see hub-blob-node.ts). */
async function inBlob(file: OutFile, signal?: AbortSignal): Promise<HeldFile> {
  const parts: Blob[] = [];
  // A Blob a chunk: the chunk's memory is free again before the next one is made.
  for await (const chunk of checkedChunks(file, signal)) parts.push(new Blob([chunk]));
  return { blob: new Blob(parts), dispose: async () => {} };
}

/** Files of pushes that a closed tab broke off. */
async function sweep(folder: FileSystemDirectoryHandle): Promise<void> {
  // TypeScript's DOM library lacks the iterators of a directory handle.
  const entries = folder as unknown as { values(): AsyncIterable<FileSystemHandle> };
  for await (const entry of entries.values()) {
    if (entry.kind !== 'file') continue;
    const { lastModified } = await (entry as FileSystemFileHandle).getFile();
    if (Date.now() - lastModified > leftOver) await folder.removeEntry(entry.name).catch(() => {});
  }
}

async function onBrowserDisk(
  root: FileSystemDirectoryHandle,
  file: OutFile,
  signal?: AbortSignal,
): Promise<HeldFile> {
  const folder = await root.getDirectoryHandle(folderName, { create: true });
  await sweep(folder);
  const name = crypto.randomUUID();
  const dispose = () => folder.removeEntry(name).catch(() => {});
  try {
    const handle = await folder.getFileHandle(name, { create: true });
    const stream = await handle.createWritable();
    try {
      for await (const chunk of checkedChunks(file, signal)) await stream.write(chunk);
    } catch (error) {
      await stream.abort().catch(() => {});
      throw error;
    }
    await stream.close();
    return { blob: await handle.getFile(), dispose };
  } catch (error) {
    await dispose();
    if ((error as Error).name === 'QuotaExceededError') {
      throw new UserError(
        `${file.name} (${file.size} bytes) does not fit into this browser's storage, where it waits for its upload: free some space.`,
      );
    }
    throw error;
  }
}

/** How a push keeps a file while it is sent. */
export type HoldFile = (file: OutFile, signal?: AbortSignal) => Promise<HeldFile>;

/** Reads `file` to its end, once. Throws UserError where its size is wrong or the disk is full. */
export async function holdFile(file: OutFile, signal?: AbortSignal): Promise<HeldFile> {
  if (file.size <= keptInMemory || typeof FileSystemFileHandle === 'undefined') return inBlob(file, signal);
  if (!('createWritable' in FileSystemFileHandle.prototype)) return inBlob(file, signal);
  const root = await navigator.storage.getDirectory().catch(() => null);
  return root ? onBrowserDisk(root, file, signal) : inBlob(file, signal);
}
