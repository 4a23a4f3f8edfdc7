/**
 * Frozen weights in half floats on a GPU with `shader-f16`, in Node with Dawn (npm package webgpu). SwiftShader has no
 * such feature; Mesa's lavapipe from version 23.3 on has. Where no adapter has it, the tests are skipped, and say so.
 */
import { describe, expect, it } from 'vitest';
import type { Device, RunOutputs } from '../../../src/device/device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import type { GemmPlan } from '../../../src/device/webgpu/gemm.ts';
import { WebgpuDevice } from '../../../src/device/webgpu/webgpu-device.ts';
import { Graph } from '../../../src/ops/graph.ts';
import { type HalfCase, halfCases } from '../../half-cases.ts';
import { relativeError } from '../../parity.ts';

/** Dawn, while anything of it is in use; undefined where it cannot be loaded (no Vulkan library, say). */
const gpu = await import('webgpu').then(({ create }): GPU => create([])).catch(() => undefined);
const findAdapter = async () => (await gpu?.requestAdapter()) ?? undefined;
const found = await findAdapter();
const hasF16 = found?.features.has('shader-f16') ?? false;
if (!hasF16)
  console.log(`skipped: ${found ? `${found.info.description} has no shader-f16` : 'no adapter in Node'}`);

async function run(device: Device, { build, inputs, variables }: HalfCase): Promise<RunOutputs> {
  const g = new Graph();
  build(g);
  const store = device.createStore(
    [...g.variables].map(([name, { shape }]) => ({ name, shape, dtype: 'f16', data: variables[name] })),
  );
  const program = await device.compile(g, [store]);
  const outputs = await program.run(inputs);
  program.dispose();
  store.dispose();
  return outputs;
}

const plans: (GemmPlan & { cheapBarriers?: boolean })[] = [
  { variant: 'register', splitTo: 0 },
  { variant: 'register', splitTo: 0, cheapBarriers: true },
  { variant: 'register8', splitTo: 0 },
  { variant: 'shared32', splitTo: 0 },
  { variant: 'shared64', splitTo: 0 },
  { variant: 'shared8', splitTo: 0 },
  { variant: 'shared32', splitTo: 16 },
];

describe.skipIf(!hasF16)('weights as array<f16>', () => {
  it.each(plans)(
    '$variant, splitting to $splitTo, cheap barriers: $cheapBarriers',
    async (plan) => {
      // An adapter gives one device.
      const { cheapBarriers, ...gemm } = plan;
      const adapter = (await findAdapter())!;
      const device = await WebgpuDevice.create({ adapter, gemm, cheapBarriers, poison: true });
      expect(device.limits.webgpu!.lowering.shaderF16).toBe(true);
      for (const halfCase of halfCases) {
        const expected = await run(new ReferenceDevice(), halfCase);
        const actual = await run(device, halfCase);
        for (const name of Object.keys(expected))
          expect(relativeError(actual[name], expected[name]), `${halfCase.name}: ${name}`).toBeLessThan(1e-5);
      }
      device.dispose();
    },
    240_000,
  );
});
