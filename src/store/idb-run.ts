/** One run in IndexedDB: a view of it for everybody, and the writer that holds its lock. */
import { get, promisifyRequest, type UseStore } from 'idb-keyval';
import { UserError } from '../errors.ts';
import { type CommitRecord, keysOf, type RecordKind, transact, writeFailure } from './idb-runs-db.ts';
import { randomId } from './random-id.ts';
import type {
  Checkpoint,
  CheckpointInfo,
  LogRow,
  RolloutInfo,
  RunInfo,
  RunLabels,
  RunReader,
  RunStore,
  StoredCheckpoint,
} from './run-store.ts';
import { storageSpace } from './storage-space.ts';
import { joinTensor, type TensorRecord, tensorPieces } from './tensor-record.ts';

/** A transaction of a save takes no more than this, and no longer: the thread has a training loop to run. */
const maxTransactionBytes = 8 * 2 ** 20;
const maxTransactionMs = 8;

export class IdbRunReader implements RunReader {
  constructor(
    protected readonly withStore: UseStore,
    readonly id: string,
    readonly where: string,
  ) {}

  async info(): Promise<RunInfo | null> {
    return (await get<RunInfo>(['run', this.id], this.withStore)) ?? null;
  }

  async readLog(): Promise<LogRow[]> {
    const batches = await this.withStore('readonly', (store) =>
      promisifyRequest<LogRow[][]>(store.getAll(keysOf('log', this.id))),
    );
    return batches.flat();
  }

  async checkpoints(): Promise<CheckpointInfo[]> {
    return this.withStore('readonly', (store) => readCheckpoints(store, this.id));
  }

  async openCheckpoint(step: number): Promise<StoredCheckpoint> {
    const record = await get<CommitRecord>(['commit', this.id, step], this.withStore);
    const where = `${this.where}, checkpoint of step ${step}`;
    if (!record) throw new UserError(`${this.where} has no checkpoint of step ${step}.`);
    const { save, savedAt, bytes, state, tensors } = record;
    return {
      step,
      savedAt,
      bytes,
      state,
      tensors: new Map(tensors.map(({ name, shape, bytes }) => [name, { shape, bytes }])),
      read: async (name) => {
        const i = tensors.findIndex((tensor) => tensor.name === name);
        if (i < 0) throw new UserError(`${where} has no tensor "${name}".`);
        const pieces = await this.withStore('readonly', (store) =>
          promisifyRequest<Uint8Array[]>(store.getAll(keysOf('payload', this.id, save, i))),
        );
        return joinTensor(tensors[i], pieces, where);
      },
    };
  }

  async rollouts(): Promise<RolloutInfo[]> {
    return this.withStore('readonly', (store) => readRollouts(store, this.id));
  }

  async readRollout(step: number): Promise<Uint8Array> {
    const bytes = await get<Uint8Array>(['rollout', this.id, step], this.withStore);
    if (!bytes) throw new UserError(`${this.where} has no rollout of step ${step}.`);
    return bytes;
  }

  space(): Promise<{ used: number; free: number } | null> {
    return storageSpace();
  }
}

/** Committed checkpoints of a run, oldest step first. */
export async function readCheckpoints(store: IDBObjectStore, id: string): Promise<CheckpointInfo[]> {
  const range = keysOf('commit', id);
  const [keys, records] = await Promise.all([
    promisifyRequest(store.getAllKeys(range)),
    promisifyRequest<CommitRecord[]>(store.getAll(range)),
  ]);
  return records.map(({ savedAt, bytes }, i) => {
    const [, , step] = keys[i] as [string, string, number];
    return { step, savedAt, bytes };
  });
}

/** Steps of a run whose rollouts are kept, oldest first. */
export async function readRollouts(store: IDBObjectStore, id: string): Promise<RolloutInfo[]> {
  const range = keysOf('rollout-bytes', id);
  const [keys, sizes] = await Promise.all([
    promisifyRequest(store.getAllKeys(range)),
    promisifyRequest<number[]>(store.getAll(range)),
  ]);
  return sizes.map((bytes, i) => ({ step: (keys[i] as [string, string, number])[2], bytes }));
}

/** A run's info with what a person says of it. */
export const labelled = (info: RunInfo, labels: RunLabels | undefined): RunInfo =>
  labels === undefined ? info : { ...info, name: labels.name ?? info.name, labels };

export class IdbRun extends IdbRunReader implements RunStore {
  private isClosed = false;

  constructor(
    withStore: UseStore,
    id: string,
    where: string,
    private readonly release: () => Promise<void>,
  ) {
    super(withStore, id, where);
  }

  async writeInfo(info: RunInfo): Promise<void> {
    await this.write(0, 'relaxed', (store, abort) => {
      const before = store.get(['run', this.id]);
      before.onsuccess = () => {
        try {
          store.put(labelled(info, (before.result as RunInfo | undefined)?.labels), ['run', this.id]);
        } catch (error) {
          abort(error as Error);
        }
      };
    });
  }

  async appendLog(rows: readonly LogRow[]): Promise<void> {
    if (rows.length === 0) return;
    await this.write(0, 'relaxed', (store, abort) => {
      const last = store.openKeyCursor(keysOf('log', this.id), 'prev');
      last.onsuccess = () => {
        const [, , batch] = (last.result?.key ?? ['log', this.id, -1]) as [string, string, number];
        try {
          store.add([...rows], ['log', this.id, batch + 1]);
        } catch (error) {
          abort(error as Error);
        }
      };
    });
  }

  async keepRollout(step: number, bytes: Uint8Array, dropped: readonly number[]): Promise<void> {
    await this.write(bytes.byteLength, 'relaxed', (store) => {
      store.put(alone(bytes), ['rollout', this.id, step]);
      store.put(bytes.byteLength, ['rollout-bytes', this.id, step]);
      for (const old of dropped) for (const kind of rolloutKinds) store.delete([kind, this.id, old]);
    });
  }

  async truncateLog(lastStep: number): Promise<void> {
    await this.write(0, 'relaxed', (store) => {
      for (const kind of rolloutKinds)
        store.delete(IDBKeyRange.bound([kind, this.id, lastStep], [kind, this.id, []], true));
      const batches = store.openCursor(keysOf('log', this.id));
      batches.onsuccess = () => {
        const cursor = batches.result;
        if (!cursor) return;
        const rows = cursor.value as LogRow[];
        const kept = rows.filter((row) => row.step <= lastStep);
        if (kept.length === 0) cursor.delete();
        else if (kept.length < rows.length) cursor.update(kept);
        cursor.continue();
      };
    });
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const bytes = [...checkpoint.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const save = randomId();
    try {
      const { records, pieces } = await this.writePayload(checkpoint, save, bytes);
      const { step, state } = checkpoint;
      await this.commit(step, { save, savedAt: Date.now(), bytes, state, tensors: records }, pieces);
    } catch (error) {
      // Where even this fails, the next start sweeps.
      await transact(this.withStore, 'relaxed', (store) =>
        store.delete(keysOf('payload', this.id, save)),
      ).catch(() => {});
      throw error;
    }
  }

  /** All tensors under `save`, which no commit record names yet, in transactions of bounded size and time. */
  private async writePayload(
    { tensors }: Checkpoint,
    save: string,
    bytes: number,
  ): Promise<{ records: TensorRecord[]; pieces: number }> {
    const records: TensorRecord[] = [];
    let pieces = 0;
    const all = allPieces(tensors, records);
    let next = all.next();
    while (!next.done) {
      // Relaxed: the commit, which is strict and comes later in the same journal, takes them to the disk too.
      await this.write(bytes, 'relaxed', (store) => {
        const end = performance.now() + maxTransactionMs;
        let written = 0;
        do {
          const { key, piece } = next.value!;
          store.put(alone(piece), ['payload', this.id, save, ...key]);
          written += piece.byteLength;
          pieces++;
          next = all.next();
        } while (!next.done && written < maxTransactionBytes && performance.now() < end);
      });
    }
    return { records, pieces };
  }

  /** From here on the checkpoint is there; one of the same step, and its payload, go in the same moment. */
  private commit(step: number, record: CommitRecord, pieces: number): Promise<unknown> {
    return this.write(0, 'strict', (store, abort) => {
      const key = ['commit', this.id, step];
      const found = store.count(keysOf('payload', this.id, record.save));
      const old = store.get(key);
      old.onsuccess = () => {
        // Without Web Locks another tab may have swept what it took for an orphan.
        if (found.result !== pieces) abort(new UserError(`${this.where}: another tab changed this run.`));
        else {
          try {
            store.put(record, key);
          } catch (error) {
            abort(error as Error);
            return;
          }
          const replaced = (old.result as CommitRecord | undefined)?.save;
          if (replaced !== undefined) store.delete(keysOf('payload', this.id, replaced));
        }
      };
    });
  }

  async deleteCheckpoint(step: number): Promise<void> {
    await this.write(0, 'strict', (store) => {
      const key = ['commit', this.id, step];
      const record = store.get(key);
      record.onsuccess = () => {
        const save = (record.result as CommitRecord | undefined)?.save;
        if (save === undefined) return;
        store.delete(key);
        store.delete(keysOf('payload', this.id, save));
      };
    });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.release();
  }

  private async write<T>(
    bytes: number,
    durability: 'strict' | 'relaxed',
    work: (store: IDBObjectStore, abort: (error: Error) => void) => T,
  ): Promise<T> {
    if (this.isClosed) throw new Error(`${this.where} is closed.`);
    try {
      return await transact(this.withStore, durability, work);
    } catch (error) {
      throw await writeFailure(error, bytes, this.where);
    }
  }
}

const rolloutKinds: readonly RecordKind[] = ['rollout', 'rollout-bytes'];

/** Every tensor's pieces with the end of their keys; `records` fills up as tensors end. */
function* allPieces(tensors: Checkpoint['tensors'], records: TensorRecord[]) {
  for (const [name, tensor] of tensors) {
    const pieces = tensorPieces(name, tensor);
    let next = pieces.next();
    for (let i = 0; !next.done; i++) {
      yield { key: [records.length, i], piece: next.value };
      next = pieces.next();
    }
    records.push(next.value);
  }
}

/** The piece in a buffer of its own: storage copies the whole buffer behind a view, and takes no shared memory. */
function alone(piece: Uint8Array): Uint8Array {
  const isWhole = piece.byteLength === piece.buffer.byteLength;
  return isWhole && piece.buffer instanceof ArrayBuffer ? piece : piece.slice();
}
