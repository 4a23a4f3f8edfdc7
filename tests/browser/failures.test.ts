// A GPU that goes away or is full: errors that say so, at once, and a fresh device afterwards.
import { afterEach, describe, expect, test } from 'vitest';
import { cdp } from 'vitest/browser';
import { DeviceLostError, OutOfMemoryError, type Program } from '../../src/device/device.ts';
import { WebgpuDevice, type WebgpuOptions } from '../../src/device/webgpu/webgpu-device.ts';
import { sumSquares } from '../../src/ops/adamw.ts';
import { exp, neg, scale } from '../../src/ops/elementwise.ts';
import { Graph } from '../../src/ops/graph.ts';
import { matmul } from '../../src/ops/linear.ts';
import { repeat } from '../../src/ops/repeat.ts';
import { noise } from './helpers.ts';

const devices: { device: WebgpuDevice; gpu: GPUDevice }[] = [];
const unhandled: unknown[] = [];
addEventListener('unhandledrejection', (event) => {
  unhandled.push(event.reason);
});

afterEach(async () => {
  for (const { device } of devices.splice(0)) device.dispose();
  // Late rejections are reported in a task of their own.
  await sleep(50);
  expect(unhandled.splice(0)).toEqual([]);
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A device, and the GPUDevice under it, as a script or a crash gets hold of it. */
async function open(options: Partial<WebgpuOptions> = {}) {
  let gpu: GPUDevice | undefined;
  const api = {
    requestAdapter: async (wish?: GPURequestAdapterOptions) => {
      const adapter = await (options.gpu ?? navigator.gpu).requestAdapter(wish);
      if (!adapter) return null;
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        gpu = await request(descriptor);
        return gpu;
      };
      return adapter;
    },
  } as GPU;
  const device = await WebgpuDevice.create({
    gemm: { variant: 'register', splitTo: 0 },
    ...options,
    gpu: api,
  });
  const opened = { device, gpu: gpu! };
  devices.push(opened);
  return opened;
}

/** Takes a software GPU two seconds or so. */
function slowGraph(): Graph {
  const g = new Graph();
  const x = g.input('x', [512, 512]);
  const [y] = repeat(g, 6, [x], (body, [s]) => ({ next: [scale(body, matmul(body, s, s), 1e-3)] }));
  g.output('y', y);
  return g;
}

function quickGraph(): Graph {
  const g = new Graph();
  g.output('y', exp(g, neg(g, g.input('x', [8, 16]))));
  return g;
}

const quick = async (device: WebgpuDevice) =>
  (await (await device.compile(quickGraph(), [])).run({ x: noise(128) })).y;

/** What `work` rejects with, and after how many milliseconds. */
async function failure(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const begin = performance.now();
  const error = await Promise.race([
    work.then(
      () => 'it went well',
      (e) => e,
    ),
    sleep(10_000).then(() => 'it hangs'),
  ]);
  return { error, ms: performance.now() - begin };
}

/** Everything that can be under way when the device goes. */
async function underWay(device: WebgpuDevice) {
  const store = device.createStore([{ name: 'w', shape: [4, 4], data: noise(16) }]);
  const slow = await device.compile(slowGraph(), []);
  const assigns = new Graph();
  assigns.assign('w', scale(assigns, assigns.variable('w', [4, 4]), 2));
  const silent: Program = await device.compile(assigns, [store]);
  const x = noise(512 * 512);
  const works: Promise<unknown>[] = [slow.run({ x }), slow.run({ x })];
  // From here on the GPU is busy; what follows waits in its queue.
  await sleep(0);
  works.push(silent.run(), store.read('w'), store.readMany(['w']));
  for (const work of works) work.catch(() => {});
  return { works, store, slow, x };
}

async function expectAllLost(
  { works, store, slow, x }: Awaited<ReturnType<typeof underWay>>,
  device: WebgpuDevice,
) {
  for (const { error, ms } of await Promise.all(works.map(failure))) {
    expect(error).toBeInstanceOf(DeviceLostError);
    expect(ms).toBeLessThan(1000);
  }
  expect(await device.lost).toBeInstanceOf(DeviceLostError);
  await expect(slow.run({ x })).rejects.toThrow(DeviceLostError);
  await expect(store.read('w')).rejects.toThrow(DeviceLostError);
  await expect(store.readMany(['w'])).rejects.toThrow(DeviceLostError);
  await expect(device.compile(quickGraph(), [])).rejects.toThrow(DeviceLostError);
  expect(() => store.write('w', noise(16))).toThrow(DeviceLostError);
  expect(() => device.createStore([])).toThrow(DeviceLostError);
  slow.dispose();
  store.dispose();
}

describe('a lost device', () => {
  test('destroyed from outside: all that runs and all that follows says so, and a new device works', async () => {
    const { device, gpu } = await open();
    const before = await quick(device);
    const work = await underWay(device);
    await sleep(20);
    work.works.push(device.compile(slowGraph(), []));
    gpu.destroy();
    await expectAllLost(work, device);
    const { message } = await device.lost;
    expect(message).toContain('last checkpoint');
    expect(message).toContain('destroyed');
    expect([...(await quick((await open()).device))]).toEqual([...before]);
  });

  test('our own disposal is no loss, and leaves nothing pending', async () => {
    const { device } = await open();
    const { works } = await underWay(device);
    device.dispose();
    for (const { error, ms } of await Promise.all(works.map(failure))) {
      expect(String(error)).toContain('disposed');
      expect(ms).toBeLessThan(1000);
    }
    expect(await Promise.race([device.lost, sleep(300).then(() => 'not lost')])).toBe('not lost');
  });

  test('a GPU whose promises never settle does not hang a run', async () => {
    const { device, gpu } = await open();
    const program = await device.compile(quickGraph(), []);
    const never = new Promise<undefined>(() => {});
    const create = gpu.createBuffer.bind(gpu);
    gpu.createBuffer = (descriptor) => Object.assign(create(descriptor), { mapAsync: () => never });
    const deaf = await device.compile(quickGraph(), []);
    const run = deaf.run({ x: noise(128) });
    run.catch(() => {});
    await program.run({ x: noise(128) });
    gpu.destroy();
    const { error, ms } = await failure(run);
    expect(error).toBeInstanceOf(DeviceLostError);
    expect(ms).toBeLessThan(1000);
  });

  test('adapters that are missing, or born lost, for a moment after it are asked for again', async () => {
    const { gpu: first } = await open();
    first.destroy();
    await first.lost;
    let asked = 0;
    const api = {
      requestAdapter: async (wish?: GPURequestAdapterOptions) => {
        asked++;
        if (asked === 1) return null;
        const adapter = (await navigator.gpu.requestAdapter(wish))!;
        const request = adapter.requestDevice.bind(adapter);
        adapter.requestDevice = async (descriptor) => {
          if (asked === 2) throw new DOMException('the GPU process is gone', 'OperationError');
          const device = await request(descriptor);
          if (asked === 3) device.destroy();
          return device;
        };
        return adapter;
      },
    } as GPU;
    const { device } = await open({ gpu: api });
    expect(asked).toBe(4);
    expect(await quick(device)).toHaveLength(128);
    asked = 0;
    const none = {
      requestAdapter: async () => {
        asked++;
        return null;
      },
    } as unknown as GPU;
    await expect(WebgpuDevice.create({ gpu: none, patience: 600 })).rejects.toThrow('no usable GPU');
    expect(asked).toBeGreaterThan(2);
  });

  test('a crashed GPU process', async () => {
    const { device } = await open();
    const before = await quick(device);
    const work = await underWay(device);
    await sleep(20);
    const session = cdp() as unknown as { send(method: string): Promise<unknown> };
    // Its answer may get lost with the process.
    void session.send('Browser.crashGpuProcess').catch(() => {});
    expect(await Promise.race([device.lost, sleep(10_000)])).toBeInstanceOf(DeviceLostError);
    await expectAllLost(work, device);
    const { device: fresh } = await open();
    expect([...(await quick(fresh))]).toEqual([...before]);
  });
});

describe('a full GPU', () => {
  const GIB = 2 ** 30;

  test('an allocation that the GPU refuses is an OutOfMemoryError with numbers, and is released', async ({
    skip,
  }) => {
    const { device } = await open();
    // SwiftShader allocates less than the 1 GiB that it names as the largest buffer.
    skip(!device.label.includes('swiftshader'), 'what a real GPU refuses is not known');
    expect(device.limits.largestTensor).toBe(GIB);
    const store = device.createStore([
      { name: 'small', shape: [4] },
      { name: 'big', shape: [GIB / 4] },
    ]);
    store.write('small', noise(4));
    const error = await store.read('small').then(String, (e) => e);
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error.message).toContain('making a store of tensors takes 1024.0 MiB');
    expect(error.message).toContain('0.0 MiB are in use already');
    expect(device.allocatedBytes).toBe(0);
    const g = new Graph();
    g.output('y', scale(g, g.variable('small', [1, 4]), 1));
    await expect(device.compile(g, [store])).rejects.toBe(error);

    const big = new Graph();
    const x = big.input('x', [GIB / 4 / 1024, 1024]);
    big.assign('w', scale(big, x, 2));
    await expect(device.compile(big, [device.createStore([{ name: 'w', shape: [4] }])])).rejects.toThrow();
    await sleep(0);
    expect(await quick(device)).toHaveLength(128);
  });

  test("a tensor beyond one buffer, and what passes the user's limit, are refused before they are allocated", async () => {
    const { device } = await open({ memoryLimit: 1 << 20 });
    expect(() =>
      device.createStore([
        { name: 'a', shape: [4] },
        { name: 'w', shape: [GIB] },
      ]),
    ).toThrow(/w in one buffer takes 4096.0 MiB/);
    expect(device.allocatedBytes).toBe(0);
    expect(() =>
      device.createStore([
        { name: 'a', shape: [4] },
        { name: 'w', shape: [1 << 18] },
      ]),
    ).toThrow(/w takes 1.0 MiB; 0.0 MiB are in use already, and the limit is 1.0 MiB/);
    expect(device.allocatedBytes).toBe(0);
    const g = new Graph();
    g.output('y', neg(g, g.input('x', [512, 512])));
    await expect(device.compile(g, [])).rejects.toThrow(/a program takes 2.0 MiB/);
    expect(device.allocatedBytes).toBe(0);
    expect(await quick(device)).toHaveLength(128);
  });

  test('room is found by trying', async () => {
    const { device, gpu } = await open();
    const MIB = 2 ** 20;
    expect(await device.room(200 * MIB)).toBe(200 * MIB);
    const create = gpu.createBuffer.bind(gpu);
    let pieces = 0;
    // From the third piece on the GPU is asked for what it really refuses.
    gpu.createBuffer = (descriptor) => create(++pieces > 2 ? { ...descriptor, size: GIB } : descriptor);
    expect(await device.room(200 * MIB)).toBe(128 * MIB);
    gpu.createBuffer = create;
    expect(device.allocatedBytes).toBe(0);
    const { device: limited } = await open({ memoryLimit: MIB });
    limited.createStore([{ name: 'w', shape: [1 << 16] }]);
    expect(await limited.room(MIB / 2)).toBe(MIB / 2);
    expect(await limited.room(200 * MIB)).toBe((3 / 4) * MIB);
    expect(await quick(device)).toHaveLength(128);
  });

  test('disposal gives everything back', async () => {
    const { device } = await open();
    const store = device.createStore([{ name: 'w', shape: [1000] }]);
    const g = new Graph();
    const w = g.variable('w', [1000]);
    g.output('squares', sumSquares(g, [w]));
    const program = await device.compile(g, [store]);
    expect(device.allocatedBytes).toBeGreaterThan(4000);
    await program.run();
    program.dispose();
    store.dispose();
    await sleep(0);
    expect(device.allocatedBytes).toBe(0);
  });
});
