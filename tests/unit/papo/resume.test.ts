// A trainer that takes a snapshot back does what the one that gave it goes on to do: bit for bit on the CPU device.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot, StepReport } from '../../../src/papo/trainer.ts';
import type { JsonObject } from '../../../src/store/json.ts';
import { Bench, unchanged } from '../../trainer-harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});

/** What stands in the store after JSON, as a checkpoint keeps it. */
const throughJson = (state: JsonObject) => JSON.parse(JSON.stringify(state)) as JsonObject;

const told = ({ metrics: { step_time: _, ...metrics }, groups, generated, updated }: StepReport) => ({
  metrics,
  generated,
  updated,
  groups: groups.map(({ row, masked, ...rest }) => ({ ...rest, id: row.id, masked: masked.data })),
});

async function updates(trainer: Awaited<ReturnType<Bench['trainer']>>, count: number) {
  const reports: StepReport[] = [];
  for (let i = 0; i < count; i++) reports.push(await trainer.update());
  return reports.map(told);
}

async function resumedRun(settings: Record<string, unknown>, before: number, after: number) {
  bench.reset();
  const first = await bench.trainer(settings);
  await updates(first, before);
  const snapshot: Snapshot = await first.snapshot();
  const expected = await updates(first, after);
  const weights = await bench.policy.readWeights();
  first.dispose();

  // Other weights, so that one that is not restored shows.
  for (const [name, { data }] of bench.initial)
    bench.policy.weights.write(
      name,
      data.map((x) => x + 1),
    );
  const second = await bench.trainer(settings);
  await second.restore(
    throughJson(snapshot.state),
    new Set(snapshot.tensors.keys()),
    async (name) => snapshot.tensors.get(name)!,
  );
  const resumed = await updates(second, after);
  expect(resumed).toEqual(expected);
  const again = await bench.policy.readWeights();
  expect(unchanged(again, weights)).toEqual([...weights.keys()]);
  second.dispose();
  return { snapshot, expected };
}

describe('a resumed run repeats the unbroken one', () => {
  it.each<[string, Record<string, unknown>, number, boolean]>([
    ['between generations', {}, 1, false],
    ['with a reference policy', { beta: 0.05 }, 2, false],
    ['in the midst of a generation', { steps_per_generation: 2 }, 1, true],
    ['in the second pass over a generation', { num_iterations: 3, beta: 0.05 }, 1, true],
    [
      'in the midst of a generation with semantic masks',
      { num_iterations: 2, mask_type: 'semantic', mask_patch_size: 16 },
      1,
      true,
    ],
    ["with the authors' constants of the masked view", { objective: 'authors', num_iterations: 2 }, 1, true],
    ['with accumulation', { gradient_accumulation_steps: 2, per_device_train_batch_size: 4 }, 1, false],
    [
      'with dynamic sampling',
      { dynamic_sampling: true, max_resample_attempts: 2, steps_per_generation: 2 },
      1,
      true,
    ],
    ['on a schedule', { lr_scheduler_type: 'cosine', warmup_steps: 2 }, 2, false],
  ])('%s', async (_, settings, before, holdsGeneration) => {
    const { snapshot, expected } = await resumedRun(settings, before, 2);
    expect(snapshot.state.generation !== null).toBe(holdsGeneration);
    // Otherwise equality would say nothing.
    expect(expected[0].metrics.grad_norm).toBeGreaterThan(0);
  });
});

describe('a snapshot that does not fit is refused by name', () => {
  const restore = async (settings: Record<string, unknown>, snapshot: Snapshot) => {
    const trainer = await bench.trainer(settings);
    try {
      await trainer.restore(
        snapshot.state,
        new Set(snapshot.tensors.keys()),
        async (name) => snapshot.tensors.get(name)!,
      );
    } finally {
      trainer.dispose();
    }
  };

  it('a tensor is missing, or has another shape', async () => {
    bench.reset();
    const trainer = await bench.trainer();
    const snapshot = await trainer.snapshot();
    trainer.dispose();
    await expect(restore({ beta: 0.1 }, snapshot)).rejects.toThrow(
      /the checkpoint has no reference\/model\./,
    );
    const name = 'optimizer/m.model.text_model.norm.weight';
    const tensor = snapshot.tensors.get(name)!;
    snapshot.tensors.set(name, { ...tensor, shape: [tensor.shape[0] / 2, 2] });
    await expect(restore({}, snapshot)).rejects.toThrow(
      /the checkpoint's optimizer\/m\.model\.text_model\.norm\.weight is \[16,2\], the model's is \[32\]/,
    );
  });
});
