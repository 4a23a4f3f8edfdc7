import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { parityErrors } from '../../parity.ts';

// Logits, loss and every gradient against transformers in float64 (tests/fixtures/generate).
describe.each(['smolvlm-tiny', 'smolvlm-tiny-untied'])('%s', (fixture) => {
  const files = nodeFiles(`tests/fixtures/${fixture}`);

  it('equals transformers on the CPU device within 1e-4 of each tensor', async () => {
    for (const { name, error } of await parityErrors(new CpuDevice({ threads: 2 }), files))
      expect(error, name).toBeLessThan(1e-4);
  });

  // The stored numbers are float32, so the float64 loops can agree to about 1e-7.
  it('equals transformers on the float64 reference within 2e-6', async () => {
    for (const { name, error } of await parityErrors(new ReferenceDevice(), files))
      expect(error, name).toBeLessThan(2e-6);
  });
});
