/**
 * A zip archive as named blobs. Its directory is read from the end by ranges, entries are decompressed one at a time
 * when they are wanted, and everything that the archive claims is checked before anything of that size is allocated.
 */
import { BlobReader, type Entry, type FileEntry, ZipReader } from '@zip.js/zip.js/lib/zip-core-native.js';
import { UserError } from '../errors.ts';
import { forwardFile } from '../store/forward-file.ts';
import { blobFile, type RangedFile } from '../store/tensor-source.ts';
import { checkPath, isClutter, type NamedBlobs } from './named-blobs.ts';

export interface ZipLimits {
  readonly entries: number;
  /** Bytes of one entry, decompressed. */
  readonly entryBytes: number;
  /** Bytes of all entries, decompressed. */
  readonly totalBytes: number;
  /** Decompressed by compressed bytes, of what is larger than `smallBytes`. */
  readonly ratio: number;
  readonly smallBytes: number;
}

/** Deflate reaches 1032; weights stay near 1, repetitive tables below 100. */
export const zipLimits: ZipLimits = {
  entries: 200_000,
  entryBytes: 4 * 2 ** 30,
  totalBytes: 16 * 2 ** 30,
  ratio: 200,
  smallBytes: 8 * 2 ** 20,
};

const stored = 0;
const deflated = 8;
const localHeaderBytes = 30;

const reason = (error: unknown) => (error instanceof Error && error.message) || 'the archive is damaged';

const units = (bytes: number) => (bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`);

/** Throws UserError for what is no plain, honest file. */
function checkEntry(entry: Entry, where: string, limits: ZipLimits): void {
  const here = `${where}: "${entry.filename.slice(0, 200)}"`;
  checkPath(entry.filename, where);
  if (entry.encrypted) throw new UserError(`${here} is encrypted; expected a zip without a password.`);
  if (entry.symlink) throw new UserError(`${here} is a link; expected plain files.`);
  if (entry.compressionMethod !== stored && entry.compressionMethod !== deflated) {
    throw new UserError(
      `${here} is packed by method ${entry.compressionMethod}; expected deflate (8) or none (0).`,
    );
  }
  const { compressedSize, uncompressedSize } = entry;
  if (entry.compressionMethod === stored && compressedSize !== uncompressedSize) {
    throw new UserError(
      `${here} is stored in ${compressedSize} bytes, but said to hold ${uncompressedSize}.`,
    );
  }
  if (uncompressedSize > limits.entryBytes) {
    throw new UserError(
      `${here} claims ${units(uncompressedSize)}; at most ${units(limits.entryBytes)} are allowed.`,
    );
  }
  if (uncompressedSize > limits.smallBytes && uncompressedSize > compressedSize * limits.ratio) {
    throw new UserError(
      `${here} claims to unpack ${compressedSize} bytes into ${units(uncompressedSize)}: more than ${limits.ratio} times as much, as zip bombs do.`,
    );
  }
}

/** Throws UserError where two entries share bytes of the archive, as in zip bombs made of quoted overlaps. */
function checkOverlap(entries: readonly Entry[], where: string): void {
  let end = 0;
  let before = '';
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < end) {
      throw new UserError(`${where}: "${entry.filename}" overlaps "${before}", as in a zip bomb.`);
    }
    end = entry.offset + localHeaderBytes + entry.rawFilename.length + entry.compressedSize;
    before = entry.filename;
  }
}

async function readDirectory(
  zip: ZipReader<unknown>,
  blob: Blob,
  where: string,
  limits: ZipLimits,
): Promise<Map<string, FileEntry>> {
  const all: Entry[] = [];
  const files = new Map<string, FileEntry>();
  const folders = new Set<string>();
  let total = 0;
  // checkPath says more than the library's own check of names.
  for await (const entry of zip.getEntriesGenerator({ filenameValidation: 'tolerant' })) {
    all.push(entry);
    if (all.length > limits.entries) {
      throw new UserError(`${where} has more than ${limits.entries} entries.`);
    }
    if (entry.directory) {
      checkPath(entry.filename.replace(/\/$/, ''), where);
      if (entry.compressedSize > 0)
        throw new UserError(`${where}: the folder "${entry.filename}" has content.`);
      continue;
    }
    checkEntry(entry, where, limits);
    total += entry.uncompressedSize;
    if (total > limits.totalBytes) {
      throw new UserError(`${where} claims to hold more than ${units(limits.totalBytes)}.`);
    }
    if (files.has(entry.filename)) throw new UserError(`${where}: "${entry.filename}" is there twice.`);
    files.set(entry.filename, entry);
    for (let at = entry.filename.indexOf('/'); at > 0; at = entry.filename.indexOf('/', at + 1)) {
      folders.add(entry.filename.slice(0, at));
    }
  }
  for (const name of files.keys()) {
    if (folders.has(name)) throw new UserError(`${where}: "${name}" is both a file and a folder.`);
  }
  if (total > limits.smallBytes && total > blob.size * limits.ratio) {
    throw new UserError(
      `${where} claims to unpack ${blob.size} bytes into ${units(total)}: more than ${limits.ratio} times as much, as zip bombs do.`,
    );
  }
  checkOverlap(all, where);
  return files;
}

/** Unpacks the entry into `take`, piece by piece, and checks it at the end. */
async function unpackInto(
  entry: FileEntry,
  where: string,
  take: (piece: Uint8Array<ArrayBuffer>) => void | Promise<void>,
): Promise<void> {
  const here = `${where}: "${entry.filename}"`;
  let size = 0;
  const collect = new WritableStream<Uint8Array<ArrayBuffer>>({
    write(piece) {
      size += piece.byteLength;
      if (size > entry.uncompressedSize) {
        throw new UserError(`${here} unpacks to more than the ${entry.uncompressedSize} bytes it claims.`);
      }
      return take(piece);
    },
  });
  try {
    await entry.getData(collect, {
      useWebWorkers: false,
      checkCrc32: true,
      checkOverlappingEntry: true,
      strictness: 'strict',
    });
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${here} cannot be unpacked: ${reason(error)}.`);
  }
  if (size !== entry.uncompressedSize) {
    throw new UserError(`${here} unpacks to ${size} bytes, but claims ${entry.uncompressedSize}.`);
  }
}

/** The entry's content, as a Blob, which a browser may hold on disk. No more than its claimed size is ever kept. */
async function unpack(entry: FileEntry, where: string): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  await unpackInto(entry, where, (piece) => {
    pieces.push(piece);
  });
  return new Blob(pieces);
}

/** The entry's content as it is unpacked, no faster than it is taken. */
async function* unpacked(entry: FileEntry, where: string): AsyncGenerator<Uint8Array, void> {
  const through = new TransformStream<Uint8Array, Uint8Array>();
  const writer = through.writable.getWriter();
  const reader = through.readable.getReader();
  const done = unpackInto(entry, where, async (piece) => {
    await writer.ready;
    await writer.write(piece);
  }).then(() => writer.close());
  const failed = done.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), failed]);
      if (next.done) break;
      yield next.value;
    }
    await done;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A stored entry's bytes where they lie in the archive, or null where the local header is not where it should be. */
async function storedBytes(entry: FileEntry, archive: Blob): Promise<Blob | null> {
  const head = await archive.slice(entry.offset, entry.offset + localHeaderBytes).arrayBuffer();
  if (head.byteLength < localHeaderBytes) return null;
  const view = new DataView(head);
  if (view.getUint32(0, true) !== 0x04034b50) return null;
  const begin = entry.offset + localHeaderBytes + view.getUint16(26, true) + view.getUint16(28, true);
  const bytes = archive.slice(begin, begin + entry.uncompressedSize);
  return bytes.size === entry.uncompressedSize ? bytes : null;
}

/**
 * The entry for reading parts of it, never unpacked as a whole. A stored one is checked now, in one pass, and then read
 * where it lies; a deflated one is unpacked as far as it is read, and checked when its end is.
 */
async function rangedEntry(entry: FileEntry, archive: Blob, where: string): Promise<RangedFile> {
  const here = `${where}: ${entry.filename}`;
  if (entry.uncompressedSize <= zipLimits.smallBytes) return blobFile(await unpack(entry, where), here);
  if (entry.compressionMethod === stored) {
    const bytes = await storedBytes(entry, archive);
    if (bytes) {
      await unpackInto(entry, where, () => {});
      return blobFile(bytes, here);
    }
  }
  return forwardFile(entry.uncompressedSize, () => unpacked(entry, where));
}

/**
 * Opens a zip. Throws UserError for what is no zip, and for names that leave the folder (`..`, absolute, backslash,
 * NUL), duplicates, links, encryption, overlapping entries, and sizes or ratios beyond `limits`. `open` throws
 * UserError where an entry yields more or less than the directory says, or its CRC-32 disagrees.
 */
export async function openZip(
  source: Blob | Uint8Array<ArrayBuffer>,
  where: string,
  limits: ZipLimits = zipLimits,
): Promise<NamedBlobs> {
  const blob = source instanceof Blob ? source : new Blob([source]);
  const zip = new ZipReader(new BlobReader(blob), { useWebWorkers: false });
  let entries: Map<string, FileEntry>;
  try {
    entries = await readDirectory(zip, blob, where, limits);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${where} cannot be read as a zip archive: ${reason(error)}.`);
  }
  return {
    where,
    names: [...entries.keys()].filter((name) => !isClutter(name)),
    async open(name) {
      const entry = entries.get(name);
      return entry ? await unpack(entry, where) : null;
    },
    async openRanged(name) {
      const entry = entries.get(name);
      return entry ? await rangedEntry(entry, blob, where) : null;
    },
  };
}

/** Whether these are the first bytes of a zip: an entry, or the end record of an empty one. */
export async function looksLikeZip(blob: Blob): Promise<boolean> {
  const [p, k, a, b] = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  return p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6));
}
