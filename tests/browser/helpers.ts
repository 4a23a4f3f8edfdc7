/** Runs graphs on WebGPU and on the float64 reference, and compares. */
import { expect } from 'vitest';
import type { DeviceKind, RunInputs, RunOutputs, StoreEntry } from '../../src/device/device.ts';
import { ReferenceDevice } from '../../src/device/interpreter.ts';
import { WebgpuDevice, type WebgpuOptions } from '../../src/device/webgpu/webgpu-device.ts';
import { Graph, sizeOf } from '../../src/ops/graph.ts';

const devices = new Map<string, Promise<WebgpuDevice>>();

/** A device for tests, made once per set of options. Activations start as NaN, so that stale reads show. */
export function testDevice(
  options: Pick<WebgpuOptions, 'gemm' | 'coreLimits' | 'cheapBarriers'> = {},
): Promise<WebgpuDevice> {
  const all: WebgpuOptions = { gemm: { variant: 'register', splitTo: 0 }, poison: true, ...options };
  const key = JSON.stringify(all);
  let device = devices.get(key);
  if (!device) {
    device = WebgpuDevice.create(all);
    devices.set(key, device);
  }
  return device;
}

export interface CompareOptions {
  /** Largest ‖a − b‖ / ‖b‖ of any output or written variable. */
  readonly tolerance: number;
  readonly device?: WebgpuDevice;
  /** Initial values of the graph's variables, by name; zeros where absent. */
  readonly variables?: Record<string, Float32Array>;
}

/**
 * Builds the graph twice, runs it on WebGPU (three times: memory must not carry anything over) and on the reference
 * device, and compares all outputs and, after the first run, all variables. Returns WebGPU's first outputs.
 */
export async function compareWithReference(
  build: (g: Graph, on: DeviceKind) => void,
  inputs: RunInputs,
  { tolerance, device, variables = {} }: CompareOptions,
): Promise<RunOutputs> {
  const gpu = device ?? (await testDevice());
  const sides = await Promise.all(
    [gpu, new ReferenceDevice()].map(async (device) => {
      const g = new Graph();
      build(g, device.kind);
      const entries = new Map<string, StoreEntry>();
      for (const [name, { shape, dtype }] of g.variables)
        entries.set(name, { name, shape, dtype: dtype === 'f16' ? 'f16' : 'f32', data: variables[name] });
      for (const { variable: name, value } of g.assignments)
        if (!entries.has(name)) entries.set(name, { name, shape: value.shape, data: variables[name] });
      const store = device.createStore(entries.values());
      const program = await device.compile(g, [store]);
      return { store, program, g };
    }),
  );
  const [ours, theirs] = sides;
  let first: RunOutputs | undefined;
  try {
    for (let run = 0; run < 3; run++) {
      const expected = await theirs.program.run(inputs);
      const actual = await ours.program.run(inputs);
      first ??= actual;
      expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
      for (const [name, tensor] of ours.g.outputs) {
        expect(actual[name].length, `length of ${name}`).toBe(sizeOf(tensor.shape));
        close(actual[name], expected[name], tolerance, `output ${name} of run ${run}`);
      }
      for (const name of ours.store.names)
        close(
          await ours.store.read(name),
          await theirs.store.read(name),
          tolerance,
          `variable ${name} after run ${run}`,
        );
    }
  } finally {
    ours.program.dispose();
    ours.store.dispose();
  }
  return first!;
}

/** ‖a − b‖ / ‖b‖ (‖a‖ where b is all zero), NaN when a holds one. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference) / (norm === 0 ? 1 : Math.sqrt(norm));
}

export function close(a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number, what: string): void {
  const error = relativeError(a, b);
  expect(error <= tolerance, `${what}: relative error ${error}, tolerance ${tolerance}`).toBe(true);
}

/** Deterministic numbers, roughly normal, for inputs. */
export function noise(count: number, seed = 1): Float32Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => (uniform() + uniform() + uniform() - 1.5) * 2);
}
