import { expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { expectSnapshots, timeSnapshot } from './read-many.ts';

it.each([new CpuDevice({ threads: 1 }), new ReferenceDevice()])('on $kind', (device) =>
  expectSnapshots(device),
);

it('three million values take milliseconds on the CPU device', async () => {
  const { total, blocking } = await timeSnapshot(new CpuDevice({ threads: 1 }));
  console.log(`cpu: ${total.toFixed(1)} ms, of these ${blocking.toFixed(1)} before it first yields`);
  expect(total).toBeLessThan(500);
});
