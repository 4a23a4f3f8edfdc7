/** An update whose gradient is not finite leaves everything as it was: the cases, for every device. */
import { expect } from 'vitest';
import type { Device, Store } from '../../../src/device/device.ts';
import { gradientName, Optimizer } from '../../../src/policy/optimizer.ts';

/** Larger than a workgroup's share of the sum, and one that is smaller. */
const shapes = new Map([
  ['large', [5, 1000]],
  ['small', [7]],
]);

const wave = (count: number, phase: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(0.7 * i + phase) + 1.5);

export interface BadGradient {
  readonly name: string;
  /** What stands in one element of one gradient, or in all of them. */
  readonly value: number;
  readonly everywhere?: boolean;
  /** In float64 its norm is a number: the update is clipped, not skipped. */
  readonly finiteInFloat64?: boolean;
}

export const badGradients: readonly BadGradient[] = [
  { name: 'one NaN', value: Number.NaN },
  { name: 'one +Infinity', value: Number.POSITIVE_INFINITY },
  { name: 'one -Infinity', value: Number.NEGATIVE_INFINITY },
  { name: 'one 1e30, whose square passes float32', value: 1e30, finiteInFloat64: true },
  {
    name: '3e17 everywhere, whose sum of squares passes it',
    value: 3e17,
    everywhere: true,
    finiteInFloat64: true,
  },
];

interface Subject {
  readonly weights: Store;
  readonly optimizer: Optimizer;
}

async function subject(device: Device, maxNorm: number): Promise<Subject> {
  const weights = device.createStore(
    [...shapes].map(([name, shape]) => ({ name, shape, data: wave(sizeOf(shape), 0) })),
  );
  const optimizer = await Optimizer.create(device, weights, shapes, {
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.1,
    maxNorm,
  });
  setGradients({ weights, optimizer }, () => 0.5);
  await optimizer.update(0.01);
  return { weights, optimizer };
}

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function setGradients({ optimizer }: Subject, value: (name: string, i: number) => number): void {
  for (const [name, shape] of shapes)
    optimizer.store.write(
      gradientName(name),
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(name, i)),
    );
}

/** Parameters and moments, as bits. */
async function bits({ weights, optimizer }: Subject): Promise<Map<string, Uint32Array>> {
  const moments = optimizer.store.names.filter((name) => !name.startsWith('grad.'));
  const read = [...(await weights.readMany(weights.names)), ...(await optimizer.store.readMany(moments))];
  return new Map(read.map(([name, data]) => [name, new Uint32Array(data.buffer)]));
}

/** After a good update comes the bad one, then another good one, which must be as if the bad one had never been. */
export async function expectSkipped(device: Device, bad: BadGradient, maxNorm: number): Promise<void> {
  const ours = await subject(device, maxNorm);
  const twin = await subject(device, maxNorm);
  const before = await bits(ours);
  setGradients(ours, (name, i) => (bad.everywhere || (name === 'large' && i === 4321) ? bad.value : 0.25));
  const norm = await ours.optimizer.update(0.01);
  if (device.kind === 'reference' && bad.finiteInFloat64) {
    expect(norm).toBeGreaterThan(1e19);
    expect(norm).toBeLessThan(1e31);
  } else {
    expect(Number.isFinite(norm)).toBe(false);
    expect(await bits(ours)).toEqual(before);
    for (const side of [ours, twin]) {
      setGradients(side, (_, i) => 0.1 * Math.cos(i));
      expect(await side.optimizer.update(0.02)).toBeGreaterThan(0);
    }
    expect(await bits(ours)).not.toEqual(before);
    expect(await bits(ours)).toEqual(await bits(twin));
  }
  for (const side of [ours, twin]) {
    side.optimizer.dispose();
    side.weights.dispose();
  }
}
