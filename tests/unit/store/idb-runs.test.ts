import { IDBDatabase, IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb';
import { createStore, del, entries, keys, set } from 'idb-keyval';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import type { IdbRun } from '../../../src/store/idb-run.ts';
import { type IdbRuns, openRuns } from '../../../src/store/idb-runs.ts';
import { type Checkpoint, StorageFullError } from '../../../src/store/run-store.ts';
import { awkwardCheckpoint, expectCheckpoint, runInfo, runStoreCases } from '../../run-store-cases.ts';

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Everything in the database, past the store. */
const raw = () => createStore('papo-web-runs', 'runs');

/** Payload and batches that no commit record and no run names. */
async function orphans(): Promise<string[]> {
  const all = (await entries(raw())) as [(string | number)[], { save: string }][];
  const committed = new Set(all.filter(([key]) => key[0] === 'commit').map(([, { save }]) => save));
  const runs = new Set(all.filter(([key]) => key[0] === 'run').map(([key]) => key[1]));
  return all
    .map(([key]) => key)
    .filter(([kind, run, save]) => !runs.has(run) || (kind === 'payload' && !committed.has(save as string)))
    .map((key) => key.join(' '));
}

async function payloadOf(runs: IdbRuns, step: number, name: string): Promise<[IDBValidKey, Uint8Array]> {
  const [{ id }] = await runs.list();
  const all = (await entries(raw())) as [(string | number)[], unknown][];
  const [, record] = all.find(([key]) => key[0] === 'commit' && key[1] === id && key[2] === step)!;
  const { save, tensors } = record as { save: string; tensors: { name: string }[] };
  const i = tensors.findIndex((tensor) => tensor.name === name);
  const [key, value] = all.find(([k]) => k[0] === 'payload' && k[2] === save && k[3] === i)!;
  return [key, value as Uint8Array];
}

runStoreCases('IndexedDB', async () => {
  vi.stubGlobal('indexedDB', new IDBFactory());
  const runs = openRuns();
  const store = await runs.create(runInfo);
  let open: IdbRun = store;
  return {
    store,
    reopen: async () => {
      await open.close();
      open = await runs.open(store.id);
      return open;
    },
    damage: async (step, name) => {
      const [key, bytes] = await payloadOf(runs, step, name);
      bytes[5] ^= 1;
      await set(key, bytes, raw());
    },
    shorten: async (step, name) => {
      const [key, bytes] = await payloadOf(runs, step, name);
      await set(key, bytes.slice(0, -1), raw());
    },
    leftovers: orphans,
  };
});

function checkpoint(step: number, value: number): Checkpoint {
  const tensor = (size: number) => ({ shape: [size], data: new Float32Array(size).fill(value) });
  const tensors = new Map([1, 3, 530_000, 4].map((size, i) => [`weights/${i}`, tensor(size)]));
  return { step, state: { value }, tensors };
}

const store = IDBObjectStore.prototype as IDBObjectStore;
const database = IDBDatabase.prototype as IDBDatabase;

interface Crash {
  hasHappened: boolean;
  /** The tab is gone: nothing that it still runs reaches the database. */
  restart(): void;
}

/** Ends the tab at the n-th write: with it undone, or with it written and the answer never heard. */
function crashAt(n: number, isWritten: boolean): Crash {
  const crash: Crash = { hasHappened: false, restart: () => vi.restoreAllMocks() };
  let writes = 0;
  for (const method of ['put', 'delete'] as const) {
    const original = store[method] as (...args: unknown[]) => IDBRequest<IDBValidKey>;
    vi.spyOn(store, method).mockImplementation(function (this: IDBObjectStore, ...args: unknown[]) {
      const request = original.apply(this, args);
      if (++writes === n) {
        crash.hasHappened = true;
        if (!isWritten) this.transaction.abort();
      }
      return request as IDBRequest<undefined> & IDBRequest<IDBValidKey>;
    });
  }
  const transaction = database.transaction;
  vi.spyOn(database, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
    if (crash.hasHappened) throw new Error('this tab is gone');
    return transaction.apply(this, args);
  });
  return crash;
}

describe('IndexedDB: a tab that is killed', () => {
  test('while it saves, replaces or deletes: the last whole checkpoint stays, the rest is swept', async () => {
    const old = checkpoint(5, 1);
    const next = checkpoint(5, 2);
    const later = checkpoint(6, 3);
    const seen = new Set<string>();
    let crashes = 0;
    for (const isWritten of [false, true]) {
      for (let n = 1; ; n++) {
        vi.stubGlobal('indexedDB', new IDBFactory());
        const run = await openRuns().create(runInfo);
        await run.saveCheckpoint(old);
        const crash = crashAt(n, isWritten);
        const done: string[] = [];
        const work = async () => {
          await run.saveCheckpoint(next);
          done.push('replaced');
          await run.saveCheckpoint(later);
          done.push('saved');
          await run.deleteCheckpoint(5);
          done.push('deleted');
        };
        await work().catch(() => {});
        crash.restart();
        await run.close();
        if (!crash.hasHappened) break;
        crashes++;

        const runs = openRuns();
        if (n % 2) await runs.sweep();
        const again = await runs.open(run.id);
        expect(await orphans()).toEqual([]);
        const steps = (await again.checkpoints()).map(({ step }) => step);
        seen.add(`${steps}`);
        if (steps.includes(5)) {
          const { state } = await again.openCheckpoint(5);
          if (done.includes('replaced')) expect(state.value).toBe(2);
          await expectCheckpoint(again, state.value === 1 ? old : next);
        }
        if (steps.includes(6)) await expectCheckpoint(again, later);
        expect(done.includes('saved') ? steps : [...steps, 6]).toContain(6);
        expect(done.includes('saved') ? [5, ...steps] : steps).toContain(5);
        expect(await again.info()).toEqual(runInfo);
        await again.saveCheckpoint(checkpoint(7, 4));
        await expectCheckpoint(again, checkpoint(7, 4));
        await again.close();
      }
    }
    // Two saves of five pieces and a commit record, a payload replaced, two deletions; both ways of dying.
    expect(crashes).toBe(30);
    expect(seen).toEqual(new Set(['5', '5,6', '6']));
  });

  test('while it writes the log: every batch is there whole or not at all', async () => {
    const run = await openRuns().create(runInfo);
    const row = (step: number) => ({ step, kind: 'step' as const, metrics: {}, completions: [] });
    for (let step = 0; step < 6; step += 2) await run.appendLog([row(step), row(step + 1)]);
    const crash = crashAt(1, false);
    const add = vi.spyOn(store, 'add').mockImplementation(function (this: IDBObjectStore) {
      this.transaction.abort();
      throw new Error('gone');
    });
    await expect(run.appendLog([row(6), row(7)])).rejects.toThrow();
    add.mockRestore();
    crash.restart();
    expect((await run.readLog()).map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5]);
    await run.close();
  });
});

/** The n-th write finds no room: as browsers tell it when they commit, or at once. */
function fullAt(
  n: number,
  how: 'commit' | 'throw' | 'unexplained',
  method: 'put' | 'add' = 'put',
): { hasHappened: boolean } {
  const full = { hasHappened: false };
  const write = store[method];
  let writes = 0;
  vi.spyOn(store, method).mockImplementation(function (this: IDBObjectStore, ...args) {
    if (++writes !== n) return write.apply(this, args);
    full.hasHappened = true;
    if (how === 'throw') throw new DOMException('Full.', 'QuotaExceededError');
    const request = write.apply(this, args);
    queueMicrotask(() => {
      if (how === 'unexplained') this.transaction.abort();
      else (this.transaction as unknown as { _abort(name: string): void })._abort('QuotaExceededError');
    });
    return request;
  });
  return full;
}

describe('IndexedDB: a full disk', () => {
  test('StorageFullError at any write; what was committed stays, and nothing of the new save', async () => {
    for (const how of ['commit', 'throw', 'unexplained'] as const) {
      // An abort without a reason counts as a full disk where the browser says that there is no room; else the reason
      // counts alone.
      const usage = how === 'unexplained' ? 99_000 : 0;
      const quota = how === 'unexplained' ? 100_000 : 1e12;
      vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage, quota }) } });
      let failures = 0;
      for (let n = 1; ; n++) {
        vi.stubGlobal('indexedDB', new IDBFactory());
        const run = await openRuns().create(runInfo);
        await run.saveCheckpoint(checkpoint(5, 1));
        const before = await keys(raw());
        const full = fullAt(n, how);
        const saved = await run.saveCheckpoint(checkpoint(5, 2)).catch((error: unknown) => error);
        vi.restoreAllMocks();
        if (!full.hasHappened) break;
        failures++;
        expect(saved).toBeInstanceOf(StorageFullError);
        expect(`${saved}`).toMatch(/count shapes.*full/);
        expect(await keys(raw())).toEqual(before);
        await expectCheckpoint(run, checkpoint(5, 1));
        await run.saveCheckpoint(checkpoint(6, 3));
        await expectCheckpoint(run, checkpoint(6, 3));
        await run.close();
      }
      // Five pieces and the commit record.
      expect(failures).toBe(6);
    }
  });

  test('also for the log and the info, which stay as they were', async () => {
    const run = await openRuns().create(runInfo);
    const row = (step: number) => ({ step, kind: 'step' as const, metrics: {}, completions: [] });
    await run.appendLog([row(1)]);
    for (const how of ['commit', 'throw'] as const) {
      fullAt(1, how, 'add');
      await expect(run.appendLog([row(2), row(3)])).rejects.toThrow(StorageFullError);
      fullAt(1, how, 'put');
      await expect(run.writeInfo({ ...runInfo, step: 9 })).rejects.toThrow(StorageFullError);
      vi.restoreAllMocks();
    }
    expect(await run.readLog()).toEqual([row(1)]);
    expect(await run.info()).toEqual(runInfo);
    await run.close();
  });

  test('an abort is no full disk where there is room', async () => {
    vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage: 0, quota: 1e12 }) } });
    const run = await openRuns().create(runInfo);
    fullAt(2, 'unexplained');
    const error = await run.saveCheckpoint(checkpoint(5, 2)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'AbortError' });
    vi.restoreAllMocks();
    expect(await orphans()).toEqual([]);
    await run.close();
  });
});

test('IndexedDB: a tensor takes its own bytes, not those of the buffer that it is a view of', async () => {
  const run = await openRuns().create(runInfo);
  await run.saveCheckpoint(awkwardCheckpoint(2));
  const all = (await entries(raw())) as [string[], Uint8Array][];
  const payload = all.filter(([key]) => key[0] === 'payload').map(([, value]) => value);
  expect(payload.length).toBeGreaterThan(8);
  for (const { buffer, byteLength } of payload) {
    expect(buffer).not.toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBe(byteLength);
  }
  await run.close();
});

describe('IndexedDB: several runs', () => {
  test('are listed with their size, newest first, and tell which is open elsewhere', async () => {
    const held = [{ name: '' }];
    const runs = openRuns();
    const first = await runs.create({ ...runInfo, name: 'first', createdAt: 1 });
    await first.saveCheckpoint(checkpoint(3, 1));
    await first.saveCheckpoint(checkpoint(4, 1));
    const second = await runs.create({ ...runInfo, name: 'second', createdAt: 2 });
    await second.close();
    held[0].name = `papo-web-runs ${second.id}`;
    vi.stubGlobal('navigator', { locks: { query: async () => ({ held, pending: [] }) } });
    const listed = await runs.list();
    expect(listed.map(({ info, isOpenElsewhere }) => [info.name, isOpenElsewhere])).toEqual([
      ['second', true],
      ['first', false],
    ]);
    expect(listed[1].bytes).toBe(2 * 4 * 530_008);
    expect(listed[1].checkpoints.map(({ step }) => step)).toEqual([3, 4]);
    vi.unstubAllGlobals();
    await first.close();
  });

  test('a second writer is refused and can read; the first one goes on', async () => {
    const run = await openRuns().create(runInfo);
    await run.saveCheckpoint(awkwardCheckpoint(2));
    const elsewhere = openRuns();
    await expect(elsewhere.open(run.id)).rejects.toThrow(UserError);
    await expect(elsewhere.open(run.id)).rejects.toThrow(
      /"count shapes" is open in another tab.*only be read/,
    );
    await expect(elsewhere.delete(run.id)).rejects.toThrow(/open in another tab/);
    expect((await elsewhere.list())[0].isOpenElsewhere).toBe(true);
    const view = await elsewhere.read(run.id);
    await expectCheckpoint(view, awkwardCheckpoint(2));
    await elsewhere.sweep();
    await run.saveCheckpoint(awkwardCheckpoint(3));
    await run.close();
    const opened = await elsewhere.open(run.id);
    await expectCheckpoint(opened, awkwardCheckpoint(3));
    await opened.close();
  });

  test('keep what a person says of them, whoever writes them', async () => {
    const runs = openRuns();
    const run = await runs.create(runInfo);
    const elsewhere = openRuns();
    await elsewhere.label(run.id, { name: 'renamed while open', notes: 'first try' });
    await run.writeInfo({ ...runInfo, step: 7 });
    await runs.label(run.id, { isStarred: true });
    const [listed] = await openRuns().list();
    expect(listed.info).toEqual({
      ...runInfo,
      step: 7,
      name: 'renamed while open',
      labels: { name: 'renamed while open', notes: 'first try', isStarred: true },
    });
    await expect(runs.label('nobody', { notes: '' })).rejects.toThrow(/deleted/);
    await run.close();
  });

  test('can be brought back for a while after they were deleted, and are swept then', async () => {
    const runs = openRuns();
    const run = await runs.create(runInfo);
    await run.saveCheckpoint(checkpoint(1, 1));
    await run.close();
    await runs.label(run.id, { deletedAt: Date.now() });
    expect(await runs.list()).toEqual([]);
    await openRuns().sweep();
    await runs.label(run.id, { deletedAt: null });
    expect((await runs.list()).map(({ id }) => id)).toEqual([run.id]);
    await runs.label(run.id, { deletedAt: Date.now() - 60_000 });
    await openRuns().sweep();
    expect((await keys(raw())).filter((key) => (key as string[])[1] === run.id)).toEqual([]);
  });

  test('are deleted, and nothing of a deleted one is left', async () => {
    const runs = openRuns();
    const [one, two] = [await runs.create(runInfo), await runs.create(runInfo)];
    for (const run of [one, two]) {
      await run.saveCheckpoint(checkpoint(1, 1));
      await run.appendLog([{ step: 1, kind: 'step', metrics: {}, completions: [] }]);
    }
    await expect(runs.delete(one.id)).rejects.toThrow(/is open/);
    await one.close();
    await runs.delete(one.id);
    expect((await keys(raw())).filter((key) => (key as string[])[1] === one.id)).toEqual([]);
    await expect(runs.open(one.id)).rejects.toThrow(/deleted/);
    await expect(runs.read(one.id)).rejects.toThrow(/deleted/);
    await expectCheckpoint(two, checkpoint(1, 1));
    await two.close();
  });

  test('sweeping removes what belongs to no run and spares a save that goes on', async () => {
    const runs = openRuns();
    const run = await runs.create(runInfo);
    await run.saveCheckpoint(checkpoint(1, 1));
    const gone = await runs.create(runInfo);
    await gone.saveCheckpoint(checkpoint(1, 1));
    await gone.appendLog([{ step: 1, kind: 'step', metrics: {}, completions: [] }]);
    await gone.close();
    await del(['run', gone.id], raw());
    const saving = run.saveCheckpoint(checkpoint(2, 2));
    await openRuns().sweep();
    await saving;
    await openRuns().sweep();
    await expectCheckpoint(run, checkpoint(2, 2));
    expect(await orphans()).toEqual([]);
    expect((await keys(raw())).filter((key) => (key as string[])[1] === gone.id)).toEqual([]);
    await run.close();
  });

  test('a save whose payload another tab swept is refused, and never half there', async () => {
    const run = await openRuns().create(runInfo);
    await run.saveCheckpoint(checkpoint(1, 1));
    const { count } = store;
    vi.spyOn(store, 'count').mockImplementation(function (this: IDBObjectStore, range) {
      // What a tab that sees no lock would do, just before the commit.
      this.delete(range as IDBKeyRange);
      return count.call(this, range);
    });
    await expect(run.saveCheckpoint(checkpoint(1, 2))).rejects.toThrow(/another tab/);
    vi.restoreAllMocks();
    await expectCheckpoint(run, checkpoint(1, 1));
    expect(await orphans()).toEqual([]);
    await run.close();
  });
});
