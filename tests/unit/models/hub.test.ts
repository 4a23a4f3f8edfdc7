import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { cacheFolder, ModelCache } from '../../../src/models/cache.ts';
import type { CacheDisk } from '../../../src/models/cache-disk.ts';
import { nodeDisk, nodeIndex } from '../../../src/models/node-cache.ts';
import {
  cachedModels,
  deleteCachedModel,
  type ModelProgress,
  type OpenModelOptions,
  openModel,
} from '../../../src/models/open-model.ts';
import { convertTensor } from '../../../src/store/convert-tensor.ts';
import type { OpenModel } from '../../../src/store/open-folder.ts';
import { StorageFullError } from '../../../src/store/run-store.ts';
import { firstDifference, modelOf, shardedModelOf, sideTexts, someTensors } from '../../model-files.ts';
import type { AskedFor } from '../../model-hub.ts';
import { startModelHub } from '../../model-hub-server.ts';

const id = 'tiny/SmolVLM';
const repo = () => hub.repos.get(id)!;
const set = <T extends object>(target: T, change: Partial<T>) => void Object.assign(target, change);
/** Small parts, so that every file is made of several. */
const partBytes = 30_000;

let hub: Awaited<ReturnType<typeof startModelHub>>;
let root = '';
let cache: ModelCache;
let notices: string[];
let progress: ModelProgress[];

const cacheOn = (disk: CacheDisk = nodeDisk(root, partBytes)) =>
  new ModelCache(disk, nodeIndex(root, cacheFolder));

beforeEach(async () => {
  hub = await startModelHub();
  root = await mkdtemp(join(tmpdir(), 'papo-models-'));
  cache = cacheOn();
  notices = [];
  progress = [];
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

const open = (name = id, options: OpenModelOptions & { revision?: string } = {}): Promise<OpenModel> =>
  openModel(
    { kind: 'hub', id: name, revision: options.revision },
    {
      hubUrl: hub.hubUrl,
      cache,
      retries: { attempts: 3, firstDelay: 5, longestDelay: 2000 },
      onNotice: (sentence) => notices.push(sentence),
      onProgress: (p) => progress.push(p),
      ...options,
    },
  );

async function expectWhole(model: OpenModel, count = 6): Promise<void> {
  expect(model.config).toEqual(JSON.parse(sideTexts['config.json']));
  expect(model.chatTemplate).toBe('{{ messages }}');
  expect(model.tensors.size).toBe(count);
  for (const [name, source] of model.tensors) {
    const values = convertTensor(await source.read(), source.dtype, 'f32');
    expect([name, values.length, firstDifference(name, values)]).toEqual([name, source.shape[0], -1]);
  }
}

const isWeights = ({ to }: AskedFor) => to === 'store';
const starts = (name: string) =>
  hub.downloads.filter((line) => line.startsWith(`${name} `)).map((line) => Number(line.split(' ')[1]));

describe('a model of the Hub', () => {
  it('is opened with the files it needs, at one commit', async () => {
    const commit = hub.commit(id, modelOf());
    await expectWhole(await open());
    expect(hub.downloads.map((line) => line.split(' ')[0]).sort()).toEqual(
      [...Object.keys(sideTexts), 'model.safetensors'].sort(),
    );
    for (const { path } of hub.requests) if (path.includes('/resolve/')) expect(path).toContain(commit);
    const [info] = await cachedModels(cache);
    expect(info).toMatchObject({
      key: `hub:${id}@${commit}`,
      name: id,
      revision: 'main',
      commit,
      isWhole: true,
    });
    expect(info.bytes).toBe(info.totalBytes);
    expect(info.files.every((file) => /^[0-9a-f]{64}$/.test(file.sha256!))).toBe(true);
  });

  it('is opened from an address, and from shards', async () => {
    const hubUrl = hub.hubUrl;
    hub.commit(id, shardedModelOf(), 'v2');
    const model = await openModel(
      { kind: 'hub', id: `https://huggingface.co/${id}/tree/v2` },
      { hubUrl, cache, retries: { attempts: 1 } },
    );
    await expectWhole(model);
    expect(starts('model-00003-of-00003.safetensors')).toEqual([0]);
  });

  it('is not asked for twice, and a new commit is loaded beside the old one', async () => {
    hub.commit(id, modelOf());
    await open();
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(hub.downloads).toEqual([]);
    hub.commit(id, modelOf(someTensors(100)));
    const model = await open();
    expect(model.tensors.get('model.t1')!.shape).toEqual([100]);
    expect(await cachedModels(cache)).toHaveLength(2);
  });

  it('sends the token to the Hub alone, and keeps it nowhere', async () => {
    hub.commit(id, modelOf());
    hub.repos.get(id)!.gated = 'manual';
    await expectWhole(await open(id, { token: ` ${hub.token} ` }));
    for (const { to, authorization } of hub.requests)
      expect(authorization).toBe(to === 'hub' ? `Bearer ${hub.token}` : null);
    for (const name of await readdir(root, { recursive: true })) {
      const text = await readFile(join(root, name), 'latin1').catch(() => '');
      expect(text).not.toContain(hub.token);
    }
  });

  it('tells how far it is', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { slow: 100 } : undefined);
    await open();
    const total = progress[0].totalBytes;
    const [info] = await cachedModels(cache);
    expect(total).toBe(info.bytes);
    const loaded = progress.map((p) => p.loadedBytes);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toMatchObject({ file: 'model.safetensors', loadedBytes: total, secondsLeft: 0 });
    expect(progress.some((p) => p.bytesPerSecond! > 0 && p.secondsLeft! > 0)).toBe(true);
  });
});

describe('an interrupted download', () => {
  it('goes on where the connection was cut', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) =>
      isWeights(asked) && asked.range !== 'bytes=90000-' ? { cutAfter: 45_000 } : undefined;
    await expectWhole(await open());
    expect(starts('model.safetensors')).toEqual([0, 45_000, 90_000]);
  });

  it('goes on where the last one was given up', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) =>
      isWeights(asked) ? { cutAfter: asked.range === 'bytes=0-' ? 50_000 : 0 } : undefined;
    await expect(open()).rejects.toThrow(/The Hub cannot be reached .*What has arrived is kept/);
    const [info] = await cachedModels(cache);
    expect(info.isWhole).toBe(false);
    expect(info.bytes).toBeGreaterThan(50_000);
    expect(info.bytes).toBeLessThan(info.totalBytes);
    hub.trouble = null;
    hub.requests.length = 0;
    progress.length = 0;
    await expectWhole(await open());
    expect(hub.downloads).toEqual(['model.safetensors 50000']);
    expect(progress.find((p) => p.phase === 'downloading')!.loadedBytes).toBeGreaterThan(50_000);
  });

  it('goes on after an abort, which ends it at once', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { slow: 20 } : undefined);
    const abort = new AbortController();
    const loading = open(id, {
      signal: abort.signal,
      onProgress: (p) =>
        p.file === 'model.safetensors' && p.loadedBytes > 20_000 && abort.abort(new Error('enough')),
    });
    await expect(loading).rejects.toThrow('enough');
    expect((await cachedModels(cache))[0].isWhole).toBe(false);
    hub.trouble = null;
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(starts('model.safetensors')).toHaveLength(1);
    expect(starts('model.safetensors')[0]).toBeGreaterThan(10_000);
  });

  it('counts a connection that has gone silent as lost', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { slow: 10_000 } : undefined);
    const retries = { attempts: 2, firstDelay: 5, timeout: 1000 };
    await expect(open(id, { retries })).rejects.toThrow(/cannot be reached \(no byte came for 1 s\)/);
    expect(starts('model.safetensors')).toEqual([0, 0]);
  });

  it('starts over at a server without ranges', async () => {
    hub.commit(id, modelOf());
    let tries = 0;
    hub.trouble = (asked) =>
      isWeights(asked) ? { noRange: true, cutAfter: tries++ < 2 ? 60_000 : undefined } : undefined;
    await expectWhole(await open());
    expect(tries).toBe(3);
  });

  it('gives up on a server without ranges that never comes to the end', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { noRange: true, cutAfter: 60_000 } : undefined);
    await expect(open()).rejects.toThrow(/cannot be reached/);
    expect(starts('model.safetensors').length).toBeLessThan(6);
  });

  it('finds out at the end when what was there is of something else', async () => {
    const commit = hub.commit(id, modelOf());
    hub.trouble = (asked) =>
      isWeights(asked) ? { cutAfter: asked.range === 'bytes=0-' ? 50_000 : 0 } : undefined;
    await expect(open()).rejects.toThrow(UserError);
    hub.trouble = null;
    const part = join(root, await cacheFolder(`hub:${id}@${commit}`), 'model.safetensors.0000');
    const bytes = await readFile(part);
    bytes[20_000] ^= 1;
    await writeFile(part, bytes);
    await expectWhole(await open());
    expect(starts('model.safetensors').slice(-2)).toEqual([50_000, 0]);
  });
});

describe('damage', () => {
  it('on the way is found, and the file loaded again; twice is an error that leaves nothing', async () => {
    hub.commit(id, modelOf());
    let isFirst = true;
    hub.trouble = (asked) => {
      if (!isWeights(asked) || !isFirst) return undefined;
      isFirst = false;
      return { damage: true };
    };
    await expectWhole(await open());
    hub.commit('tiny/other', modelOf(someTensors(3000)));
    hub.trouble = (asked) => (isWeights(asked) ? { damage: true } : undefined);
    await expect(open('tiny/other')).rejects.toThrow(
      /model.safetensors arrived damaged twice \(its SHA-256 is/,
    );
    expect((await cachedModels(cache)).map(({ name }) => name)).toEqual([id]);
  });

  it('of a small file is found by its git hash', async () => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (asked.path.endsWith('tokenizer.json') ? { damage: true } : undefined);
    await expect(open()).rejects.toThrow(/tokenizer.json arrived damaged twice \(its git SHA-1 is/);
  });

  it.each<[string, (bytes: Buffer) => Buffer, RegExp, number]>([
    ['a flipped bit', (bytes) => bytes.fill(bytes[100] ^ 1, 100, 101), /its SHA-256 is/, 0],
    ['a file cut off', (bytes) => bytes.subarray(0, 1000), /it has \d+ bytes, but should have/, 91_000],
    ['bytes too many', (bytes) => Buffer.concat([bytes, bytes]), /it has \d+ bytes/, 0],
  ])('on the disk is found and said, and loaded again: %s', async (_, change, message, from) => {
    const commit = hub.commit(id, modelOf());
    await open();
    const folder = join(root, await cacheFolder(`hub:${id}@${commit}`));
    // The last full part.
    const path = join(folder, 'model.safetensors.0003');
    await writeFile(path, change(await readFile(path)));
    hub.requests.length = 0;
    await expectWhole(await open());
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/model.safetensors was kept damaged/);
    expect(notices[0]).toMatch(message);
    expect(hub.downloads).toEqual([`model.safetensors ${from}`]);
    notices.length = 0;
    await open();
    expect(notices).toEqual([]);
  });

  it('of the index is as if nothing were there', async () => {
    const commit = hub.commit(id, modelOf());
    await open();
    await writeFile(join(root, await cacheFolder(`hub:${id}@${commit}`), 'papo-model.json'), '{"key":');
    await expectWhole(await open());
  });
});

describe('without a connection', () => {
  it('uses what is kept, and says so; a commit is not even asked for', async () => {
    const commit = hub.commit(id, modelOf());
    await open();
    const nowhere = { hubUrl: 'http://127.0.0.1:9' };
    await expectWhole(await open(id, nowhere));
    expect(notices).toEqual([expect.stringMatching(/cannot be asked whether tiny\/SmolVLM has changed/)]);
    await expectWhole(await open(`${id}@${commit}`, nowhere));
    expect(notices).toHaveLength(1);
    hub.trouble = () => ({ status: 429, headers: { 'Retry-After': '3600' } });
    await expectWhole(await open());
    expect(notices).toHaveLength(2);
    await expect(open('tiny/other', nowhere)).rejects.toThrow(/The Hub cannot be reached \(.*pick the model/);
    await expect(open(`${id}@v2`, nowhere)).rejects.toThrow(/cannot be reached/);
  });

  it('does not try for long when the browser is offline', async () => {
    vi.stubGlobal('navigator', { onLine: false });
    const started = performance.now();
    const retries = { attempts: 5, firstDelay: 5_000 };
    await expect(open(id, { hubUrl: 'http://127.0.0.1:9', retries })).rejects.toThrow(/There is no network/);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('what cannot be loaded ends in a sentence that says what to do', () => {
  it.each<[string, () => void, OpenModelOptions & { name?: string; revision?: string }, RegExp]>([
    [
      'a gated model without a token',
      () => set(repo(), { gated: 'manual' }),
      {},
      /tiny\/SmolVLM is gated \(401\): accept the licence at http:\/\/\S+\/tiny\/SmolVLM and give an access token/,
    ],
    [
      'a gated model that the token may not read',
      () => {
        hub.repos.get(id)!.gated = 'auto';
        hub.trouble = ({ path }) =>
          path.includes('/resolve/') ? { status: 403, headers: { 'X-Error-Code': 'GatedRepo' } } : undefined;
      },
      { token: 'hf_FakeTokenOfATest0123456789' },
      /is gated, and this token has no access to it \(403\)/,
    ],
    [
      'a model that is not there',
      () => {},
      { name: 'tiny/SmolVML' },
      /The Hub has no model tiny\/SmolVML \(401\): is it spelt as at/,
    ],
    [
      'a model that is not there, with a token',
      () => {},
      { name: 'tiny/SmolVML', token: 'hf_FakeTokenOfATest0123456789' },
      /no model tiny\/SmolVML \(404\): .* this token has no access/,
    ],
    [
      'a private model',
      () => set(repo(), { isPrivate: true }),
      {},
      /If it is private or gated, give an access token/,
    ],
    [
      'a revision that is not there',
      () => {},
      { revision: 'v9' },
      /has no revision "v9" \(404\): look at the branches/,
    ],
    ['a wrong token', () => {}, { token: 'hf_wrong' }, /The Hub refused the token \(401\)/],
    [
      'no token at all',
      () => {},
      { token: 'secret' },
      /this is no access token of the Hub: expected one that begins with hf_/,
    ],
    [
      'too many requests',
      () => set(hub, { trouble: () => ({ status: 429, headers: { 'Retry-After': '3600' } }) }),
      {},
      /too many requests \(429\): try again in 3600 seconds/,
    ],
    [
      'a server that is not well',
      () => set(hub, { trouble: () => ({ status: 503 }) }),
      {},
      /The Hub is not well \(503\), also when asked again/,
    ],
    [
      'a disabled model',
      () => set(hub, { trouble: () => ({ status: 403, headers: { 'X-Error-Code': 'DisabledRepo' } }) }),
      {},
      /was disabled by the Hub/,
    ],
    ['no model', () => void hub.commit(id, { 'README.md': '' }), {}, /has no config.json/],
    [
      'another kind of model',
      () => void hub.commit(id, { ...modelOf(), 'config.json': '{"model_type":"llama"}' }),
      {},
      /tiny\/SmolVLM: its model_type is "llama", so it is no SmolVLM/,
    ],
    [
      'pickles alone',
      () => void hub.commit(id, { ...sideTexts, 'pytorch_model.bin': 'x' }),
      {},
      /has its weights as pytorch_model.bin alone, a Python pickle, .* convert it with transformers/,
    ],
    ['no weights', () => void hub.commit(id, sideTexts), {}, /has no weights: expected model.safetensors/],
    [
      'a missing shard',
      () => {
        const { 'model-00002-of-00003.safetensors': _, ...rest } = shardedModelOf();
        hub.commit(id, rest);
      },
      {},
      /has no model-00002-of-00003.safetensors, which model.safetensors.index.json names/,
    ],
  ])('%s', async (_, prepare, { name, ...options }, message) => {
    hub.commit(id, modelOf());
    prepare();
    const loading = open(name, options);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toBeInstanceOf(UserError);
    // Nothing large was asked for.
    expect(hub.requests.filter(isWeights)).toEqual([]);
    // And nothing of it stays behind.
    expect([await cachedModels(cache), await readdir(root)]).toEqual([[], []]);
  });

  it('a server that recovers is asked again, as late as it wants', async () => {
    hub.commit(id, modelOf());
    let failures = 0;
    hub.trouble = ({ path }) => {
      if (!path.endsWith('tokenizer.json') || failures++ >= 2) return undefined;
      return failures === 1 ? { status: 502 } : { status: 429, headers: { 'Retry-After': '1' } };
    };
    const started = performance.now();
    await expectWhole(await open());
    expect(performance.now() - started).toBeGreaterThan(950);
  });

  it('no sentence quotes the token', async () => {
    hub.commit(id, modelOf());
    hub.trouble = () => ({ status: 400, headers: { 'X-Error-Message': `bad ${hub.token}` } });
    await expect(open(id, { token: hub.token })).rejects.toThrow(/bad \[token\]/);
  });
});

describe('a full disk', () => {
  const full = (after: number, error: unknown): CacheDisk => {
    const disk = nodeDisk(root, partBytes);
    let left = after;
    return {
      ...disk,
      slot(folder, file) {
        const slot = disk.slot(folder, file);
        return {
          ...slot,
          async writer() {
            const writer = await slot.writer();
            return {
              ...writer,
              async write(bytes) {
                left -= bytes.byteLength;
                if (left < 0) throw error;
                await writer.write(bytes);
              },
            };
          },
        };
      },
    };
  };

  it.each<[string, unknown]>([
    ['a browser', new DOMException('full', 'QuotaExceededError')],
    ['Node', Object.assign(new Error('full'), { code: 'ENOSPC' })],
  ])('in %s ends in a sentence, and nothing is taken for whole', async (_, error) => {
    hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { slow: 20 } : undefined);
    cache = cacheOn(full(100_000, error));
    const loading = open();
    await expect(loading).rejects.toBeInstanceOf(StorageFullError);
    await expect(loading).rejects.toThrow(
      /tiny\/SmolVLM does not fit on the disk: 1 MB are still missing.*Delete models/,
    );
    cache = cacheOn();
    expect((await cachedModels(cache))[0].isWhole).toBe(false);
    await expectWhole(await open());
    expect(starts('model.safetensors').at(-1)).toBeGreaterThan(0);
  });

  it('is not filled when it is known that there is no room', async () => {
    hub.commit(id, modelOf());
    vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage: 900_000, quota: 950_000 }) } });
    await expect(open()).rejects.toThrow(/does not fit on the disk: 1 MB are still missing, 1 MB are free/);
    expect(hub.requests.filter(isWeights)).toEqual([]);
  });
});

describe('the list', () => {
  it('deletes what is wanted, and sweeps what nobody knows', async () => {
    hub.commit(id, modelOf());
    hub.commit('tiny/other', modelOf(someTensors(10)));
    await open();
    await open('tiny/other');
    const models = await cachedModels(cache);
    expect(models.map(({ name }) => name)).toEqual(['tiny/other', id]);
    await deleteCachedModel(models[1].key, cache);
    await deleteCachedModel('hub:nobody/knows@1', cache);
    expect((await cachedModels(cache)).map(({ name }) => name)).toEqual(['tiny/other']);
    await rm(join(root, await cacheFolder(models[0].key), 'papo-model.json'));
    await cache.sweep();
    expect(await readdir(root)).toEqual([]);
  });

  it('does not delete what is being loaded, and two loads do the work once', async () => {
    const commit = hub.commit(id, modelOf());
    hub.trouble = (asked) => (isWeights(asked) ? { slow: 30 } : undefined);
    const both = Promise.all([open(), open()]);
    await vi.waitFor(() => expect(hub.requests.some(isWeights)).toBe(true), 5000);
    await expect(deleteCachedModel(`hub:${id}@${commit}`, cache)).rejects.toThrow(/is being loaded/);
    for (const model of await both) await expectWhole(model);
    expect(notices).toEqual([expect.stringMatching(/is being loaded already, .* waiting for that/)]);
    expect(starts('model.safetensors')).toEqual([0]);
  });
});
