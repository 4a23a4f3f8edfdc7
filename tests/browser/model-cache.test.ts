/** Downloads on the browser's own disk. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ModelCache } from '../../src/models/cache.ts';
import { idbIndex } from '../../src/models/cache-index.ts';
import {
  cachedModels,
  deleteCachedModel,
  type OpenModelOptions,
  openModel,
} from '../../src/models/open-model.ts';
import { opfsDisk } from '../../src/models/opfs-disk.ts';
import { convertTensor } from '../../src/store/convert-tensor.ts';
import type { OpenModel } from '../../src/store/open-folder.ts';
import { firstDifference, modelOf, someTensors } from '../model-files.ts';
import { FakeModelHub, fetchFrom } from '../model-hub.ts';
import { deleteDB } from './idb-helpers.ts';
import type { WorkerAnswer, WorkerTask } from './model-cache-worker.ts';

const id = 'tiny/SmolVLM';

const databases: string[] = [];
async function newCache(): Promise<ModelCache> {
  const name = `papo-web-models-test-${crypto.randomUUID()}`;
  databases.push(name);
  return new ModelCache((await opfsDisk())!, idbIndex(name));
}

afterEach(async () => {
  vi.restoreAllMocks();
  const root = await navigator.storage.getDirectory();
  for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
  for (const name of databases.splice(0)) await deleteDB(name);
});

/** Every file on the disk, with its handle. */
async function stored(): Promise<Map<string, FileSystemFileHandle>> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('models', { create: true });
  const found = new Map<string, FileSystemFileHandle>();
  for await (const folder of root.values()) {
    if (folder.kind !== 'directory') continue;
    for await (const [name, handle] of (folder as FileSystemDirectoryHandle).entries())
      found.set(name, handle as FileSystemFileHandle);
  }
  return found;
}

async function expectWhole(model: OpenModel): Promise<void> {
  for (const [name, source] of model.tensors) {
    const values = convertTensor(await source.read(), source.dtype, 'f32');
    expect([name, firstDifference(name, values)]).toEqual([name, -1]);
  }
}

function setUp(hub: FakeModelHub, cache: ModelCache) {
  const notices: string[] = [];
  const open = (options: OpenModelOptions = {}) =>
    openModel(
      { kind: 'hub', id },
      {
        hubUrl: hub.hubUrl,
        cache,
        fetch: fetchFrom(hub),
        retries: { attempts: 2, firstDelay: 5 },
        onNotice: (sentence) => notices.push(sentence),
        ...options,
      },
    );
  return { open, notices };
}

describe('downloads on the page itself, written as streams', () => {
  it('are kept, resumed after an abort, listed and deleted', async () => {
    const hub = new FakeModelHub();
    const cache = await newCache();
    const { open, notices } = setUp(hub, cache);
    // 40 MB: two parts.
    const key = `hub:${id}@${hub.commit(id, modelOf(someTensors(400_000, 25)))}`;
    const abort = new AbortController();
    const onProgress: OpenModelOptions['onProgress'] = ({ loadedBytes }) =>
      loadedBytes > 35e6 && abort.abort(new Error('enough'));
    await expect(open({ signal: abort.signal, onProgress })).rejects.toThrow('enough');
    const [partial] = await cachedModels(cache);
    expect([partial.isWhole, partial.bytes > 34e6, partial.bytes < partial.totalBytes]).toEqual([
      false,
      true,
      true,
    ]);
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(hub.downloads).toHaveLength(1);
    expect(Number(hub.downloads[0].split(' ')[1])).toBeGreaterThan(34e6);
    expect([...(await stored()).keys()].filter((name) => name.startsWith('model.')).sort()).toEqual([
      'model.safetensors.0000',
      'model.safetensors.0001',
    ]);

    // Another page: a new cache over the same disk and index.
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(hub.downloads).toEqual([]);
    const [whole] = await cachedModels(cache);
    expect([whole.isWhole, whole.bytes]).toEqual([true, whole.totalBytes]);
    expect(notices).toEqual([]);
    await deleteCachedModel(key, cache);
    expect([await cachedModels(cache), [...(await stored()).keys()]]).toEqual([[], []]);
  });

  it('that were damaged are found, said and loaded again', async () => {
    const hub = new FakeModelHub();
    const { open, notices } = setUp(hub, await newCache());
    hub.commit(id, modelOf());
    await open();
    const file = (await stored()).get('model.safetensors.0000')!;
    const stream = await file.createWritable({ keepExistingData: true });
    await stream.write({ type: 'write', position: 5000, data: Uint8Array.of(1, 2, 3) });
    await stream.close();
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(notices).toEqual([expect.stringMatching(/model.safetensors was kept damaged \(its SHA-256 is/)]);
    expect(hub.downloads).toEqual(['model.safetensors 0']);
  });

  it('end in a sentence when the disk is full', async () => {
    const hub = new FakeModelHub();
    const cache = await newCache();
    const { open } = setUp(hub, cache);
    hub.commit(id, modelOf());
    const { write } = FileSystemWritableFileStream.prototype;
    let left = 50_000;
    vi.spyOn(FileSystemWritableFileStream.prototype, 'write').mockImplementation(function (
      this: FileSystemWritableFileStream,
      data,
    ) {
      left -= (data as Uint8Array).byteLength;
      if (left < 0) throw new DOMException('full', 'QuotaExceededError');
      return write.call(this, data);
    });
    await expect(open()).rejects.toThrow(/tiny\/SmolVLM does not fit on the disk: 1 MB are still missing/);
    expect((await cachedModels(cache))[0].isWhole).toBe(false);
    vi.restoreAllMocks();
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(hub.downloads).toEqual([expect.stringMatching(/^model.safetensors [1-9]/)]);
  });

  it('wait for one another, and are not deleted meanwhile', async () => {
    const hub = new FakeModelHub();
    const cache = await newCache();
    const { open } = setUp(hub, cache);
    const key = `hub:${id}@${hub.commit(id, modelOf())}`;
    hub.trouble = ({ to }) => (to === 'store' ? { slow: 20 } : undefined);
    const both = Promise.all([open(), open()]);
    await vi.waitFor(() => expect(hub.requests.some(({ to }) => to === 'store')).toBe(true));
    expect((await navigator.locks.query()).held!.map(({ name }) => name)).toContain(`papo-web/model/${key}`);
    await expect(deleteCachedModel(key, cache)).rejects.toThrow(/is being loaded/);
    for (const model of await both) await expectWhole(model);
    expect(hub.downloads.filter((line) => line.startsWith('model.safetensors'))).toHaveLength(1);
  });
});

describe('downloads in a worker, written in place', () => {
  const start = () => new Worker(new URL('./model-cache-worker.ts', import.meta.url), { type: 'module' });
  const ask = (worker: Worker, task: WorkerTask) =>
    new Promise<WorkerAnswer>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data as WorkerAnswer);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(task);
    });
  const weightsFrom = ({ downloads }: WorkerAnswer) =>
    downloads
      .filter((line) => line.startsWith('model.safetensors'))
      .map((line) => Number(line.split(' ')[1]));

  afterEach(() => deleteDB('papo-web-models'));

  it('outlive a kill, are finished by another worker, and found whole by a third', async () => {
    const first = start();
    expect(await ask(first, { stallAt: 35e6 })).toMatchObject({ error: 'stalled' });
    first.terminate();

    const second = start();
    const finished = await ask(second, {});
    expect(finished).toMatchObject({ wrong: [], notices: [], models: [{ isWhole: true }] });
    // In the first part's file and in the second's nothing was lost.
    expect(weightsFrom(finished)).toHaveLength(1);
    expect(weightsFrom(finished)[0]).toBeGreaterThanOrEqual(34.9e6);
    second.terminate();

    const third = start();
    const again = await ask(third, { delete: true });
    expect(again).toMatchObject({ downloads: [], wrong: [], models: [] });
    third.terminate();
    expect([...(await stored()).keys()]).toEqual([]);
  });

  it('go on after an abort', async () => {
    const worker = start();
    expect(await ask(worker, { abortAt: 10e6 })).toMatchObject({ error: 'enough' });
    const finished = await ask(worker, {});
    expect(finished).toMatchObject({ wrong: [], models: [{ isWhole: true }] });
    expect(weightsFrom(finished)[0]).toBeGreaterThan(9e6);
    worker.terminate();
  });
});
