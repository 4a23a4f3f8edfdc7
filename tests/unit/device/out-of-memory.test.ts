import { expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { OutOfMemoryError } from '../../../src/device/device.ts';
import { neg } from '../../../src/ops/elementwise.ts';
import { Graph } from '../../../src/ops/graph.ts';
import { matmul } from '../../../src/ops/linear.ts';
import { sum } from '../../../src/ops/reduce.ts';

it('a CPU run beyond the 4 GiB of WASM is an OutOfMemoryError, and the next run works', async () => {
  const device = new CpuDevice({ threads: 1 });
  const g = new Graph();
  // [n, n] is 5 GiB: refused before anything is computed.
  const n = 36_000;
  const x = g.input('x', [n, 1]);
  g.output('y', sum(g, matmul(g, x, x, { transB: true }), 0));
  const program = await device.compile(g, []);
  const error = await program.run({ x: new Float32Array(n) }).then(String, (e) => e);
  expect(error).toBeInstanceOf(OutOfMemoryError);
  expect(error.message).toContain('a run takes more than there is, and the limit is 4096.0 MiB');
  const fine = new Graph();
  fine.output('y', neg(fine, fine.input('x', [1, 2])));
  const { y } = await (await device.compile(fine, [])).run({ x: Float32Array.of(1, 2) });
  expect([...y]).toEqual([-1, -2]);
});
