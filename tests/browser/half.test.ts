/** Frozen weights in half floats: every kernel that reads them, packed in pairs, against the float64 reference. */
import { describe, expect, test } from 'vitest';
import type { GemmPlan } from '../../src/device/webgpu/gemm.ts';
import { Graph } from '../../src/ops/graph.ts';
import { matmul } from '../../src/ops/linear.ts';
import { halfCases } from '../half-cases.ts';
import { compareWithReference, noise, testDevice } from './helpers.ts';

const plans: GemmPlan[] = [
  { variant: 'register', splitTo: 0 },
  { variant: 'register8', splitTo: 0 },
  { variant: 'shared32', splitTo: 0 },
  { variant: 'shared64', splitTo: 0 },
  { variant: 'shared8', splitTo: 0 },
  { variant: 'register', splitTo: 16 },
];

describe.each(plans)('$variant, splitting to $splitTo', (gemm) => {
  test.each(halfCases)('$name', async ({ build, inputs, variables }) => {
    const device = await testDevice({ gemm, coreLimits: true });
    await compareWithReference(build, inputs, { tolerance: 1e-5, device, variables });
  });
});

test.each(halfCases)('few rows where barriers are cheap: $name', async ({ build, inputs, variables }) => {
  const device = await testDevice({ cheapBarriers: true, coreLimits: true });
  await compareWithReference(build, inputs, { tolerance: 1e-5, device, variables });
});

describe('a store with tensors in half floats', () => {
  test('takes float32 and bits, an odd number of them too, and gives float32', async () => {
    const device = await testDevice();
    const before = device.allocatedBytes;
    const store = device.createStore([
      { name: 'odd', shape: [3], dtype: 'f16', data: Float32Array.of(1 / 3, -65504, 2 ** -24) },
      { name: 'bits', shape: [2, 2], dtype: 'f16', data: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 1) },
      { name: 'zeros', shape: [5], dtype: 'f16' },
      { name: 'full', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    ]);
    expect(device.allocatedBytes - before).toBe(8 + 8 + 12 + 8);
    expect(store.names.map((name) => store.dtype(name))).toEqual(['f16', 'f16', 'f16', 'f32']);
    const all = await store.readMany(store.names);
    expect([...all.get('odd')!]).toEqual([0.333251953125, -65504, 2 ** -24]);
    expect([...all.get('bits')!]).toEqual([1, -2, 65504, 2 ** -24]);
    expect([...all.get('zeros')!]).toEqual([0, 0, 0, 0, 0]);
    expect([...(await store.read('full'))]).toEqual([1, -2]);
    store.write('odd', Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 0));
    // Ties to even.
    expect([...(await store.read('odd'))]).toEqual([1, 1 + 2 ** -9, 0]);
    expect(() => store.write('odd', Float32Array.of(0, 1e6, 0))).toThrow('odd holds 1000000');
    store.dispose();
  });

  test('is not mistaken for one in float32', async () => {
    const device = await testDevice();
    const store = device.createStore([{ name: 'w', shape: [1, 1], dtype: 'f16' }]);
    const g = new Graph();
    g.output('y', matmul(g, g.constant(noise(1), [1, 1]), g.variable('w', [1, 1])));
    await expect(device.compile(g, [store])).rejects.toThrow('variable w is [1,1] of f16 in its store');
    store.dispose();
  });
});
