// Rows added up by index, many to one, on several threads: no row may be lost, and every run must give the same bits.
import { expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { scatterAdd } from '../../../src/ops/gather.ts';
import { Graph } from '../../../src/ops/graph.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';

const [count, d, rows] = [8192, 128, 13];

it('scatterAdd on four threads', async () => {
  const random = new RandomStream(1, Purpose.test);
  const x = Float32Array.from({ length: count * d }, () => random.next() - 0.5);
  const index = Int32Array.from({ length: count }, () => random.int(rows));
  const build = () => {
    const g = new Graph();
    g.output('y', scatterAdd(g, g.input('x', [count, d]), g.input('index', [count], 'i32'), rows));
    return g;
  };
  const expected = (await (await new ReferenceDevice().compile(build(), [])).run({ x, index })).y;
  const program = await new CpuDevice({ threads: 4 }).compile(build(), []);
  const first = Float32Array.from((await program.run({ x, index })).y);
  for (let i = 0; i < first.length; i++) expect(Math.abs(first[i] - expected[i])).toBeLessThan(1e-3);
  for (let run = 0; run < 20; run++) {
    const again = (await program.run({ x, index })).y;
    expect(
      first.every((value, i) => value === again[i]),
      `run ${run}`,
    ).toBe(true);
  }
  program.dispose();
});
