/** Many tensors read at one moment: what holds on every device. */
import { expect } from 'vitest';
import type { Device } from '../../../src/device/device.ts';
import { scale } from '../../../src/ops/elementwise.ts';
import { Graph } from '../../../src/ops/graph.ts';

const sizes = { a: [3, 5], b: [1], empty: [0], c: [70, 1000] } as const;
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i + seed));

export async function expectSnapshots(device: Device): Promise<void> {
  const store = device.createStore(
    Object.entries(sizes).map(([name, shape], i) => ({
      ...{ name, shape },
      data: values(
        shape.reduce((a: number, b) => a * b, 1),
        i,
      ),
    })),
  );
  const g = new Graph();
  g.assign('a', scale(g, g.variable('a', [3, 5]), 3));
  g.assign('c', scale(g, g.variable('c', [70, 1000]), 3));
  const program = await device.compile(g, [store]);
  const names = ['c', 'a', 'empty', 'b'];
  const single = new Map<string, Float32Array>();
  for (const name of names) single.set(name, await store.read(name));

  // A snapshot is of its own call, whatever is written or run before it is awaited.
  const reading = store.readMany(names);
  store.write('a', values(15, 100));
  const running = program.run();
  const found = await reading;
  expect([...found.keys()]).toEqual(names);
  expect(found).toEqual(single);
  await running;
  expect((await store.readMany(['a'])).get('a')).toEqual(await store.read('a'));
  expect(await store.read('a')).not.toEqual(single.get('a'));

  // The arrays are the caller's.
  found.get('b')![0] = 42;
  expect((await store.read('b'))[0]).not.toBe(42);
  expect(found).not.toEqual(single);

  expect(await store.readMany([])).toEqual(new Map());
  await expect(store.readMany(['a', 'nothing'])).rejects.toThrow('no tensor named nothing');
  program.dispose();
  store.dispose();
}

/** Milliseconds until three tensors' worth of a 1-million-weight model (and the function's own share) are read. */
export async function timeSnapshot(device: Device): Promise<{ total: number; blocking: number }> {
  const names = Array.from({ length: 120 }, (_, i) => `t${i}`);
  const store = device.createStore(names.map((name) => ({ name, shape: [25_000] })));
  await store.readMany(names);
  const begin = performance.now();
  const reading = store.readMany(names);
  const blocking = performance.now() - begin;
  await reading;
  const total = performance.now() - begin;
  store.dispose();
  return { total, blocking };
}
