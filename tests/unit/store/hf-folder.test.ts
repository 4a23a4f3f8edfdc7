import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { loadModelFolder, type ModelFiles, packModelFolder, urlFiles } from '../../../src/store/hf-folder.ts';
import { nodeFiles, saveModelFolder, writeFilesAtomically } from '../../../src/store/node-files.ts';
import {
  floatTensor,
  int32Tensor,
  readSafetensorsFile,
  type StoredTensor,
  writeSafetensors,
} from '../../../src/store/safetensors.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => utf8(JSON.stringify(value));

function memoryFiles(files: Record<string, Uint8Array>): ModelFiles {
  return { where: 'memory', read: async (name) => files[name] ?? null };
}

const tensor = (name: string, ...values: number[]) =>
  floatTensor(name, [values.length], Float32Array.from(values));
const weightsOf = (...tensors: StoredTensor[]) => writeSafetensors(tensors);

const plain = () => ({
  'config.json': json({
    model_type: 'smolvlm',
    dtype: 'float32',
    text_config: { torch_dtype: 'float32', size: 2 },
  }),
  'tokenizer_config.json': json({ chat_template: 'from the config' }),
  'model.safetensors': weightsOf(tensor('a', 1, 2), tensor('b', 3)),
});

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-store-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('loadModelFolder', () => {
  it('loads one weight file and the files beside it', async () => {
    const folder = await loadModelFolder(memoryFiles(plain()));
    expect(folder.config.model_type).toBe('smolvlm');
    expect(folder.weights.get('a')).toEqual({ shape: [2], data: Float32Array.of(1, 2) });
    expect([...folder.json.keys()]).toEqual(['config.json', 'tokenizer_config.json']);
    expect(folder.chatTemplate).toBe('from the config');
  });

  it('prefers chat_template.jinja, and knows when there is no template', async () => {
    const both = await loadModelFolder(
      memoryFiles({ ...plain(), 'chat_template.jinja': utf8('from the file') }),
    );
    expect(both.chatTemplate).toBe('from the file');
    const neither = await loadModelFolder(memoryFiles({ ...plain(), 'tokenizer_config.json': json({}) }));
    expect(neither.chatTemplate).toBeNull();
  });

  it('names integer buffers instead of loading them as weights', async () => {
    const ids = int32Tensor('position_ids', [2], Int32Array.of(0, 1));
    const files = { ...plain(), 'model.safetensors': weightsOf(tensor('a', 1), ids) };
    const { weights, skipped } = await loadModelFolder(memoryFiles(files));
    expect([...weights.keys()]).toEqual(['a']);
    expect(skipped).toEqual(['position_ids']);
  });

  it("loads transformers' fixture from the disk", async () => {
    const { config, weights } = await loadModelFolder(nodeFiles('tests/fixtures/smolvlm-tiny'));
    expect(config.model_type).toMatch(/smolvlm|idefics3/);
    expect(weights.get('model.text_model.embed_tokens.weight')?.shape).toEqual([96, 48]);
  });

  const sharded = (weightMap: unknown) => ({
    'config.json': json({}),
    'model.safetensors.index.json': json({ metadata: {}, weight_map: weightMap }),
    'one.safetensors': weightsOf(tensor('a', 1), tensor('b', 2)),
    'two.safetensors': weightsOf(tensor('c', 3)),
  });
  const rightMap = { a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' };

  it('loads shards', async () => {
    const { weights } = await loadModelFolder(memoryFiles(sharded(rightMap)));
    expect([...weights].map(([name, { data }]) => [name, data[0]])).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['no config.json', {}, /memory has no config.json/],
    ['a broken config.json', { 'config.json': utf8('{') }, /memory: config.json is not valid JSON/],
    ['a config.json that is a list', { 'config.json': utf8('[]') }, /config.json is not a JSON object/],
    [
      'a broken tokenizer.json',
      { ...plain(), 'tokenizer.json': utf8('<') },
      /tokenizer.json is not valid JSON/,
    ],
    ['no weights', { 'config.json': json({}) }, /no model.safetensors and no model.safetensors.index.json/],
    ['broken weights', { ...plain(), 'model.safetensors': utf8('<html>') }, /memory: model.safetensors/],
    ['an index without a map', sharded(null), /weight_map is missing/],
    ['a shard that is no text', sharded({ a: 1 }), /weight_map\["a"\] is no file name/],
    ['a shard outside the folder', sharded({ a: '../one.safetensors' }), /no plain file name/],
    ['a missing shard', sharded({ ...rightMap, d: 'three.safetensors' }), /no three.safetensors/],
    ['a missing tensor', sharded({ ...rightMap, d: 'two.safetensors' }), /two.safetensors lacks tensor "d"/],
    ['a tensor left out', sharded({ a: 'one.safetensors' }), /holds tensor "b", which/],
    [
      'a tensor in two shards',
      { ...sharded(rightMap), 'two.safetensors': weightsOf(tensor('a', 1), tensor('c', 3)) },
      /"a" is in an earlier file too/,
    ],
  ])('refuses %s', async (_, files, message) => {
    const loading = loadModelFolder(memoryFiles(files));
    await expect(loading).rejects.toThrow(UserError);
    await expect(loading).rejects.toThrow(message);
  });
});

describe('saving', () => {
  it('gives back float32 weights exactly, and the other files byte for byte', async () => {
    const folder = await loadModelFolder(memoryFiles({ ...plain(), 'chat_template.jinja': utf8('{{ x }}') }));
    folder.weights.get('a')!.data[0] = 0.1;
    const target = join(directory, 'made', 'here');
    await saveModelFolder(target, folder, { metadata: { step: '7' } });
    const again = await loadModelFolder(nodeFiles(target));
    expect(again.weights).toEqual(folder.weights);
    expect(again.config).toEqual(folder.config);
    expect(await readFile(join(target, 'chat_template.jinja'), 'utf8')).toBe('{{ x }}');
    expect((await readdir(target)).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'tokenizer_config.json',
    ]);
    const { metadata } = readSafetensorsFile(await readFile(join(target, 'model.safetensors')));
    expect(metadata).toEqual({ format: 'pt', step: '7' });
  });

  it('saves bfloat16 and says so in every dtype of the config', async () => {
    const folder = await loadModelFolder(memoryFiles(plain()));
    folder.weights.get('a')!.data[0] = 1 + 2 ** -8;
    await saveModelFolder(directory, folder, { dtype: 'bfloat16' });
    const again = await loadModelFolder(nodeFiles(directory));
    expect(again.weights.get('a')!.data).toEqual(Float32Array.of(1, 2));
    expect(again.config).toEqual({
      model_type: 'smolvlm',
      dtype: 'bfloat16',
      text_config: { torch_dtype: 'bfloat16', size: 2 },
    });
    const { tensors } = readSafetensorsFile(await readFile(join(directory, 'model.safetensors')));
    expect([...tensors.values()].map(({ dtype }) => dtype)).toEqual(['BF16', 'BF16']);
    // The folder in memory is untouched.
    expect(folder.config.dtype).toBe('float32');
  });

  it('replaces an older model and leaves other files alone', async () => {
    await writeFile(join(directory, 'notes.txt'), 'mine');
    await writeFile(join(directory, 'model.safetensors'), 'old');
    await saveModelFolder(directory, await loadModelFolder(memoryFiles(plain())));
    expect(await readFile(join(directory, 'notes.txt'), 'utf8')).toBe('mine');
    expect((await loadModelFolder(nodeFiles(directory))).weights.size).toBe(2);
  });

  it('refuses weights that do not fit their shape before it writes anything', async () => {
    const folder = await loadModelFolder(memoryFiles(plain()));
    folder.weights.set('a', { shape: [3], data: new Float32Array(2) });
    await expect(saveModelFolder(directory, folder)).rejects.toThrow(/"a" has 8 bytes/);
    expect(await readdir(directory)).toEqual([]);
  });

  it('leaves the old files and no litter when writing fails half-way', async () => {
    await writeFile(join(directory, 'first'), 'old');
    // The second file's temporary name is too long for any file system: the write of the second one fails.
    const files = new Map([
      ['first', utf8('new')],
      ['x'.repeat(250), utf8('new')],
    ]);
    await expect(writeFilesAtomically(directory, files)).rejects.toThrow(/could not be written to/);
    expect(await readdir(directory)).toEqual(['first']);
    expect(await readFile(join(directory, 'first'), 'utf8')).toBe('old');
  });

  it('refuses names that leave the folder', async () => {
    await expect(writeFilesAtomically(directory, new Map([['../x', utf8('')]]))).rejects.toThrow(
      /no plain file name/,
    );
  });

  it('packs the same files for a download', async () => {
    const packed = packModelFolder(await loadModelFolder(memoryFiles(plain())));
    expect([...packed.keys()]).toEqual(['config.json', 'tokenizer_config.json', 'model.safetensors']);
    expect(packed.get('model.safetensors')).toEqual(plain()['model.safetensors']);
  });
});

describe('nodeFiles', () => {
  it('tells a missing file from a missing folder', async () => {
    expect(await nodeFiles(directory).read('config.json')).toBeNull();
    await expect(nodeFiles(join(directory, 'nowhere')).read('config.json')).rejects.toThrow(
      /There is no folder/,
    );
  });

  it('says what cannot be read', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(nodeFiles(join(directory, 'file')).read('config.json')).rejects.toThrow(/could not be read/);
    await expect(nodeFiles(directory).read('../secret')).rejects.toThrow(/no plain file name/);
  });
});

describe('urlFiles', () => {
  let server: Server;
  let base = '';
  beforeEach(async () => {
    server = createServer((request, response) => {
      const answers: Record<string, [number, string, string]> = {
        '/m/config.json': [200, 'application/json', '{"a":1}'],
        '/m/page': [200, 'text/html; charset=utf-8', '<!doctype html>'],
        '/m/broken': [500, 'text/plain', 'no'],
      };
      const [status, type, body] = answers[request.url ?? ''] ?? [404, 'text/plain', 'missing'];
      response.writeHead(status, { 'content-type': type }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/m`;
  });
  afterEach(() => {
    server.close();
  });

  it('reads a file, with and without a slash at the end of the base', async () => {
    expect(await urlFiles(base).read('config.json')).toEqual(utf8('{"a":1}'));
    expect(await urlFiles(`${base}/`).read('config.json')).toEqual(utf8('{"a":1}'));
  });

  it('takes 404, and a page in place of the file, for a missing file', async () => {
    expect(await urlFiles(base).read('model.safetensors')).toBeNull();
    expect(await urlFiles(base).read('page')).toBeNull();
  });

  it('says what failed', async () => {
    await expect(urlFiles(base).read('broken')).rejects.toThrow(
      /broken could not be loaded: the server answered 500/,
    );
    await expect(urlFiles(base).read('../x')).rejects.toThrow(/no plain file name/);
    await expect(urlFiles('http://127.0.0.1:1/m').read('x')).rejects.toThrow(UserError);
  });
});
