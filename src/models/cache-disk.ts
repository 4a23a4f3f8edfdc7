/**
 * Where downloads are kept. A file is a row of parts, each written from its beginning to its end: a part that was
 * closed stays, whatever becomes of the tab, and none is ever copied to be continued.
 */

/** A file, or as much of it as has arrived. */
export interface CacheSlot {
  /** Bytes there are. */
  size(): Promise<number>;
  /** All of them, read from the disk when they are wanted. */
  blob(): Promise<Blob>;
  /** Writes behind what there is. One writer at a time. */
  writer(): Promise<SlotWriter>;
  remove(): Promise<void>;
}

export interface SlotWriter {
  /** Throws a DOMException QuotaExceededError, or Node's ENOSPC, when there is no room. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written is there from now on. */
  close(): Promise<void>;
}

export interface CacheDisk {
  slot(folder: string, file: string): CacheSlot;
  folders(): Promise<string[]>;
  /** Nothing happens where there is none. */
  removeFolder(folder: string): Promise<void>;
}

/** Bytes of a part. The most that a killed tab loses where files are written by streams. */
export const partBytes = 32 * 2 ** 20;

export const partName = (file: string, part: number) => `${file}.${String(part).padStart(4, '0')}`;

/** The parts of a slot, to a `CacheSlot` what files are to a disk. */
export interface PartStore {
  /** A part's size, or null where there is none. */
  size(part: number): Promise<number | null>;
  blob(part: number): Promise<Blob>;
  /** Opens a part to write at `at`, its end. */
  open(part: number, at: number): Promise<SlotWriter>;
  remove(part: number): Promise<void>;
}

/** A slot made of parts. A part that is followed by others though it is too short ends the file. */
export function slotOfParts(parts: PartStore, size = partBytes): CacheSlot {
  async function sizes(): Promise<number[]> {
    const found: number[] = [];
    for (;;) {
      const next = await parts.size(found.length);
      if (next === null) return found;
      found.push(next);
      if (next < size) return found;
    }
  }
  return {
    async size() {
      return (await sizes()).reduce((sum, bytes) => sum + bytes, 0);
    },
    async blob() {
      const count = (await sizes()).length;
      const blobs: Blob[] = [];
      for (let part = 0; part < count; part++) blobs.push(await parts.blob(part));
      return blobs.length === 1 ? blobs[0] : new Blob(blobs);
    },
    async writer() {
      const found = await sizes();
      const last = found.at(-1);
      let part = last !== undefined && last < size ? found.length - 1 : found.length;
      let at = part < found.length ? found[part] : 0;
      // What a file that ended too early left behind does not belong to the new bytes.
      for (let stale = part + 1; (await parts.size(stale)) !== null; stale++) await parts.remove(stale);
      let open = await parts.open(part, at);
      return {
        async write(bytes) {
          for (let done = 0; done < bytes.byteLength; ) {
            if (at === size) {
              await open.close();
              part++;
              at = 0;
              open = await parts.open(part, 0);
            }
            const piece = bytes.subarray(done, done + size - at);
            await open.write(piece);
            done += piece.byteLength;
            at += piece.byteLength;
          }
        },
        close: () => open.close(),
      };
    },
    async remove() {
      for (let part = 0; (await parts.size(part)) !== null; part++) await parts.remove(part);
    },
  };
}

/** In memory, for places that let nothing be kept; browsers move large Blobs to their disk themselves. */
export function memoryDisk(): CacheDisk {
  const folders = new Map<string, Map<string, Blob[]>>();
  return {
    slot(folder, file) {
      const files = () => folders.get(folder);
      const blob = async () => new Blob(files()?.get(file) ?? []);
      return {
        size: async () => (await blob()).size,
        blob,
        async writer() {
          if (!folders.has(folder)) folders.set(folder, new Map());
          const pieces = files()!.get(file) ?? [];
          files()!.set(file, pieces);
          return {
            write: async (bytes) => void pieces.push(new Blob([bytes as Uint8Array<ArrayBuffer>])),
            close: async () => {},
          };
        },
        remove: async () => void files()?.delete(file),
      };
    },
    folders: async () => [...folders.keys()],
    removeFolder: async (folder) => void folders.delete(folder),
  };
}
