/** The runs of a browser, in IndexedDB: listed, opened by one writer each, read by anybody, swept of what crashes left. */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';
import { UserError } from '../errors.ts';
import { IdbRun, IdbRunReader, labelled, readCheckpoints, readRollouts } from './idb-run.ts';
import { type CommitRecord, keysOf, type RecordKind, transact, writeFailure } from './idb-runs-db.ts';
import { randomId } from './random-id.ts';
import { heldLocks, takeLock } from './run-locks.ts';
import type { CheckpointInfo, RunInfo, RunLabels, RunReader } from './run-store.ts';

export interface ListedRun {
  readonly id: string;
  readonly info: RunInfo;
  /** Oldest step first. */
  readonly checkpoints: CheckpointInfo[];
  /** Of the checkpoints and the rollouts. */
  readonly bytes: number;
  /** Somebody else writes it: it can only be read. */
  readonly isOpenElsewhere: boolean;
}

export interface OpenRunsOptions {
  /** Default: papo-web-runs. */
  readonly database?: string;
}

/** The runs of this origin. Nothing is read or swept yet. */
export function openRuns({ database = 'papo-web-runs' }: OpenRunsOptions = {}): IdbRuns {
  return new IdbRuns(createStore(database, 'runs'), database);
}

export class IdbRuns {
  /** Opened by this object and not closed. */
  private readonly opened = new Set<string>();

  constructor(
    private readonly withStore: UseStore,
    private readonly database: string,
  ) {}

  /** Newest first, without those that were deleted and can still be brought back. */
  async list(): Promise<ListedRun[]> {
    const [runs, held] = await Promise.all([
      this.withStore('readonly', async (store) => {
        const keys = await promisifyRequest(store.getAllKeys(keysOf('run')));
        return Promise.all(
          keys.map(async (key) => {
            const [, id] = key as [string, string];
            const info = await promisifyRequest<RunInfo>(store.get(key));
            const [checkpoints, rollouts] = await Promise.all([
              readCheckpoints(store, id),
              readRollouts(store, id),
            ]);
            return { id, info, checkpoints, rollouts };
          }),
        );
      }),
      heldLocks(),
    ]);
    return runs
      .filter(({ info }) => !info.labels?.deletedAt)
      .map(({ rollouts, ...run }) => ({
        ...run,
        bytes: [...run.checkpoints, ...rollouts].reduce((sum, { bytes }) => sum + bytes, 0),
        isOpenElsewhere: held.has(this.lockName(run.id)) && !this.opened.has(run.id),
      }))
      .sort((a, b) => b.info.createdAt - a.info.createdAt);
  }

  /** A new run, open for writing. Throws a StorageFullError where not even this fits. */
  async create(info: RunInfo): Promise<IdbRun> {
    const run = await this.lock(randomId(), info.name);
    try {
      await run!.writeInfo(info);
    } catch (error) {
      await run!.close();
      throw error;
    }
    return run!;
  }

  /** Opens a run for writing and sweeps it. Throws a UserError where it is gone, or open elsewhere. */
  async open(id: string): Promise<IdbRun> {
    const { name } = await this.infoOf(id);
    const run = await this.lock(id, name);
    if (!run)
      throw new UserError(
        `The run "${name}" is open in another tab. Close it there first; here it can only be read.`,
      );
    try {
      await this.sweepRun(id);
    } catch (error) {
      await run.close();
      throw error;
    }
    return run;
  }

  /** A view that never writes and needs no lock. Throws a UserError where the run is gone. */
  async read(id: string): Promise<RunReader & { readonly id: string }> {
    const { name } = await this.infoOf(id);
    return new IdbRunReader(this.withStore, id, whereOf(name));
  }

  /** Changes what a person says of a run, whoever writes the run meanwhile. Throws a UserError where it is gone. */
  async label(id: string, change: RunLabels): Promise<void> {
    await this.infoOf(id);
    try {
      await transact(this.withStore, 'relaxed', (store) => {
        const found = store.get(['run', id]);
        found.onsuccess = () => {
          const info = found.result as RunInfo | undefined;
          if (info) store.put(labelled(info, { ...info.labels, ...change }), ['run', id]);
        };
      });
    } catch (error) {
      throw await writeFailure(error, 0, this.database);
    }
  }

  /** Deletes a run with all it has, at once. Throws a UserError where it is open, here or elsewhere. */
  async delete(id: string): Promise<void> {
    const { name } = await this.infoOf(id);
    if (this.opened.has(id)) throw new UserError(`The run "${name}" is open: close it before it is deleted.`);
    const run = await this.lock(id, name);
    if (!run)
      throw new UserError(
        `The run "${name}" is open in another tab: it cannot be deleted until it is closed there.`,
      );
    try {
      await this.erase(id);
    } finally {
      await run.close();
    }
  }

  /** Removes deleted runs, what unfinished saves left in runs that nobody writes, and what belongs to no run. */
  async sweep(): Promise<void> {
    const ids = new Set<string>();
    for (const kind of kinds) {
      const keys = await this.withStore('readonly', (store) =>
        promisifyRequest(store.getAllKeys(keysOf(kind))),
      );
      for (const key of keys) ids.add((key as [string, string])[1]);
    }
    for (const id of ids) {
      const run = await this.lock(id, id);
      // In use: its writer sweeps when it is opened.
      if (!run) continue;
      try {
        const deletedAt = (await run.info())?.labels?.deletedAt;
        if (deletedAt && Date.now() - deletedAt > undoMs) await this.erase(id);
        else await this.sweepRun(id);
      } finally {
        await run.close();
      }
    }
  }

  private erase(id: string): Promise<void> {
    return transact(this.withStore, 'strict', (store) => {
      for (const kind of kinds) store.delete(keysOf(kind, id));
    });
  }

  private sweepRun(id: string): Promise<void> {
    return transact(this.withStore, 'relaxed', (store) => {
      const info = store.getKey(['run', id]);
      const commits = store.getAll(keysOf('commit', id));
      const payload = store.getAllKeys(keysOf('payload', id));
      payload.onsuccess = () => {
        if (info.result === undefined) {
          for (const kind of kinds) store.delete(keysOf(kind, id));
          return;
        }
        const committed = new Set((commits.result as CommitRecord[]).map(({ save }) => save));
        const saves = new Set((payload.result as [string, string, string][]).map(([, , save]) => save));
        for (const save of saves) if (!committed.has(save)) store.delete(keysOf('payload', id, save));
      };
    });
  }

  private async infoOf(id: string): Promise<RunInfo> {
    const info = await new IdbRunReader(this.withStore, id, '').info();
    if (!info) throw new UserError('This run has been deleted.');
    return info;
  }

  private lockName(id: string): string {
    return `${this.database} ${id}`;
  }

  /** The run with its lock held, or null when somebody has it. */
  private async lock(id: string, name: string): Promise<IdbRun | null> {
    const release = await takeLock(this.lockName(id));
    if (!release) return null;
    this.opened.add(id);
    return new IdbRun(this.withStore, id, whereOf(name), async () => {
      this.opened.delete(id);
      await release();
    });
  }
}

/** So long a run that was deleted can be brought back, at least, in the tab that deleted it. */
const undoMs = 20_000;

const kinds: readonly RecordKind[] = ['run', 'log', 'commit', 'payload', 'rollout', 'rollout-bytes'];

function whereOf(name: string): string {
  return `The run "${name}" in this browser`;
}
