import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { convertTensor } from '../../../src/store/convert-tensor.ts';
import { loadModelFolder, type ModelFiles } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { openFromMemory, openModelFolder } from '../../../src/store/open-folder.ts';
import {
  floatTensor,
  int32Tensor,
  type StoredTensor,
  writeSafetensors,
} from '../../../src/store/safetensors.ts';
import { bytesInMemory } from '../../../src/store/tensor-source.ts';

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const tensor = (name: string, ...values: number[]) =>
  floatTensor(name, [values.length], Float32Array.from(values));
const weightsOf = (...tensors: StoredTensor[]) => writeSafetensors(tensors);

/** Files of which every read is noted. */
function watched(files: Record<string, Uint8Array>): { files: ModelFiles; reads: string[] } {
  const reads: string[] = [];
  return {
    reads,
    files: {
      where: 'memory',
      read: async (name) => files[name] ?? null,
      async open(name) {
        const bytes = files[name];
        if (!bytes) return null;
        const { size, read } = bytesInMemory(bytes);
        return {
          size,
          read: (begin, end) => {
            reads.push(`${name} ${begin}-${end}`);
            return read(begin, end);
          },
        };
      },
    },
  };
}

const sharded = (weightMap: unknown) => ({
  'config.json': json({}),
  'model.safetensors.index.json': json({ weight_map: weightMap }),
  'one.safetensors': weightsOf(tensor('a', 1), tensor('b', 2)),
  'two.safetensors': weightsOf(tensor('c', 3), int32Tensor('ids', [1], Int32Array.of(1))),
});
const rightMap = { c: 'two.safetensors', ids: 'two.safetensors', a: 'one.safetensors', b: 'one.safetensors' };

describe('openModelFolder', () => {
  it.each(['smolvlm-tiny', 'smolvlm-tiny-untied'])(
    'gives the tensors of %s as loading does',
    async (name) => {
      const files = nodeFiles(`tests/fixtures/${name}`);
      const [open, loaded] = [await openModelFolder(files), await loadModelFolder(files)];
      const { tensors, ...rest } = open;
      const { weights, ...expected } = loaded;
      expect(rest).toEqual(expected);
      expect([...tensors.keys()].sort()).toEqual([...weights.keys()].sort());
      for (const source of tensors.values()) {
        const bytes = await source.read();
        expect(bytes.byteLength).toBe(source.bytes);
        expect(source.shape).toEqual(weights.get(source.name)!.shape);
        expect(convertTensor(bytes, source.dtype, 'f32')).toEqual(weights.get(source.name)!.data);
      }
    },
  );

  it('reads the header alone, and then each tensor once, one behind the other', async () => {
    const big = floatTensor('big', [100_000], new Float32Array(100_000).fill(7), 'BF16');
    const weights = weightsOf(tensor('z', 1, 2), big, tensor('a', 3));
    const { files, reads } = watched({ 'config.json': json({}), 'model.safetensors': weights });
    const { tensors } = await openModelFolder(files);
    expect(reads).toEqual([`model.safetensors 0-${128 * 1024}`]);
    reads.length = 0;
    for (const source of tensors.values()) await source.read();
    expect([...tensors.keys()]).toEqual(['a', 'z', 'big']);
    const places = reads.map((read) => read.split(' ')[1].split('-').map(Number));
    expect(places.slice(1).map(([begin]) => begin)).toEqual(places.slice(0, -1).map(([, end]) => end));
    expect(places.at(-1)![1]).toBe(weights.byteLength);
  });

  it('reads a header that is longer than the first read', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => tensor(`layers.${i}.${'x'.repeat(40)}`, i));
    const { files } = watched({ 'config.json': json({}), 'model.safetensors': weightsOf(...many) });
    const { tensors } = await openModelFolder(files);
    const source = tensors.get(`layers.2999.${'x'.repeat(40)}`)!;
    expect([...convertTensor(await source.read(), source.dtype, 'f32')]).toEqual([2999]);
  });

  it('opens shards in the order of the index', async () => {
    const { files } = watched(sharded(rightMap));
    const { tensors, skipped } = await openModelFolder(files);
    expect([[...tensors.keys()], skipped]).toEqual([['c', 'a', 'b'], ['ids']]);
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['no config.json', {}, /memory has no config.json/],
    ['no weights', { 'config.json': json({}) }, /no model.safetensors and no model.safetensors.index.json/],
    [
      'broken weights',
      { 'config.json': json({}), 'model.safetensors': json('<html>') },
      /memory: model.safetensors/,
    ],
    [
      'a pointer in place of weights',
      {
        'config.json': json({}),
        'model.safetensors': new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid …'),
      },
      /model.safetensors is a Git LFS pointer/,
    ],
    ['a missing shard', sharded({ ...rightMap, d: 'three.safetensors' }), /no three.safetensors/],
    ['a missing tensor', sharded({ ...rightMap, d: 'two.safetensors' }), /two.safetensors lacks tensor "d"/],
    ['a tensor left out', sharded({ a: 'one.safetensors' }), /holds tensor "b", which/],
    [
      'a tensor in two shards',
      {
        ...sharded({ a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' }),
        'two.safetensors': weightsOf(tensor('a', 1), tensor('c', 3)),
      },
      /"a" is in an earlier file too/,
    ],
  ])('refuses %s as loading does', async (_, given, message) => {
    const { files } = watched(given);
    await expect(openModelFolder(files)).rejects.toThrow(UserError);
    await expect(openModelFolder(files)).rejects.toThrow(message);
    await expect(loadModelFolder(files)).rejects.toThrow(message);
  });

  it('says so when a file shrinks between header and tensor', async () => {
    const weights = weightsOf(tensor('a', 1, 2, 3));
    const files: ModelFiles = {
      where: 'memory',
      read: async (name) => (name === 'config.json' ? json({}) : null),
      open: async (name) =>
        name === 'model.safetensors'
          ? {
              size: weights.byteLength,
              read: async (begin, end) => weights.subarray(begin, begin === 0 ? end : end - 4),
            }
          : null,
    };
    const { tensors } = await openModelFolder(files);
    await expect(tensors.get('a')!.read()).rejects.toThrow(/"a" takes 12 bytes, but 8 could be read/);
  });

  it('stops when it is told to', async () => {
    const { files } = watched({ 'config.json': json({}), 'model.safetensors': weightsOf(tensor('a', 1)) });
    await expect(openModelFolder(files, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    const { tensors } = await openModelFolder(files);
    await expect(tensors.get('a')!.read(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

it('gives a folder in memory the same shape', async () => {
  const loaded = await loadModelFolder(nodeFiles('tests/fixtures/smolvlm-tiny'));
  const { tensors, config } = openFromMemory(loaded);
  expect(config).toBe(loaded.config);
  for (const [name, source] of tensors)
    expect(convertTensor(await source.read(), source.dtype, 'f32')).toEqual(loaded.weights.get(name)!.data);
});
