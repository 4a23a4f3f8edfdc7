// AdamW on WebGPU against PyTorch's numbers.
import { describe, expect, it } from 'vitest';
import { adamwCases, adamwErrors } from '../optimizer-cases.ts';
import { testDevice } from './helpers.ts';

describe('AdamW on WebGPU', () => {
  it.each(adamwCases)("$name: norms and parameters are PyTorch's after every step", async (test) => {
    const errors = await adamwErrors(await testDevice(), test);
    expect(errors.params).toBeLessThan(1e-6);
    expect(errors.norm).toBeLessThan(1e-6);
  });
});
