import { describe, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { badGradients, expectSkipped } from './skipped-update.ts';

describe.each([new CpuDevice({ threads: 1 }), new ReferenceDevice()])('an update on $kind', (device) => {
  describe.each(badGradients)('with $name', (bad) => {
    it.each([1, 0])('is skipped wholly, clipped to %d', (maxNorm) => expectSkipped(device, bad, maxNorm));
  });
});
