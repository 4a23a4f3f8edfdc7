/** AdamW on a device against PyTorch's numbers (tests/fixtures/optimizer.json): shared by Node and the browser. */
import type { Device, Store } from '../src/device/device.ts';
import { ArrayStore } from '../src/device/interpreter.ts';
import { gradientName, Optimizer } from '../src/policy/optimizer.ts';
import fixture from './fixtures/optimizer.json' with { type: 'json' };

type Tensors = Record<string, number[]>;

export interface AdamwCase {
  readonly name: string;
  readonly betas: number[];
  readonly eps: number;
  readonly weight_decay: number;
  readonly max_grad_norm: number | null;
  readonly initial: Tensors;
  readonly steps: { learning_rate: number; grads: Tensors; grad_norm: number; params: Tensors }[];
}

export const adamwCases: readonly AdamwCase[] = fixture.adamw;
const shapes: Readonly<Record<string, number[]>> = fixture.shapes;

// Store's own read and write are float32; the reference device's arrays hold the fixture's float64.
const write = (store: Store, name: string, values: number[]): void => {
  if (store instanceof ArrayStore) store.array(name).set(values);
  else store.write(name, Float32Array.from(values));
};
const read = async (store: Store, name: string): Promise<ArrayLike<number>> =>
  store instanceof ArrayStore ? store.array(name).slice() : store.read(name);

export interface AdamwErrors {
  /** Largest |a − b| of any parameter after any step. */
  params: number;
  /** Largest relative error of the global norm. */
  norm: number;
  /** How many steps had to clip. */
  clipped: number;
}

/** Runs the case's steps one after the other; parameters are compared after each. */
export async function adamwErrors(device: Device, test: AdamwCase): Promise<AdamwErrors> {
  const names = Object.keys(test.initial);
  const weights = device.createStore(names.map((name) => ({ name, shape: shapes[name] })));
  for (const name of names) write(weights, name, test.initial[name]);
  const optimizer = await Optimizer.create(device, weights, new Map(names.map((n) => [n, shapes[n]])), {
    beta1: test.betas[0],
    beta2: test.betas[1],
    epsilon: test.eps,
    weightDecay: test.weight_decay,
    maxNorm: test.max_grad_norm ?? 0,
  });
  const errors: AdamwErrors = { params: 0, norm: 0, clipped: 0 };
  for (const { learning_rate, grads, grad_norm, params } of test.steps) {
    for (const name of names) write(optimizer.store, gradientName(name), grads[name]);
    const norm = await optimizer.update(learning_rate);
    errors.norm = Math.max(errors.norm, Math.abs(norm - grad_norm) / grad_norm);
    if (test.max_grad_norm !== null && norm > test.max_grad_norm) errors.clipped++;
    for (const name of names) {
      const found = await read(weights, name);
      // Math.max would let NaN through as NaN, which no tolerance passes: that is wanted.
      params[name].forEach((x, i) => {
        errors.params = Math.max(errors.params, Math.abs(found[i] - x));
      });
    }
  }
  optimizer.dispose();
  weights.dispose();
  return errors;
}
