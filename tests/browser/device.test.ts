import { afterAll, describe, expect, test } from 'vitest';
import type { DeviceKind, Program } from '../../src/device/device.ts';
import { type ProgramSize, programSize } from '../../src/device/webgpu/program-size.ts';
import { WebgpuDevice } from '../../src/device/webgpu/webgpu-device.ts';
import { pooledBytes } from '../../src/device/webgpu/workspace.ts';
import { UserError } from '../../src/errors.ts';
import { adamw, sumSquares } from '../../src/ops/adamw.ts';
import { add, exp, maximum, mul, neg, scale, sub } from '../../src/ops/elementwise.ts';
import { Graph, type Tensor } from '../../src/ops/graph.ts';
import { matmul } from '../../src/ops/linear.ts';
import { sum } from '../../src/ops/reduce.ts';
import { repeat } from '../../src/ops/repeat.ts';
import { reshape } from '../../src/ops/reshape.ts';
import { elementKernel, elementOp } from './element-ops.ts';
import { close, compareWithReference, noise, testDevice } from './helpers.ts';

const exact = { tolerance: 2e-6 };

describe('memory', () => {
  test('long chains reuse a few slots', async () => {
    const device = await testDevice();
    const g = new Graph();
    let x = g.input('x', [16, 16]);
    for (let i = 0; i < 50; i++) x = scale(g, x, 1.01);
    g.output('y', x);
    const program = await device.compile(g, []);
    expect(program.stats.activationBytes).toBe(2 * 1024);
    expect(program.stats.steps).toBe(50);
    const { y } = await program.run({ x: noise(256) });
    close(
      y,
      noise(256).map((v) => v * 1.01 ** 50),
      1e-5,
      'y',
    );
  });

  test('random graphs, with reshapes, in-place ops and several readers, give what the reference gives', async () => {
    for (let seed = 1; seed <= 8; seed++)
      await compareWithReference(
        (g, on) => randomGraph(g, seed, on),
        { x: noise(24, seed), y: noise(24, seed + 50) },
        exact,
      );
  });

  test('a kernel that reads what nobody wrote reads NaN, not an old value', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', g.call(writesNothing, [g.input('x', [2, 2])], {})[0]);
    const program = await device.compile(g, []);
    const { y } = await program.run({ x: noise(4) });
    expect([...y]).toEqual([NaN, NaN, NaN, NaN]);
  });
});

describe('the workspace', () => {
  /** Two slots that take turns, and a third under them: y = 1.01^turns x x^T, [n, n]. */
  const graphOf = (n: number, turns: number) => {
    const g = new Graph();
    const x = g.input('x', [n, 1]);
    let y = matmul(g, x, x, { transB: true });
    for (let i = 0; i < turns; i++) y = scale(g, y, 1.01);
    g.output('y', y);
    g.output('columns', sum(g, y, 0));
    return g;
  };

  test('is as large as what programs need at once, whatever their order, and shrinks with them', async () => {
    const device = await WebgpuDevice.create({ gemm: { variant: 'register', splitTo: 0 }, poison: true });
    const sizes = [
      [40, 3],
      [90, 0],
      [10, 4],
      [64, 1],
    ] as const;
    const planned = sizes.map(([n, turns]) => programSize(graphOf(n, turns), device.limits.webgpu!));
    const predicted = (of: readonly ProgramSize[]) =>
      pooledBytes(of.map(({ slots }) => slots)) + of.reduce((total, { fixed }) => total + fixed, 0);
    const programs: Program[] = [];
    for (const [i, [n, turns]] of sizes.entries()) {
      programs.push(await device.compile(graphOf(n, turns), []));
      expect(device.allocatedBytes).toBe(predicted(planned.slice(0, i + 1)));
    }
    expect(predicted(planned)).toBeLessThan(
      planned.reduce((total, { activations, fixed }) => total + activations + fixed, 0) * 0.75,
    );
    const check = async (i: number) => {
      const [n, turns] = sizes[i];
      const x = noise(n, i + 1);
      const { y } = await programs[i].run({ x });
      const expected = Float32Array.from({ length: n * n }, (_, at) => {
        return x[Math.floor(at / n)] * x[at % n] * 1.01 ** turns;
      });
      close(y, expected, 1e-5, `y of program ${i}`);
    };
    // All at once: they are submitted one behind the other.
    await Promise.all([0, 1, 2, 3, 2, 1, 0].map(check));
    programs[1].dispose();
    await check(0);
    await check(3);
    expect(device.allocatedBytes).toBe(predicted(planned.filter((_, i) => i !== 1)));
    for (const i of [0, 2, 3]) programs[i].dispose();
    await new Promise((resolve) => setTimeout(resolve));
    expect(device.allocatedBytes).toBe(0);
    device.dispose();
  });

  test('outlives a program that is refused', async () => {
    const device = await WebgpuDevice.create({
      ...{ gemm: { variant: 'register', splitTo: 0 }, poison: true },
      memoryLimit: 200_000,
    });
    const program = await device.compile(graphOf(40, 2), []);
    const before = device.allocatedBytes;
    await expect(device.compile(graphOf(300, 2), [])).rejects.toThrow('a program takes');
    const x = noise(40);
    const { columns } = await program.run({ x });
    const total = x.reduce((a, b) => a + b, 0);
    close(
      columns,
      x.map((v) => v * total * 1.01 ** 2),
      1e-4,
      'columns',
    );
    expect(device.allocatedBytes).toBe(before);
    device.dispose();
  });
});

describe('in-place ops', () => {
  test('work in place on a variable, and on a copy of what is read later', async () => {
    await compareWithReference(
      (g, on) => {
        const increment = incrementOn(on);
        const x = g.input('x', [3, 5]);
        const w = g.variable('w', [3, 5]);
        const sum = add(g, x, w);
        const once = g.call(increment, [sum], {})[0];
        g.output('product', mul(g, once, sum));
        g.output('x plus 1', g.call(increment, [x], {})[0]);
        g.output('x', x);
        const one = g.constant(noise(15, 3), [3, 5]);
        g.output('constant plus 1', g.call(increment, [one], {})[0]);
        g.call(incrementInPlace, [w], {});
      },
      { x: noise(15) },
      { ...exact, variables: { w: noise(15, 2) } },
    );
  });
});

describe('the optimizer', () => {
  test('changes parameter and moments in place, three steps', async () => {
    const values = { p: noise(33, 2), m: noise(33, 3), v: noise(33, 4).map(Math.abs) };
    await compareWithReference(
      (g) => {
        const gradient = g.input('gradient', [3, 11]);
        const [p, m, v] = ['p', 'm', 'v'].map((name) => g.variable(name, [3, 11]));
        const squares = sumSquares(g, [gradient]);
        const attributes = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxNorm: 1 };
        adamw(g, p, gradient, m, v, squares, g.input('step', [3]), attributes);
        g.output('squares', squares);
      },
      { gradient: noise(33), step: Float32Array.of(0.01, 0.19, 0.0199) },
      { ...exact, variables: values },
    );
  });
});

describe('loops', () => {
  test('states that change places, captured tensors, in-place states, a state kept as it is', async () => {
    await compareWithReference(
      (g) => {
        const x = g.input('x', [2, 3]);
        const captured = scale(g, x, 0.5);
        const initial = [x, neg(g, x), scale(g, x, 2), g.scalar(0), scale(g, x, 3)];
        const state = repeat(g, 5, initial, (body, [a, b, c, i, still]) => {
          const next = add(body, scale(body, a, 0.9), captured);
          const counted = body.call(incrementInPlace, [i], {})[0];
          return { next: [b, c, next, counted, still] };
        });
        for (const [i, t] of state.entries()) g.output(`s${i}`, t);
        g.output('captured', captured);
      },
      { x: noise(6) },
      exact,
    );
  });

  test('a loop in a loop', async () => {
    await compareWithReference(
      (g) => {
        const x = g.input('x', [3, 3]);
        const outer = exp(g, x);
        const [y, z] = repeat(g, 3, [x, x], (body, [a, b]) => {
          const local = mul(body, outer, a);
          const [inner] = repeat(body, 2, [a], (deep, [s]) => ({
            next: [add(deep, scale(deep, s, 0.5), mul(deep, local, b))],
          }));
          return { next: [inner, sub(body, b, scale(body, inner, 0.1))] };
        });
        g.output('y', y);
        g.output('z', add(g, z, outer));
      },
      { x: noise(9) },
      exact,
    );
  });

  test('its dispatches count once a turn', async () => {
    const device = await testDevice();
    const g = new Graph();
    const x = g.input('x', [1, 4]);
    const [y] = repeat(g, 7, [scale(g, x, 1)], (body, [s]) => ({
      next: [scale(body, scale(body, s, 2), 0.5)],
    }));
    g.output('y', y);
    const program = await device.compile(g, []);
    // One before the loop, two a turn: the second is computed straight into the state.
    expect(program.stats.steps).toBe(1 + 7 * 2);
    expect([...(await program.run({ x: noise(4) })).y]).toEqual([...noise(4)]);
  });
});

describe('assignments', () => {
  test('set and add, also of inputs, and to variables that are read before', async () => {
    await compareWithReference(
      (g) => {
        const x = g.input('x', [2, 4]);
        const w = g.variable('w', [2, 4]);
        const y = mul(g, x, w);
        g.assign('gradient', scale(g, y, 2));
        g.assign('total', y, 'add');
        g.assign('w', add(g, y, w));
        g.assign('copy of x', x);
        g.assign('twice', y);
        g.output('sum', sum(g, y, 0));
      },
      { x: noise(8) },
      { ...exact, variables: { w: noise(8, 2), total: noise(8, 3) } },
    );
  });

  test('a value that nothing else holds is computed in the variable itself', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.assign('gradient', scale(g, g.input('x', [2, 2]), 3));
    const store = device.createStore([{ name: 'gradient', shape: [2, 2] }]);
    const program = await device.compile(g, [store]);
    expect(program.stats.steps).toBe(1);
    expect(program.stats.activationBytes).toBe(0);
    await program.run({ x: Float32Array.of(1, 2, 3, 4) });
    expect([...(await store.read('gradient'))]).toEqual([3, 6, 9, 12]);
    store.write('gradient', Float32Array.of(5, 6, 7, 8));
    expect([...(await store.read('gradient'))]).toEqual([5, 6, 7, 8]);
  });
});

describe('errors', () => {
  test('inputs are checked', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', neg(g, g.input('x', [2, 2])));
    const program = await device.compile(g, []);
    expect(() => program.run({})).toThrow('input x: expected f32[2,2], got nothing');
    expect(() => program.run({ x: noise(3) })).toThrow('input x: expected f32[2,2], got 3 values');
    expect(() => program.run({ x: Int32Array.of(1, 2, 3, 4) })).toThrow('got a Int32Array');
    expect(() => program.run({ x: noise(4), z: noise(1) })).toThrow('no input z');
  });

  test('a variable that no store has, or in another size', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', neg(g, g.variable('w', [2, 2])));
    await expect(device.compile(g, [])).rejects.toThrow('variable w is in none');
    const store = device.createStore([{ name: 'w', shape: [3, 2] }]);
    await expect(device.compile(g, [store])).rejects.toThrow('variable w is [3,2]');
  });

  test('a kernel that does not compile names itself and the line', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', g.call(broken, [g.input('x', [2, 2])], {})[0]);
    await expect(device.compile(g, [])).rejects.toThrow(
      /kernel broken does not compile[\s\S]*broken\.wgsl:\d+/,
    );
  });

  test('what WebGPU refuses at run time fails the run', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', g.call(tooFewParameters, [g.input('x', [2, 2])], {})[0]);
    const program = await device.compile(g, []);
    await expect(program.run({ x: noise(4) })).rejects.toThrow('running a program');
    const fine = new Graph();
    fine.output('y', neg(fine, fine.input('x', [1, 1])));
    const next = await device.compile(fine, []);
    expect([...(await next.run({ x: Float32Array.of(2) })).y]).toEqual([-2]);
  });

  test("no WebGPU and no adapter are the user's to know", async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    await expect(WebgpuDevice.create({ gpu })).rejects.toThrow(UserError);
  });

  test('a lost device rejects runs, with the reason', async () => {
    const device = await WebgpuDevice.create({ gemm: { variant: 'register', splitTo: 0 } });
    const g = new Graph();
    g.output('y', neg(g, g.input('x', [2, 2])));
    const program = await device.compile(g, []);
    const begun = program.run({ x: noise(4) });
    await Promise.resolve();
    device.dispose();
    await expect(begun).rejects.toThrow(/disposed|lost/);
    await expect(program.run({ x: noise(4) })).rejects.toThrow(/disposed|lost/);
  });
});

describe('the device', () => {
  const devices: WebgpuDevice[] = [];
  afterAll(() => {
    for (const device of devices) device.dispose();
  });

  test('measures GEMM variants once and remembers the choice', async () => {
    const saved = new Map<string, string>();
    let reads = 0;
    const remember = {
      get: async (key: string) => {
        reads++;
        return saved.get(key);
      },
      set: async (key: string, value: string) => void saved.set(key, value),
    };
    const begin = performance.now();
    const first = await WebgpuDevice.create({ remember });
    console.log(
      `${first.label}: ${JSON.stringify(first.gemm)} in ${(performance.now() - begin).toFixed()} ms`,
    );
    expect(saved.size).toBe(1);
    const [key] = saved.keys();
    saved.set(key, JSON.stringify({ ...first.gemm, wide: { variant: 'shared32', splitTo: 0 } }));
    const second = await WebgpuDevice.create({ remember });
    expect(second.gemm.wide.variant).toBe('shared32');
    saved.set(key, 'no JSON');
    devices.push(first, second, await WebgpuDevice.create({ remember }));
    expect(JSON.parse(saved.get(key)!)).toHaveProperty('deep.variant');
    expect(reads).toBe(3);
  });

  test('works within core limits', async () => {
    const device = await testDevice({ coreLimits: true });
    await compareWithReference(
      (g) => g.output('y', mul(g, g.input('x', [7, 9]), g.scalar(2))),
      { x: noise(63) },
      {
        ...exact,
        device,
      },
    );
  });

  test('runs of one program queue up', async () => {
    const device = await testDevice();
    const g = new Graph();
    g.output('y', scale(g, g.input('x', [1, 1]), 2));
    const program = await device.compile(g, []);
    const runs = await Promise.all([1, 2, 3].map((v) => program.run({ x: Float32Array.of(v) })));
    expect(runs.map(({ y }) => y[0])).toEqual([2, 4, 6]);
  });
});

const incrementInPlace = elementOp('increment', elementKernel('x[id.x] += 1.0;', true), [0]);
const increment = elementOp('increment_copy', elementKernel('y[id.x] = x[id.x] + 1.0;'));
/** The reference works in place whoever reads the input later; WebGPU must give what the op without it gives. */
const incrementOn = (on: DeviceKind) => (on === 'reference' ? increment : incrementInPlace);
const writesNothing = elementOp('writes_nothing', elementKernel('if (x[id.x] > 1e30) { y[id.x] = 0.0; }'));
const tooFewParameters = elementOp(
  'too_few_parameters',
  elementKernel('y[id.x] = x[id.x];').replace('count: u32', 'count: u32, more: array<vec4f, 4>'),
);
const broken = elementOp('broken', elementKernel('y[id.x] = nonsense;'));

/** Thirty random calls on [4, 6] and [6, 4] tensors; a fifth of all values are outputs. */
function randomGraph(g: Graph, seed: number, on: DeviceKind): void {
  const increment = incrementOn(on);
  const random = noise(400, seed);
  let at = 0;
  const pick = (count: number) => Math.floor(Math.abs(random[at++ % random.length] * 1e4)) % count;
  const values: Tensor[] = [g.input('x', [4, 6]), g.input('y', [4, 6])];
  const any = () => values[pick(values.length)];
  const like = (t: Tensor, shape: readonly number[]) => reshape(g, t, shape);
  for (let i = 0; i < 30; i++) {
    const [a, b] = [any(), any()];
    const kind = pick(6);
    if (kind === 0) values.push(add(g, a, like(b, a.shape)));
    else if (kind === 1) values.push(maximum(g, like(a, [6, 4]), like(b, [6, 4])));
    else if (kind === 2) values.push(like(a, a.shape[0] === 4 ? [6, 4] : [4, 6]));
    else if (kind === 3) values.push(g.call(increment, [a], {})[0]);
    else if (kind === 4) values.push(sub(g, scale(g, a, 0.5), like(b, a.shape)));
    else values.push(sub(g, scale(g, a, 0.25), sum(g, neg(g, a), pick(2) === 0 ? 0 : 1)));
    if (i % 5 === 4) g.output(`v${i}`, values[values.length - 1]);
  }
}
