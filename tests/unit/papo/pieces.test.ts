// A micro-batch in several passes, and a rollout in several runs, are what they are in one.
import { beforeAll, describe, expect, it } from 'vitest';
import { worldDataset } from '../../../src/data/dataset.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { Trainer } from '../../../src/papo/trainer.ts';
import type { PassChoices } from '../../../src/policy/memory.ts';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { Bench, lengthReward, smallSettings } from '../../trainer-harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});

async function run(overrides: Record<string, unknown>, choices: Partial<PassChoices>) {
  bench.reset();
  const config = parseConfig({ ...smallSettings, ...overrides }, 'papo-nano');
  const trainer = await Trainer.create({
    policy: bench.policy,
    config,
    rewards: new RewardGuard(lengthReward),
    dataset: worldDataset('shapes', 'train', config.seed),
    choices,
  });
  const reports = [await trainer.update(), await trainer.update()];
  const weights = await bench.policy.readWeights();
  const { state } = await trainer.snapshot();
  trainer.dispose();
  return { reports, weights, state };
}

type Ran = Awaited<ReturnType<typeof run>>;

function expectEqual(a: Ran, b: Ran): void {
  for (const [name, { data }] of a.weights) {
    const other = b.weights.get(name)!.data;
    for (let i = 0; i < data.length; i++) expect(Math.abs(data[i] - other[i]), name).toBeLessThan(1e-5);
  }
  a.reports.forEach((report, i) => {
    const { step_time: _, ...metrics } = report.metrics;
    for (const [name, value] of Object.entries(metrics))
      expect(b.reports[i].metrics[name], name).toBeCloseTo(value, 4);
    report.groups.forEach((group, g) => {
      const other = b.reports[i].groups[g];
      expect(other.tokens).toEqual(group.tokens);
      for (const key of ['logps', 'masked_logps', 'entropy', 'ratio'] as const)
        group[key].forEach((row, n) => {
          expect(other[key][n].length).toBe(row.length);
          row.forEach((value, t) => void expect(other[key][n][t]).toBeCloseTo(value, 4));
        });
    });
  });
  expect(b.state).toEqual(a.state);
}

describe('in pieces', () => {
  it.each([
    { loss_type: 'grpo' },
    { loss_type: 'dapo', beta: 0.05, gradient_accumulation_steps: 2, num_iterations: 2 },
    { importance_sampling_level: 'sequence', perception_top_p: 0.5, steps_per_generation: 2 },
  ])('of a whole group, and of one completion: %o', async (overrides) => {
    const whole = await run(overrides, {});
    for (const pieces of [2, 8]) expectEqual(whole, await run(overrides, { pieces, promptsPerRun: 1 }));
  });

  it('with layers computed again, and few logits at a time', async () => {
    const whole = await run({}, {});
    expectEqual(whole, await run({}, { recompute: true, headChunkBytes: 4096 }));
  });

  it('with semantic masks, whose saliency comes image by image', async () => {
    const overrides = { mask_type: 'semantic' };
    expectEqual(await run(overrides, {}), await run(overrides, { promptsPerRun: 1 }));
  });

  it('are refused where the loss is not the sum of theirs', async () => {
    await expect(run({ objective: 'trl' }, { pieces: 2 })).rejects.toThrow('cannot be computed in 2 pieces');
    await expect(run({}, { pieces: 3 })).rejects.toThrow('cannot be computed in 3 pieces');
  });
});
