/** What is known of the models that are kept: which they are, which files they have and which of these are whole. */
import { createStore, del, get, type UseStore, values } from 'idb-keyval';

export interface CachedFile {
  readonly name: string;
  /** In bytes; null until a server that lists nothing has told. */
  size: number | null;
  /** As the server told it, else as it was computed when the file had arrived. */
  sha256?: string;
  /** SHA-1 by which git knows the file: all that the Hub tells of small files. */
  readonly gitBlob?: string;
  /** The server's mark of this version; of servers that tell no checksum. */
  etag?: string;
  /** All bytes have arrived, and they were the right ones. */
  isWhole: boolean;
}

export interface CachedModel {
  readonly key: string;
  readonly kind: 'hub' | 'site';
  /** `owner/name`, or the address. */
  readonly name: string;
  /** What was asked for; of the Hub's models. */
  readonly revision: string | null;
  /** The commit that it was then. */
  readonly commit: string | null;
  /** Which files are needed is known when the first small ones are here. */
  files: CachedFile[];
  /** Milliseconds since 1970. */
  readonly addedAt: number;
  usedAt: number;
}

export interface CacheIndex {
  get(key: string): Promise<CachedModel | undefined>;
  set(model: CachedModel): Promise<void>;
  delete(key: string): Promise<void>;
  all(): Promise<CachedModel[]>;
}

/** The index in IndexedDB. */
export function idbIndex(database = 'papo-web-models'): CacheIndex {
  const store: UseStore = createStore(database, 'models');
  return {
    get: (key) => get(key, store),
    // idb-keyval's own `set` rejects with null where the write fails for want of room.
    set: (model) =>
      store(
        'readwrite',
        (opened) =>
          new Promise<void>((resolve, reject) => {
            opened.put(model, model.key);
            opened.transaction.oncomplete = () => resolve();
            opened.transaction.onabort = opened.transaction.onerror = () =>
              reject(opened.transaction.error ?? new DOMException('The write was aborted.', 'AbortError'));
          }),
      ),
    delete: (key) => del(key, store),
    all: () => values(store),
  };
}

export function memoryIndex(): CacheIndex {
  const models = new Map<string, CachedModel>();
  return {
    get: async (key) => structuredClone(models.get(key)),
    set: async (model) => void models.set(model.key, structuredClone(model)),
    delete: async (key) => void models.delete(key),
    all: async () => [...models.values()].map((model) => structuredClone(model)),
  };
}
