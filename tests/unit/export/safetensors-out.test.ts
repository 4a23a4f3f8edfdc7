import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { safetensorsOut, shardPlan, weightFiles } from '../../../src/export/safetensors-out.ts';
import { readSafetensors, toFloat32, writeSafetensors } from '../../../src/store/safetensors.ts';
import { bytesOf, LazySource, shapes, storedTensors, textOf, valuesOf } from './files.ts';

describe('safetensorsOut', () => {
  for (const dtype of ['F32', 'BF16'] as const) {
    it(`${dtype}: the bytes of writeSafetensors, and as many as it says`, async () => {
      const metadata = { step: '3' };
      const file = safetensorsOut('model.safetensors', new LazySource(), { dtype, metadata });
      const bytes = await bytesOf(file);
      const expected = writeSafetensors(storedTensors(dtype), { metadata });
      expect(file.size).toBe(expected.byteLength);
      expect(Buffer.compare(bytes, expected)).toBe(0);
      // Every call begins anew.
      expect(Buffer.compare(await bytesOf(file), expected)).toBe(0);
    });
  }

  it('reads one tensor at a time, when its bytes are wanted, and gives large ones in pieces', async () => {
    const source = new LazySource();
    const file = safetensorsOut('model.safetensors', source);
    const chunks = file.chunks()[Symbol.asyncIterator]();
    await chunks.next();
    expect(source.reads).toEqual([]);
    const sizes: number[] = [];
    for (let next = await chunks.next(); !next.done; next = await chunks.next())
      sizes.push(next.value.byteLength);
    expect(source.reads).toEqual([...shapes.keys()].sort());
    expect(source.mostAtOnce).toBe(1);
    expect(Math.max(...sizes)).toBe(4 * 2 ** 20);
    expect(sizes).toContain(28);
  });

  it('has let go of every tensor before it reads the next one', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const given: WeakRef<Float32Array>[] = [];
    const alive: number[] = [];
    const source = {
      shapes,
      async read(name: string) {
        // A WeakRef holds until the current task ends.
        await new Promise((resolve) => setTimeout(resolve));
        collect();
        alive.push(given.filter((ref) => ref.deref() !== undefined).length);
        const values = valuesOf(name);
        given.push(new WeakRef(values));
        return values;
      },
    };
    for await (const _ of safetensorsOut('model.safetensors', source, { dtype: 'BF16' }).chunks());
    expect(alive).toEqual(Array.from(shapes, () => 0));
  });

  it('refuses a tensor that the source does not have, or has in another size', async () => {
    const source = { shapes: new Map([['a', [2]]]), read: async () => new Float32Array(3) };
    expect(() => safetensorsOut('x', source, { tensors: ['b'] })).toThrow('x: there is no tensor "b"');
    await expect(bytesOf(safetensorsOut('x', source))).rejects.toThrow('"a" has 3 values, but [2] takes 2');
  });
});

describe('shardPlan', () => {
  const plan = (bytes: number) => shardPlan(shapes, 'F32', bytes);

  it('makes one file of what fits', () => {
    expect(shardPlan(shapes, 'F32')).toEqual({
      files: [{ name: 'model.safetensors', tensors: [...shapes.keys()] }],
      index: null,
    });
    const total = 4 * (15 + 2 ** 20 + 7 + 1 + 10);
    expect(plan(total).files).toHaveLength(1);
    expect(plan(total - 1).files).toHaveLength(2);
  });

  it('splits in the order of the tensors, one that is too large alone', () => {
    // huggingface_hub 2.4's split_torch_state_dict_into_shards, given these tensors and max_shard_size=63.
    expect(plan(63).files).toEqual([
      { name: 'model-00001-of-00003.safetensors', tensors: ['model.a'] },
      { name: 'model-00002-of-00003.safetensors', tensors: ['model.b'] },
      { name: 'model-00003-of-00003.safetensors', tensors: ['scalar', 'empty', 'z.last'] },
    ]);
    expect(plan(63).index!.metadata).toEqual({
      total_parameters: 15 + 2 ** 20 + 7 + 1 + 10,
      total_size: 4 * (15 + 2 ** 20 + 7 + 1 + 10),
    });
    expect(shardPlan(shapes, 'BF16', 63).index!.metadata.total_size).toBe(2 * (15 + 2 ** 20 + 7 + 1 + 10));
    expect(() => plan(0)).toThrow('expected more than 0');
  });

  it('writes shards and index that hold every tensor once', async () => {
    const files = weightFiles(new LazySource(), { maxShardBytes: 63 });
    expect(files.map((f) => f.name)).toEqual([
      ...plan(63).files.map((f) => f.name),
      'model.safetensors.index.json',
    ]);
    const index = JSON.parse(await textOf(files[3])) as { weight_map: Record<string, string> };
    for (const file of files.slice(0, 3)) {
      const tensors = readSafetensors(await bytesOf(file));
      for (const [name, tensor] of tensors) {
        expect(index.weight_map[name]).toBe(file.name);
        expect(
          Buffer.compare(Buffer.from(toFloat32(tensor).buffer), Buffer.from(valuesOf(name).buffer)),
        ).toBe(0);
        delete index.weight_map[name];
      }
    }
    expect(index.weight_map).toEqual({});
  });
});
