import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { Optimizer } from '../../../src/policy/optimizer.ts';
import { type AdamwCase, adamwCases, adamwErrors } from '../../optimizer-cases.ts';

const devices = [
  // The rate and the bias corrections reach every device as float32, and a parameter moves by about the rate a step:
  // in float64 what is left is that rounding, 2⁻²⁴ of the way. Here that is 5e-9; most cases stay below 1e-9.
  { device: new ReferenceDevice(), tolerance: (way: number) => 2 ** -24 * way, norm: 1e-14 },
  { device: new CpuDevice({ threads: 1 }), tolerance: () => 1e-6, norm: 1e-6 },
];
const way = ({ steps }: AdamwCase) => steps.reduce((sum, s) => sum + s.learning_rate, 0);

describe.each(devices)('AdamW on $device.kind', ({ device, tolerance, norm }) => {
  it.each(adamwCases)("$name: norms and parameters are PyTorch's after every step", async (test) => {
    const errors = await adamwErrors(device, test);
    expect(errors.params).toBeLessThan(tolerance(way(test)));
    expect(errors.norm).toBeLessThan(norm);
  });
});

it('the cases clip, and do not clip, so that both branches are seen', async () => {
  const clipped = await Promise.all(
    adamwCases.map(async (test) => (await adamwErrors(new ReferenceDevice(), test)).clipped),
  );
  expect(clipped.some((n) => n > 0)).toBe(true);
  expect(clipped.some((n) => n === 0)).toBe(true);
});

it('a gradient that is not finite moves nothing', async () => {
  const device = new CpuDevice({ threads: 1 });
  const weights = device.createStore([{ name: 'w', shape: [2], data: Float32Array.of(1, 2) }]);
  const attributes = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, maxNorm: 1 };
  const optimizer = await Optimizer.create(device, weights, new Map([['w', [2]]]), attributes);
  optimizer.store.write('grad.w', Float32Array.of(Number.NaN, 1));
  expect(await optimizer.update(0.1)).toBeNaN();
  expect(await weights.read('w')).toEqual(Float32Array.of(1, 2));
  expect(await optimizer.store.read('m.w')).toEqual(Float32Array.of(0, 0));
});
