// Reading many tensors at once, and updates that are skipped, on WebGPU.
import { describe, expect, it } from 'vitest';
import { expectSnapshots, timeSnapshot } from '../unit/device/read-many.ts';
import { badGradients, expectSkipped } from '../unit/device/skipped-update.ts';
import { testDevice } from './helpers.ts';

describe('a snapshot', () => {
  it('has the values of the moment', async () => expectSnapshots(await testDevice()));

  it('of more than one staging buffer', async () => {
    const device = await testDevice();
    const names = ['a', 'b'];
    const store = device.createStore(names.map((name) => ({ name, shape: [9 * 2 ** 20] })));
    for (const [i, name] of names.entries()) store.write(name, new Float32Array(9 * 2 ** 20).fill(i + 1));
    const found = await store.readMany(names);
    for (const [i, name] of names.entries()) {
      const array = found.get(name)!;
      expect([array[0], array.at(-1), array.length]).toEqual([i + 1, i + 1, 9 * 2 ** 20]);
    }
    store.dispose();
  });

  it('of three million values takes milliseconds', async () => {
    const { total, blocking } = await timeSnapshot(await testDevice());
    console.log(`webgpu: ${total.toFixed(1)} ms, of these ${blocking.toFixed(1)} before it first yields`);
    expect(total).toBeLessThan(1000);
  });
});

describe.each(badGradients)('an update with $name', (bad) => {
  it.each([1, 0])('is skipped wholly, clipped to %d', async (maxNorm) =>
    expectSkipped(await testDevice(), bad, maxNorm),
  );
});
