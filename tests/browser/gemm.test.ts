import { describe, test } from 'vitest';
import type { GemmPlan } from '../../src/device/webgpu/gemm.ts';
import type { Op } from '../../src/ops/graph.ts';
import { linear, matmul } from '../../src/ops/linear.ts';
import { elementKernel } from './element-ops.ts';
import { compareWithReference, noise, testDevice } from './helpers.ts';

const shapes = [
  [1, 1, 1],
  [3, 5, 7],
  [33, 17, 19],
  [65, 70, 33],
  [64, 64, 16],
  [5, 130, 3],
  [31, 9, 530],
];

describe('GEMM', () => {
  const plans: GemmPlan[] = [
    { variant: 'register', splitTo: 0 },
    { variant: 'shared32', splitTo: 0 },
    { variant: 'shared64', splitTo: 0 },
    { variant: 'register8', splitTo: 0 },
    { variant: 'shared8', splitTo: 0 },
    { variant: 'register8', splitTo: 16 },
    { variant: 'shared32', splitTo: 16 },
  ];
  for (const plan of plans)
    test(`${plan.variant}, splitting to ${plan.splitTo}: odd shapes, all transposes, bias`, async () => {
      const device = await testDevice({ gemm: plan });
      for (const [m, n, k] of shapes)
        await compareWithReference(
          (g) => {
            for (const transA of [false, true])
              for (const transB of [false, true]) {
                const a = g.constant(noise(m * k, 1), transA ? [k, m] : [m, k]);
                const b = g.constant(noise(k * n, 2), transB ? [n, k] : [k, n]);
                g.output(`${transA}-${transB}`, matmul(g, a, b, { transA, transB }));
              }
            const x = g.constant(noise(m * k, 3), [m, k]);
            const w = g.constant(noise(k * n, 4), [n, k]);
            g.output('linear', linear(g, x, w, g.constant(noise(n, 5), [n])));
          },
          {},
          { tolerance: 2e-6, device },
        );
    });
});

test('few rows where barriers are cheap: odd shapes, with and without bias', async () => {
  const device = await testDevice({ cheapBarriers: true, coreLimits: true });
  for (const [m, n, k] of [...shapes, [1, 131, 1000], [8, 4, 64], [9, 33, 65], [16, 7, 129], [17, 5, 3]])
    await compareWithReference(
      (g) => {
        const x = g.constant(noise(m * k, 3), [m, k]);
        const w = g.constant(noise(k * n, 4), [n, k]);
        g.output('linear', linear(g, x, w, g.constant(noise(n, 5), [n])));
        g.output('plain', linear(g, x, w));
      },
      {},
      { tolerance: 2e-6, device },
    );
});

describe('GEMM inside larger buffers', () => {
  for (const plan of [
    { variant: 'register', splitTo: 0 },
    { variant: 'register8', splitTo: 0 },
    { variant: 'shared32', splitTo: 0 },
    { variant: 'register', splitTo: 8 },
  ] satisfies GemmPlan[])
    test(`${plan.variant}, splitting to ${plan.splitTo}: offsets, accumulation`, async () => {
      const device = await testDevice({ gemm: plan });
      await compareWithReference(
        (g) => {
          const a = g.constant(noise(4 + 5 * 530, 1), [1, 4 + 5 * 530]);
          const b = g.constant(noise(9 + 530 * 3, 2), [1, 9 + 530 * 3]);
          g.output('c', g.call(offsetProduct, [a, b], { m: 5, n: 3, k: 530 })[0]);
        },
        {},
        { tolerance: 2e-6, device },
      );
    });
});

/** C [1, 2 + m n], from position 2 on: twice A(m, k) B(k, n); A starts at 4, B at 9. The first two are A's. */
const offsetProduct: Op<{ m: number; n: number; k: number }> = {
  name: 'offset_product',
  outputs: (_inputs, { m, n }) => [{ shape: [1, 2 + m * n], dtype: 'f32' }],
  reference([a, b], [c], { attributes: { m, n, k } }) {
    c.set(a.slice(0, 2));
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        for (let l = 0; l < k; l++) c[2 + i * n + j] += 2 * a[4 + i * k + l] * b[9 + l * n + j];
  },
  onnx: () => [],
  webgpu(gpu, { inputs: [a, b], outputs: [c], attributes: { m, n, k } }) {
    const spec = {
      ...{ m, n, k, c, cOffset: 2 },
      a: { tensor: a, rowStride: k, columnStride: 1, offset: 4 },
      b: { tensor: b, rowStride: n, columnStride: 1, offset: 9 },
    };
    const code = elementKernel('y[id.x] = x[id.x];');
    const head = gpu.dispatch({ kernel: 'head_of', code, bindings: [a, c], params: [2], threads: 2 });
    return [head, ...gpu.gemm(spec), ...gpu.gemm({ ...spec, accumulate: true })];
  },
};
