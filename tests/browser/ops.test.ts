/**
 * Every op's shaders against the float64 reference, forward and backward, at sizes that are multiples of nothing.
 * Tolerance: ‖a − b‖ / ‖b‖ ≤ 1e-5 for every output and gradient, float32 against float64.
 */
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import { WebgpuDevice } from '../../src/device/webgpu/webgpu-device.ts';
import { productSettings } from '../../src/ops/attention.ts';
import type { Graph } from '../../src/ops/graph.ts';
import { headSettings } from '../../src/ops/head-webgpu.ts';
import { headCase, headSizes, type OpCase, opCases, optimizerCases } from '../ops-cases.ts';
import { compareWithReference } from './helpers.ts';

const tolerance = 1e-5;

/**
 * A device held to WebGPU's core limits that believes in at most `most` workgroups a dimension: small cases then fold
 * their workgroups into a second one, as large tensors do at the true limit of 65,535.
 */
async function narrowDevice(most: number, cheapBarriers = false): Promise<WebgpuDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('WebGPU finds no adapter');
  const limited = {
    info: adapter.info,
    limits: adapter.limits,
    features: adapter.features,
    async requestDevice(descriptor: GPUDeviceDescriptor) {
      const gpu = await adapter.requestDevice(descriptor);
      const limits = new Proxy(gpu.limits, {
        get: (target, key) =>
          key === 'maxComputeWorkgroupsPerDimension' ? most : Reflect.get(target, key, target),
      });
      return Object.defineProperty(gpu, 'limits', { value: limits });
    },
  };
  return WebgpuDevice.create({
    adapter: limited as unknown as GPUAdapter,
    gemm: { variant: 'register', splitTo: 0 },
    ...{ coreLimits: true, poison: true, cheapBarriers },
  });
}

let devices: { narrow: WebgpuDevice; wide: WebgpuDevice };
beforeAll(async () => {
  devices = { narrow: await narrowDevice(10), wide: await narrowDevice(51) };
});
afterAll(() => {
  devices.narrow.dispose();
  devices.wide.dispose();
});

/** Cases that need more than 10 x 10 workgroups; at 51 they fold as well. */
const wide =
  /^(gather|scatterAdd|sums|extremes|matmul with a long|attentionReceived of 130|attention: heads of 64, long)|Norm \[3, 131\]/;

/** The loss is left out: its terms have both signs and may cancel, so its relative error has no bound. */
function compare({ name, build, inputs }: OpCase, on?: WebgpuDevice): Promise<unknown> {
  const withoutLoss = (g: Graph) => {
    build(g);
    g.outputs.delete('loss');
  };
  const device = on ?? (wide.test(name) ? devices.wide : devices.narrow);
  return compareWithReference(withoutLoss, inputs, { tolerance, device });
}

describe('ops', () => {
  test.each([...opCases, ...optimizerCases])('$name', async (c) => {
    await compare(c);
  });
});

describe('attention through workgroup memory, as on hardware', () => {
  let device: WebgpuDevice;
  beforeAll(async () => {
    device = await narrowDevice(11, true);
  });
  afterAll(() => device.dispose());
  test.each(opCases.filter(({ name }) => name.startsWith('attention: ')))('$name', async (c) => {
    await compare(c, device);
  });
});

describe('attention by products, as in software for many keys', () => {
  const { keys } = productSettings;
  beforeAll(() => {
    productSettings.keys = 1;
  });
  afterAll(() => {
    productSettings.keys = keys;
  });
  test.each(opCases.filter(({ name }) => /^attention: (vision tower|every)/.test(name)))(
    '$name',
    async (c) => {
      await compare(c);
    },
  );
});

describe('head in several chunks', () => {
  const { chunkBytes } = headSettings;
  afterEach(() => {
    headSettings.chunkBytes = chunkBytes;
  });
  test.each(headSizes.flatMap((size) => [1, 3].map((most) => ({ ...size, most }))))(
    '$views views of $rows rows, $most at a time',
    async ({ most, ...size }) => {
      headSettings.chunkBytes = most * size.views * size.V * 4;
      await compare(headCase(size));
    },
  );
});
