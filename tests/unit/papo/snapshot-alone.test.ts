// A snapshot and an update that are asked for at the same time, as when a paused run is saved and goes on at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Bench } from '../../trainer-harness.ts';

it('a snapshot is of before or after an update, never of both', async () => {
  const bench = await Bench.create();
  const trainer = await bench.trainer();
  await trainer.update();
  const before = await trainer.snapshot();
  // A GPU answers later.
  const { weights } = bench.policy;
  const readMany = weights.readMany.bind(weights);
  weights.readMany = async (names) => {
    const found = await readMany(names);
    await sleep(300);
    return found;
  };
  const [first, , second] = await Promise.all([trainer.snapshot(), trainer.update(), trainer.snapshot()]);
  expect(first).toEqual(before);
  expect(second.state).toMatchObject({ step: 2, optimizerStep: 2 });
  expect(second).toEqual(await trainer.snapshot());
  trainer.dispose();
});
