import { afterEach, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import type { Device, RunOutputs } from '../../../src/device/device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { Graph } from '../../../src/ops/graph.ts';
import { headSettings } from '../../../src/ops/head-webgpu.ts';
import { halfCases } from '../../half-cases.ts';
import { headCase, headSizes, type OpCase, opCases } from '../../ops-cases.ts';
import { relativeError } from '../../parity.ts';

const reference = new ReferenceDevice();
const cpu = new CpuDevice({ threads: 2 });

async function run(device: Device, { build, inputs }: OpCase, changed = inputs): Promise<RunOutputs> {
  const g = new Graph();
  build(g);
  const program = await device.compile(g, []);
  const outputs = await program.run(changed);
  program.dispose();
  return outputs;
}

/** The cases' loss is a sum whose terms may cancel: it says how sums were rounded. All that it is made of is compared. */
const withoutLoss = ({ build, ...rest }: OpCase): OpCase => ({
  ...rest,
  build: (g) => {
    build(g);
    g.outputs.delete('loss');
  },
});

describe('every op on the CPU device equals the float64 reference', () => {
  it.each(opCases.map((c) => [c.name, c] as const))('%s', async (_name, opCase) => {
    const expected = await run(reference, withoutLoss(opCase));
    const found = await run(cpu, withoutLoss(opCase));
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    // A tensor that is zero in exact arithmetic is measured against 1e-3 absolute in its root mean square.
    for (const name of Object.keys(expected))
      expect(
        relativeError(found[name], expected[name], 1e-3 * Math.sqrt(expected[name].length)),
        name,
      ).toBeLessThan(1e-5);
  });
});

describe('head in several chunks on the CPU device', () => {
  const { chunkBytes } = headSettings;
  afterEach(() => {
    headSettings.chunkBytes = chunkBytes;
  });
  it.each(headSizes.flatMap((size) => [1, 3].map((most) => ({ ...size, most }))))(
    '$views views of $rows rows, $most at a time',
    async ({ most, ...size }) => {
      const opCase = withoutLoss(headCase(size));
      const expected = await run(reference, opCase);
      headSettings.chunkBytes = most * size.views * size.V * 4;
      const found = await run(cpu, opCase);
      for (const name of Object.keys(expected))
        expect(
          relativeError(found[name], expected[name], 1e-3 * Math.sqrt(expected[name].length)),
          name,
        ).toBeLessThan(1e-5);
    },
  );
});

describe('frozen weights in half floats on the CPU device', () => {
  it.each(halfCases.map((c) => [c.name, c] as const))('%s', async (_name, { build, inputs, variables }) => {
    const on = async (device: Device): Promise<RunOutputs> => {
      const g = new Graph();
      build(g);
      const store = device.createStore(
        [...g.variables].map(([name, { shape }]) => ({ name, shape, dtype: 'f16', data: variables[name] })),
      );
      const program = await device.compile(g, [store]);
      const outputs = await program.run(inputs);
      program.dispose();
      return outputs;
    };
    const expected = await on(reference);
    const found = await on(cpu);
    for (const name of Object.keys(expected))
      expect(
        relativeError(found[name], expected[name], 1e-3 * Math.sqrt(expected[name].length)),
        name,
      ).toBeLessThan(1e-5);
  });
});

describe('every backward equals central differences of the float64 reference', () => {
  // detach is what differences cannot see: its gradient is wrong on purpose.
  const differentiable = opCases.filter((c) => c.differentiable.length > 0 && !c.name.includes('detach'));
  it.each(differentiable.map((c) => [c.name, c] as const))('%s', async (_name, opCase) => {
    const exact = await run(reference, opCase);
    for (const name of opCase.differentiable) {
      const gradient = exact[`grad.${name}`];
      // All entries of a small input; of a large one, some that are spread over it.
      const stride = Math.max(1, Math.floor(gradient.length / 7));
      for (let i = 0; i < gradient.length; i += stride) {
        const at = async (step: number) => {
          const x = Float64Array.from(opCase.inputs[name]);
          x[i] += step;
          const inputs = { ...opCase.inputs, [name]: x as unknown as Float32Array };
          return (await run(reference, opCase, inputs)).loss[0];
        };
        const h = 1e-5;
        const difference = ((await at(h)) - (await at(-h))) / (2 * h);
        expect(Math.abs(difference - gradient[i]), `${name}[${i}]`).toBeLessThan(
          1e-7 * Math.max(1, Math.abs(difference)) + 1e-8,
        );
      }
    }
  });
});
