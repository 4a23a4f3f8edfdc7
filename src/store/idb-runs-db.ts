/**
 * The database of runs: its keys, and transactions that tell what became of them. All is in one object store:
 *
 *   ['run', run]                        RunInfo
 *   ['log', run, batch]                 LogRow[], batches numbered in the order of writing
 *   ['commit', run, step]               CommitRecord: its presence makes a checkpoint
 *   ['payload', run, save, i, piece]    Uint8Array, piece by piece of the save's i-th tensor
 *   ['rollout', run, step]              Uint8Array, a file of rollout-file.ts
 *   ['rollout-bytes', run, step]        its size: sizes are asked for more often than files
 */
import type { UseStore } from 'idb-keyval';
import type { JsonObject } from './json.ts';
import { StorageFullError } from './run-store.ts';
import { storageSpace } from './storage-space.ts';
import type { TensorRecord } from './tensor-record.ts';

export type RecordKind = 'run' | 'log' | 'commit' | 'payload' | 'rollout' | 'rollout-bytes';

export interface CommitRecord {
  readonly save: string;
  readonly savedAt: number;
  readonly bytes: number;
  readonly state: JsonObject;
  /** In the order of their keys. */
  readonly tensors: readonly TensorRecord[];
}

/** Every key that begins with these parts: arrays come behind numbers and strings in the order of keys. */
export function keysOf(kind: RecordKind, ...parts: (string | number)[]): IDBKeyRange {
  return IDBKeyRange.bound([kind, ...parts], [kind, ...parts, []]);
}

/**
 * Runs `work` in a transaction of its own and resolves with what it returned when everything is committed; a throw or
 * `abort` leaves the database as it was. `strict` waits until it is on the disk, and not just with the system.
 * idb-keyval's own writes reject with null where a single request failed, and cannot ask for durability.
 */
export function transact<T>(
  withStore: UseStore,
  durability: 'strict' | 'relaxed',
  work: (store: IDBObjectStore, abort: (error: Error) => void) => T,
): Promise<T> {
  return withStore('readonly', (opened) => {
    const { db } = opened.transaction;
    return new Promise<T>((resolve, reject) => {
      const transaction = db.transaction(opened.name, 'readwrite', { durability });
      let failure: unknown = null;
      const abort = (error: unknown) => {
        failure ??= error;
        try {
          transaction.abort();
        } catch {
          // Aborted already, by what failed.
        }
      };
      let result: T;
      transaction.oncomplete = () => resolve(result);
      transaction.onerror = ({ target }) => {
        failure ??= (target as IDBRequest).error;
      };
      transaction.onabort = () =>
        reject(
          transaction.error ?? failure ?? new DOMException('The transaction was aborted.', 'AbortError'),
        );
      try {
        result = work(transaction.objectStore(opened.name), abort);
      } catch (error) {
        abort(error);
      }
    });
  });
}

/** What to throw for a write of `bytes` that failed: StorageFullError where room was what it lacked. */
export async function writeFailure(error: unknown, bytes: number, where: string): Promise<unknown> {
  const name = (error as { name?: string } | null)?.name;
  let isFull = name === 'QuotaExceededError';
  // Browsers do not always say why they aborted.
  if (name === 'AbortError' || name === 'UnknownError') {
    const space = await storageSpace();
    isFull = space !== null && space.free < bytes + 2 ** 16;
  }
  if (!isFull) return error;
  return new StorageFullError(`${where}: the browser's storage is full, ${bytes} bytes do not fit.`);
}
