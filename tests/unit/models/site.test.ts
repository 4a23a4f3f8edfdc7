import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { ModelCache } from '../../../src/models/cache.ts';
import { memoryDisk } from '../../../src/models/cache-disk.ts';
import { memoryIndex } from '../../../src/models/cache-index.ts';
import { cachedModels, type OpenModelOptions, openModel } from '../../../src/models/open-model.ts';
import { convertTensor } from '../../../src/store/convert-tensor.ts';
import type { OpenModel } from '../../../src/store/open-folder.ts';
import { firstDifference, modelOf, shardedModelOf, someTensors } from '../../model-files.ts';
import { type StaticSite, startSite } from '../../model-hub-server.ts';

let site: StaticSite;
let cache: ModelCache;
beforeEach(async () => {
  site = await startSite();
  cache = new ModelCache(memoryDisk(), memoryIndex());
});
afterEach(() => site.close());

let version = 0;
function serve(files: Record<string, Uint8Array | string>): void {
  version++;
  site.files.clear();
  for (const [name, data] of Object.entries(files)) {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    site.files.set(name, { bytes, etag: `"${name}-${version}"` });
  }
}

const open = (options: OpenModelOptions & { keep?: boolean; url?: string } = {}) =>
  openModel(
    { kind: 'site', url: options.url ?? '/models/own', keep: options.keep },
    { base: site.url, cache, retries: { attempts: 3, firstDelay: 5 }, ...options },
  );

async function expectWhole(model: OpenModel): Promise<void> {
  expect(model.chatTemplate).toBe('{{ messages }}');
  for (const [name, source] of model.tensors) {
    const values = convertTensor(await source.read(), source.dtype, 'f32');
    expect([name, values.length, firstDifference(name, values)]).toEqual([name, source.shape[0], -1]);
  }
}
const weightRequests = () =>
  site.requests.filter((line) => line.startsWith('model') && line.includes('.safetensors '));

/** 12 MB: more than is read at once. */
const large = () => someTensors(100_000, 30);

describe('a model of the site', () => {
  it('is read where it lies, in few requests that follow one another', async () => {
    serve(modelOf(large()));
    const model = await open();
    expect(weightRequests()).toEqual(['model.safetensors 0-262143']);
    await expectWhole(model);
    const rest = weightRequests()
      .slice(1)
      .map((line) => Number(line.split(' ')[1].split('-')[0]));
    expect(rest.length).toBeLessThan(5);
    expect(rest).toEqual(rest.toSorted((a, b) => a - b));
    expect(await cachedModels(cache)).toEqual([]);
  });

  it('is asked for again where an answer breaks off', async () => {
    serve(modelOf(large()));
    const cut = new Set<string>();
    site.trouble = (name, range) => {
      if (!name.endsWith('.safetensors') || cut.has(range!)) return undefined;
      cut.add(range!);
      return { cutAfter: 100_000 };
    };
    await expectWhole(await open());
    expect(cut.size).toBeGreaterThan(1);
    site.trouble = () => ({ cutAfter: 5 });
    await expect(open()).rejects.toThrow(/cannot be reached \(/);
  });

  it('is read from shards', async () => {
    serve(shardedModelOf(someTensors(100_000, 6)));
    await expectWhole(await open());
  });

  it('of small size is read in one piece, from a server without ranges too', async () => {
    serve(modelOf());
    await expectWhole(await open());
    site.trouble = () => ({ noRange: true });
    site.requests.length = 0;
    await expectWhole(await open());
    expect(weightRequests()).toEqual(['model.safetensors 0-262143']);
  });

  it('goes through the cache where the server gives no parts', async () => {
    serve(modelOf(large()));
    site.trouble = (name) => (name.endsWith('.safetensors') ? { noLength: true } : undefined);
    await expectWhole(await open());
    const [info] = await cachedModels(cache);
    expect(info).toMatchObject({ kind: 'site', name: site.url, isWhole: true });
    expect(info.totalBytes).toBe(info.bytes);
  });

  it('that changes while it is read is an error', async () => {
    serve(modelOf(large()));
    const model = await open();
    serve(modelOf(large()));
    await expect(model.tensors.get('model.t29')!.read()).rejects.toThrow(
      /was changed while it was read: load the model again/,
    );
  });

  it.each<[string, () => void, OpenModelOptions & { url?: string }, RegExp]>([
    ['nothing', () => serve({}), {}, /has no config.json/],
    [
      'no weights',
      () => serve({ 'config.json': '{"model_type":"smolvlm"}' }),
      {},
      /has no model.safetensors and no/,
    ],
    ['another origin', () => serve(modelOf()), { url: 'https://example.com/m' }, /lies outside/],
    [
      'a server that fails',
      () => {
        serve(modelOf());
        site.trouble = (name) => (name === 'tokenizer.json' ? { status: 500 } : undefined);
      },
      {},
      /tokenizer.json could not be loaded: the server answered 500, also when asked again/,
    ],
    [
      'another kind of model',
      () => serve({ ...modelOf(), 'config.json': '{}' }),
      {},
      /its model_type is undefined, so it is no SmolVLM/,
    ],
  ])('that is %s is refused', async (_, prepare, options, message) => {
    prepare();
    await expect(open(options)).rejects.toThrow(message);
    await expect(open(options)).rejects.toBeInstanceOf(UserError);
  });
});

describe('a kept model of the site', () => {
  it('is loaded once, as long as it stays the same', async () => {
    serve(modelOf());
    await expectWhole(await open({ keep: true }));
    site.requests.length = 0;
    await expectWhole(await open({ keep: true }));
    // Its beginning is asked for, to see whether it is still the same.
    expect(weightRequests()).toEqual(['model.safetensors 0-262143']);
    serve(modelOf(someTensors(77)));
    const model = await open({ keep: true });
    expect(model.tensors.get('model.t1')!.shape).toEqual([77]);
    await expectWhole(model);
    expect(await cachedModels(cache)).toHaveLength(1);
  });

  const cutAt = (bytes: number) => {
    site.trouble = (name, range) =>
      name === 'model.safetensors' && range === 'bytes=0-' ? { cutAfter: bytes } : undefined;
  };

  it('goes on after a cut, with the version that it began with', async () => {
    serve(modelOf(large()));
    cutAt(5_000_000);
    await expectWhole(await open({ keep: true }));
    expect(weightRequests().slice(1)).toEqual(['model.safetensors 0-', 'model.safetensors 5000000-']);
  });

  it.each([true, false])(
    'starts over when the file changes meanwhile (If-Range understood: %s)',
    async (isUnderstood) => {
      serve(modelOf(large()));
      const changed = modelOf(someTensors(90_000, 30));
      let isChanged = false;
      site.trouble = (name, range) => {
        if (name !== 'model.safetensors') return undefined;
        if (range === 'bytes=0-') return isChanged ? undefined : { cutAfter: 5_000_000 };
        if (range === 'bytes=5000000-' && !isChanged) {
          isChanged = true;
          serve(changed);
          // A server that does not know If-Range sends a part of the new file.
          if (!isUnderstood) site.files.get(name)!.etag = '*';
        }
        return undefined;
      };
      await expectWhole(await open({ keep: true }));
      const [info] = await cachedModels(cache);
      expect(info.files.find(({ name }) => name === 'model.safetensors')!.size).toBe(
        (changed['model.safetensors'] as Uint8Array).byteLength,
      );
    },
  );
});
