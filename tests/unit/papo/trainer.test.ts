// The trainer on a tiny random SmolVLM on the CPU device: what reaches the device, and what comes of it.
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunInputs } from '../../../src/device/device.ts';
import type { Group } from '../../../src/papo/trainer.ts';
import { embeddingName, visionPrefix } from '../../../src/policy/parameters.ts';
import { Bench, distance, unchanged } from '../../trainer-harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.create();
});

const noPapo = { perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 };
const sum = (x: Iterable<number>) => Array.from(x).reduce((a, b) => a + b, 0);
const mean = (x: number[]) => sum(x) / x.length;
const withoutTime = ({ step_time: _, ...metrics }: Record<string, number>) => metrics;

describe('accumulation', () => {
  it.each(['grpo', 'dapo'])(
    '%s: two micro-steps give the weights of one of twice the size',
    async (loss_type) => {
      const common = { loss_type, mask_truncated_completions: true };
      const whole = await bench.run({ ...common, per_device_train_batch_size: 16 });
      const halves = await bench.run({
        ...common,
        per_device_train_batch_size: 8,
        gradient_accumulation_steps: 2,
      });
      expect(halves.reports[0].groups.map((g) => g.completions)).toEqual(
        whole.reports[0].groups.map((g) => g.completions),
      );
      const moved = distance(whole.weights, bench.initial);
      expect(moved).toBeGreaterThan(0.1);
      expect(distance(whole.weights, halves.weights) / moved).toBeLessThan(1e-5);
      expect(halves.reports[0].metrics.loss).toBeCloseTo(whole.reports[0].metrics.loss, 5);
      expect(halves.reports[0].metrics.grad_norm).toBeCloseTo(whole.reports[0].metrics.grad_norm, 4);
    },
  );

  it('micro-batches that cut groups give the same weights too', async () => {
    const whole = await bench.run({ loss_type: 'dapo', per_device_train_batch_size: 12 });
    const cut = await bench.run({
      loss_type: 'dapo',
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 6,
    });
    expect(distance(whole.weights, cut.weights) / distance(whole.weights, bench.initial)).toBeLessThan(1e-5);
  });

  it('dapo divides every micro-step by the tokens of the whole update', async () => {
    await bench.run({
      loss_type: 'dapo',
      gradient_accumulation_steps: 3,
      mask_truncated_completions: true,
      num_generations: 8,
    });
    const runs = bench.device.trainingRuns;
    expect(runs).toHaveLength(3);
    const tokens = sum(runs.map((r) => sum(r.completion_mask)));
    expect(tokens).toBeGreaterThan(0);
    expect(runs.map((r) => r.num_items_in_batch[0])).toEqual([tokens, tokens, tokens]);
  });

  it('metrics of an update over two generations are those of both', async () => {
    const seen: number[][] = [];
    const { reports } = await bench.run(
      { steps_per_generation: 1, gradient_accumulation_steps: 2 },
      {
        rewards: {
          length: ({ completions }) => {
            seen.push(completions.map((text) => text.length));
            return seen.at(-1)!;
          },
        },
      },
    );
    expect(seen).toHaveLength(2);
    expect(mean(seen[0])).not.toBe(mean(seen[1]));
    expect(reports[0].metrics.reward).toBeCloseTo(mean(seen.flat()), 10);
  });
});

/**
 * Finds the group whose image is view 0 of prefix u, and there the piece with the completions and advantages that lie
 * beside it; the masked image must be that group's. Pieces in `used` are taken (two pieces may read the same).
 */
function checkUnits(inputs: RunInputs, groups: Group[], unit: number, T: number, used: string[]): void {
  const B = inputs.advantages.length;
  const P = B / unit;
  const size = 3 * 64 * 64;
  const pixels = (p: number) => Array.from(inputs.pixel_values.subarray(p * size, (p + 1) * size));
  const equal = (a: ArrayLike<number>, b: number[]) => b.every((x, i) => x === a[i]);
  for (let u = 0; u < P; u++) {
    const group = groups.find((g) => equal(bench.policy.pixels(g.row.image), pixels(u)))!;
    expect(group, `the image of unit ${u}`).toBeDefined();
    expect(equal(bench.policy.pixels(group.masked), pixels(P + u)), `masked image of unit ${u}`).toBe(true);
    const rows = Array.from({ length: unit }, (_, k) => u * unit + k);
    const tokens = rows.map((n) => {
      const length = sum(inputs.completion_mask.subarray(n * T, (n + 1) * T));
      return Array.from(inputs.targets.subarray(n * T, n * T + length));
    });
    const first = Array.from({ length: group.tokens.length / unit }, (_, j) => j * unit).find(
      (at) =>
        !used.includes(`${group.row.id} ${at}`) &&
        tokens.every((t, k) => JSON.stringify(t) === JSON.stringify(group.tokens[at + k])) &&
        rows.every((n, k) => inputs.advantages[n] === Math.fround(group.advantages[at + k])),
    );
    expect(first, `completions and advantages of unit ${u}`).toBeDefined();
    used.push(`${group.row.id} ${first}`);
  }
}

describe('the order of completions', () => {
  it.each([
    { size: 8, G: 4, steps: 3, unit: 4 },
    { size: 6, G: 4, steps: 2, unit: 2 },
    { size: 2, G: 4, steps: 4, unit: 2 },
  ])(
    'a micro-batch of $size of groups of $G keeps images, completions and advantages together',
    async ({ size, G, steps, unit }) => {
      const { reports } = await bench.run({
        per_device_train_batch_size: size,
        num_generations: G,
        gradient_accumulation_steps: steps,
      });
      const { groups } = reports[0];
      const units: string[] = [];
      for (const inputs of bench.device.trainingRuns) checkUnits(inputs, groups, unit, 5, units);
      // Every piece of every group once, and not in the order in which they were drawn.
      const drawn = groups.flatMap((g) =>
        Array.from({ length: G / unit }, (_, j) => `${g.row.id} ${j * unit}`),
      );
      expect([...units].sort()).toEqual([...drawn].sort());
      expect(units).not.toEqual(drawn);
    },
  );
});

describe('several updates a generation', () => {
  const settings = { loss_type: 'dapo', num_iterations: 2, learning_rate: 0.03, max_steps: 8 };

  it('the first pass has ratio 1, the second not', async () => {
    const { reports } = await bench.run(settings, { updates: 3 });
    const [first, second, third] = reports.map((r) => r.metrics);
    const { groups } = reports[0];
    const lengths = groups.flatMap((g) => g.tokens.map((t) => t.length));
    const advantages = groups.flatMap((g) => g.advantages);
    const onPolicy = -sum(advantages.map((a, i) => a * lengths[i])) / sum(lengths);
    expect(Math.abs(onPolicy)).toBeGreaterThan(0.01);
    expect(first.policy_loss).toBeCloseTo(onPolicy, 5);
    expect(first['clip_ratio/region_mean']).toBe(0);
    expect(Math.abs(second.policy_loss - onPolicy)).toBeGreaterThan(0.01);
    expect(second['clip_ratio/region_mean']).toBeGreaterThan(0);
    // The third starts a new generation.
    expect(reports[1].groups.map((g) => g.completions)).toEqual(groups.map((g) => g.completions));
    expect(reports[2].groups.map((g) => g.row.id)).not.toEqual(groups.map((g) => g.row.id));
    expect(third['clip_ratio/region_mean']).toBe(0);
  });

  it('the second half of a generation is older than the policy that trains on it', async () => {
    const { reports } = await bench.run(
      { ...settings, num_iterations: 1, steps_per_generation: 2 },
      { updates: 3 },
    );
    const clipped = reports.map((r) => r.metrics['clip_ratio/region_mean']);
    expect(clipped[0]).toBe(0);
    expect(clipped[1]).toBeGreaterThan(0);
    expect(clipped[2]).toBe(0);
  });

  it('both passes see the same images, masked and not, and the same old log-probs', async () => {
    await bench.run({ ...settings, steps_per_generation: 2 }, { updates: 4 });
    const runs = bench.device.trainingRuns;
    expect(runs).toHaveLength(4);
    for (const batch of [0, 1]) {
      expect(runs[batch + 2].pixel_values).toEqual(runs[batch].pixel_values);
      expect(runs[batch + 2].old_per_token_logps).toEqual(runs[batch].old_per_token_logps);
    }
    const { pixel_values } = runs[0];
    const half = pixel_values.length / 2;
    expect(pixel_values.subarray(half)).not.toEqual(pixel_values.subarray(0, half));
    expect(runs[1].pixel_values).not.toEqual(pixel_values);
  });

  it("authors: the masked view's log-probs are those from before the first update", async () => {
    const authors = {
      ...settings,
      objective: 'authors',
      perception_loss_weight: 0.1,
      max_completion_length: 4,
    };
    const { reports } = await bench.run(authors, { updates: 2 });
    const [first, second] = bench.device.trainingRuns;
    expect(first.per_token_logps_masked).toHaveLength(8 * 4);
    expect(second.per_token_logps_masked).toEqual(first.per_token_logps_masked);
    expect(first.pixel_values).toHaveLength(2 * 3 * 64 * 64);
    // On the masked image, not on the original.
    expect(first.per_token_logps_masked).not.toEqual(first.old_per_token_logps);
    expect(reports[0].metrics.perception_kl).toBeGreaterThan(0);
    // Stale and current are the same in the first update of a generation.
    const current = await bench.run({ ...authors, num_iterations: 1 });
    expect(bench.device.trainingRuns[0].per_token_logps_masked).toBeUndefined();
    expect(bench.device.trainingRuns[0].pixel_values).toHaveLength(4 * 3 * 64 * 64);
    for (const name of ['loss', 'perception_kl', 'grad_norm'])
      expect(reports[0].metrics[name]).toBeCloseTo(current.reports[0].metrics[name], 5);
  });
});

describe('the reference policy', () => {
  it('is the policy at the start, and does not move', async () => {
    const before = bench.device.stores.length;
    bench.reset();
    const trainer = await bench.trainer({ beta: 0.1, learning_rate: 0.01 });
    const reference = bench.device.stores.slice(before).find((store) => store.names.includes(embeddingName))!;
    const first = await trainer.update();
    const second = await trainer.update();
    expect(Math.abs(first.metrics.kl)).toBeLessThan(1e-9);
    expect(second.metrics.kl).toBeGreaterThan(1e-4);
    for (const [name, { data }] of bench.initial) expect(await reference.read(name)).toEqual(data);
    expect(unchanged(await bench.policy.readWeights(), bench.initial)).toEqual([]);
    trainer.dispose();
  });
});

it('freeze_vision_tower leaves exactly the tower as it was', async () => {
  const { weights } = await bench.run({ freeze_vision_tower: true });
  const tower = [...weights.keys()].filter((name) => name.startsWith(visionPrefix));
  expect(tower.length).toBeGreaterThan(10);
  expect(unchanged(weights, bench.initial)).toEqual(tower);
});

describe('truncated completions', () => {
  it('are left out of the loss', async () => {
    const { reports } = await bench.run({ mask_truncated_completions: true });
    const [inputs] = bench.device.trainingRuns;
    const masks = Array.from({ length: 8 }, (_, n) => sum(inputs.completion_mask.subarray(n * 5, n * 5 + 5)));
    const tokens = reports[0].groups.flatMap((g) => g.tokens);
    const ends = bench.policy.text.eosTokenIds;
    const expected = tokens.map((t) => (ends.includes(t.at(-1)!) ? t.length : 0));
    expect(masks).toEqual(expected);
    expect(masks).toContain(0);
    expect(sum(masks)).toBeGreaterThan(0);
    expect(reports[0].metrics['completions/clipped_ratio']).toBe(masks.filter((n) => n === 0).length / 8);
  });

  it('when all are truncated nothing is learnt and nothing breaks', async () => {
    const endless = await Bench.create({ endScore: -30 });
    for (const loss_type of ['grpo', 'dapo']) {
      const { reports, weights } = await endless.run({ mask_truncated_completions: true, loss_type });
      const { metrics } = reports[0];
      expect(metrics['completions/clipped_ratio']).toBe(1);
      expect(metrics.loss).toBeCloseTo(0, 12);
      expect(metrics.grad_norm).toBe(0);
      for (const [name, value] of Object.entries(metrics)) expect(value, name).toSatisfy(Number.isFinite);
      expect(distance(weights, endless.initial)).toBe(0);
    }
    endless.policy.dispose();
  });
});

describe('dynamic sampling', () => {
  const settings = { dynamic_sampling: true, max_resample_attempts: 3, ...noPapo };
  const alike = { alike: ({ completions }: { completions: readonly string[] }) => completions.map(() => 1) };
  const rare = {
    rare: ({ completions }: { completions: readonly string[] }) =>
      completions.map((c) => (c.length < 5 ? 1 : 0)),
  };

  it('stops at its limit, and groups without a spread teach nothing', async () => {
    const { reports, weights } = await bench.run(settings, { rewards: alike });
    const { metrics } = reports[0];
    expect(metrics['dynamic_sampling/retries']).toBe(3);
    expect(metrics['dynamic_sampling/drawn']).toBe(8);
    expect(metrics.frac_reward_zero_std).toBe(1);
    expect(metrics.loss).toBeCloseTo(0, 12);
    expect(distance(weights, bench.initial)).toBe(0);
    // Every draw has random numbers of its own.
    const draws = bench.device.runs.filter((r) => r.uniforms).map((r) => String(r.uniforms));
    expect(new Set(draws).size).toBe(4);
  });

  it('draws until every group has a spread', async () => {
    const retries: number[] = [];
    for (const seed of [1, 2, 3]) {
      const { reports } = await bench.run(
        { ...settings, max_resample_attempts: 20, seed },
        { rewards: rare },
      );
      const { metrics, groups } = reports[0];
      expect(groups).toHaveLength(2);
      for (const g of groups) expect(new Set(g.rewards.map((r) => r.rare)).size).toBe(2);
      expect(metrics['dynamic_sampling/drawn']).toBe(2 * (1 + metrics['dynamic_sampling/retries']));
      retries.push(metrics['dynamic_sampling/retries']);
    }
    expect(Math.max(...retries)).toBeGreaterThan(0);
  });
});

describe('rates and live settings', () => {
  it('the learning rate goes by the schedule, live changes scale it', async () => {
    const schedule = { lr_scheduler_type: 'linear', warmup_steps: 2, max_steps: 4, learning_rate: 0.008 };
    const live = [{}, {}, {}, { learning_rate: 0.002 }];
    const { reports } = await bench.run(schedule, { updates: 4, live });
    const rates = reports.map((r) => r.metrics.learning_rate);
    [0, 0.004, 0.008, 0.001].forEach((rate, i) => {
      expect(rates[i]).toBeCloseTo(rate, 12);
    });
    expect(reports.map((r) => r.step)).toEqual([1, 2, 3, 4]);
  });

  it('a rate of 0 leaves the weights', async () => {
    const { weights } = await bench.run({}, { live: [{ learning_rate: 0 }] });
    expect(distance(weights, bench.initial)).toBe(0);
  });

  it('weights of the terms may change, go to 0 and come back', async () => {
    const live = [{ perception_loss_weight: 0, der_loss_weight2: 0 }, { perception_loss_weight: 0.5 }, {}];
    const { reports } = await bench.run({ perception_loss_weight: 0.1 }, { updates: 3, live });
    const [off, high, base] = reports.map((r) => r.metrics);
    expect(off.perception_loss).toBeUndefined();
    const share = (m: Record<string, number>) => -m.perception_loss / m.perception_kl;
    // grpo weighs tokens by completion, the metric by token: equal only in size.
    expect(share(high) / share(base)).toBeGreaterThan(2);
    expect(bench.device.trainingRuns.map((r) => r.perception_loss_weight[0])).toEqual(
      [0, 0.5, 0.1].map(Math.fround),
    );
  });

  it('a term that was off comes on where the masked view was there all along', async () => {
    const live = [{ perception_loss_weight: 0 }, { perception_loss_weight: 0.5, der_loss_weight1: 0 }];
    const { reports } = await bench.run({ der_loss_weight2: 0.1 }, { updates: 2, live });
    expect(reports[0].metrics.perception_loss).toBeUndefined();
    expect(reports[1].metrics.perception_loss).toBeLessThan(0);
  });

  it('an undefined live setting is no setting', async () => {
    const { reports } = await bench.run({}, { live: [{ learning_rate: undefined }] });
    expect(reports[0].metrics.learning_rate).toBe(0.01);
  });

  it('completions keep the temperature that they were sampled at', async () => {
    const live = [{ temperature: 0.5 }, { temperature: 2 }, { temperature: 2 }];
    await bench.run({ num_iterations: 2 }, { updates: 3, live });
    expect(bench.device.trainingRuns.map((r) => r.temperature[0])).toEqual([0.5, 0.5, 2]);
    const rollouts = bench.device.runs.filter((r) => r.uniforms).map((r) => r.temperature[0]);
    expect(rollouts).toEqual([0.5, 2]);
  });

  it('annealing scales the live weights', async () => {
    const annealing = {
      kl_prcp_annealing_ratio: 1,
      kl_prcp_annealing_end: 0.05,
      perception_loss_weight: 0.1,
      max_steps: 4,
    };
    await bench.run(annealing, { updates: 3, live: [{}, {}, { perception_loss_weight: 0.3 }] });
    const runs = bench.device.trainingRuns;
    // γ from 0.1 to 0.05 over four updates, as a share of 0.1.
    [1, 0.875, 0.75].forEach((d, i) => {
      expect(runs[i].annealing_discount[0]).toBeCloseTo(d, 6);
    });
    expect(runs[2].perception_loss_weight[0]).toBeCloseTo(0.3, 6);
  });
});

it('the same seed gives the same run bit for bit, another seed another', async () => {
  const settings = { per_device_train_batch_size: 4, gradient_accumulation_steps: 2, beta: 0.01 };
  const [a, b] = [await bench.run(settings, { updates: 2 }), await bench.run(settings, { updates: 2 })];
  expect(b.reports.map((r) => withoutTime(r.metrics))).toEqual(a.reports.map((r) => withoutTime(r.metrics)));
  expect(distance(a.weights, b.weights)).toBe(0);
  const other = await bench.run({ ...settings, seed: 7 }, { updates: 2 });
  expect(other.reports[0].groups[0].completions).not.toEqual(a.reports[0].groups[0].completions);
  expect(distance(a.weights, other.weights)).toBeGreaterThan(0);
});

describe('the masked view', () => {
  const size = 3 * 64 * 64;

  it('is left out where no term needs it', async () => {
    const { reports } = await bench.run({ perception_loss_weight: 0, der_loss_weight2: 0 });
    expect(bench.device.trainingRuns[0].pixel_values).toHaveLength(2 * size);
    expect(reports[0].metrics.perception_kl).toBeUndefined();
    expect(reports[0].metrics.entropy).toBeGreaterThan(0);
    expect(reports[0].groups[0].perception_kl).toEqual([[], [], [], []]);
  });

  it.each([
    { perception_loss_weight: 0.1, der_loss_weight2: 0 },
    { perception_loss_weight: 0, der_loss_weight2: 0.1 },
  ])('is there for %o', async (weights) => {
    const { reports } = await bench.run(weights);
    expect(bench.device.trainingRuns[0].pixel_values).toHaveLength(4 * size);
    const { metrics, groups } = reports[0];
    expect(metrics.perception_kl_exact).toBeGreaterThan(0);
    expect(metrics.entropy_masked).toBeGreaterThan(0);
    for (const group of groups)
      expect(group.perception_kl.map((kl) => kl.length)).toEqual(group.tokens.map((t) => t.length));
  });

  it('has a mask for each prompt, and others in the next generation', async () => {
    const { reports } = await bench.run({}, { updates: 2 });
    const masks = reports.flatMap((r) =>
      r.groups.map(({ masked, row }) =>
        // One pixel a patch: black in the masked image, and in no drawing.
        Array.from({ length: 16 }, (_, i) => ((Math.floor(i / 4) * 16 + 1) * 64 + (i % 4) * 16 + 1) * 3)
          .map((at) => (masked.data[at] === 0 && row.image.data[at] !== 0 ? 0 : 1))
          .join(''),
      ),
    );
    expect(new Set(masks).size).toBe(4);
  });

  it('has its part in the gradient unless it is detached', async () => {
    const settings = {
      perception_loss_weight: 1,
      perception_kl: 'exact',
      der_loss_weight1: 0,
      der_loss_weight2: 0,
    };
    const through = await bench.run(settings);
    const detached = await bench.run({ ...settings, detach_masked_branch: true });
    expect(detached.reports[0].metrics.loss).toBe(through.reports[0].metrics.loss);
    expect(distance(through.weights, detached.weights)).toBeGreaterThan(1e-2);
  });

  it.each(['patch_black', 'random', 'patch', 'grid', 'semantic'])('mask_type %s runs', async (mask_type) => {
    const ratio = mask_type === 'grid' ? 0.25 : 0.6;
    const { reports } = await bench.run({ mask_type, mask_ratio: ratio, seed: 5 });
    expect(reports[0].metrics.perception_kl_exact).toBeGreaterThan(0);
    const { groups } = reports[0];
    // The device gets what the page shows; TRL's fill is the mean in float, up to half a byte off (0.5 / 127.5).
    const { pixel_values } = bench.device.trainingRuns[0];
    groups.forEach(({ masked, row }, p) => {
      const shown = bench.policy.pixels(masked);
      const given = pixel_values.subarray((2 + p) * size, (3 + p) * size);
      expect(Math.max(...shown.map((x, i) => Math.abs(x - given[i])))).toBeLessThan(0.004);
      if (mask_type !== 'grid') expect(masked.data).not.toEqual(row.image.data);
    });
    if (mask_type === 'semantic') {
      // floor(0.6 × 16) patches are black, each whole.
      const { data } = groups[0].masked;
      const black = Array.from({ length: 16 }, (_, i) => {
        const [y, x] = [Math.floor(i / 4) * 16, (i % 4) * 16];
        return Array.from({ length: 16 }, (_, r) =>
          data.subarray(((y + r) * 64 + x) * 3, ((y + r) * 64 + x + 16) * 3),
        ).every((row) => row.every((v) => v === 0));
      });
      expect(black.filter(Boolean)).toHaveLength(9);
    }
  });
});

describe('numbers that are none', () => {
  it.each([
    { what: 'loss', size: 1e39 },
    { what: 'gradient', size: 1e25 },
  ])(
    'a $what that overflows is counted, and the update skipped: nothing moves, not a bit',
    async ({ size }) => {
      let isHuge = true;
      const rewards = {
        huge: ({ completions }: { completions: readonly string[] }) =>
          completions.map((c) => (isHuge ? size : 1) * (c.length % 5)),
      };
      bench.reset();
      const trainer = await bench.trainer({ scale_rewards: 'none', ...noPapo }, rewards);
      const first = await trainer.update();
      expect(first.updated).toBe(false);
      expect(first.metrics.skipped_updates).toBe(1);
      expect(first.metrics.grad_norm).toSatisfy((norm: number) => !Number.isFinite(norm));
      const weights = await bench.policy.readWeights();
      expect(unchanged(weights, bench.initial).length).toBe(bench.initial.size);
      const moments = trainer.optimizer.store.names.filter((name) => /^[mv]\./.test(name));
      for (const data of (await trainer.optimizer.store.readMany(moments)).values())
        expect(data.every((x) => x === 0)).toBe(true);
      expect(trainer.optimizer.step).toBe(0);
      // And the run goes on as if the step had not been.
      isHuge = false;
      const second = await trainer.update();
      expect(second.updated).toBe(true);
      expect(second.metrics.skipped_updates).toBe(1);
      expect(trainer.optimizer.step).toBe(1);
      expect(unchanged(await bench.policy.readWeights(), bench.initial).length).toBeLessThan(
        bench.initial.size,
      );
      trainer.dispose();
    },
  );
});

describe('rewards', () => {
  it('a completion that no function scores has advantage 0', async () => {
    const { reports } = await bench.run(
      {},
      { rewards: { some: ({ completions }) => completions.map((c, i) => (i % 4 === 1 ? null : c.length)) } },
    );
    for (const group of reports[0].groups) {
      expect(group.rewards[1].some).toBeNull();
      expect(group.advantages[1]).toBe(0);
    }
    expect(reports[0].metrics.reward).toBeGreaterThan(0);
  });

  it('settings that do not fit are refused before anything is compiled', async () => {
    const { compilations } = bench.device;
    await expect(bench.trainer({ reward_weights: [1, 2] })).rejects.toThrow(
      /reward_weights: expected 1.*got 2/,
    );
    await expect(bench.trainer({}, {})).rejects.toThrow(/reward_funcs/);
    expect(() => bench.trainer({ per_device_train_batch_size: 6 })).toThrow(
      /num_generations: expected a divisor/,
    );
    expect(bench.device.compilations).toBe(compilations);
  });
});

it('two trainers on one policy keep their own objective, optimizer and reference', async () => {
  const settings = (loss_type: string) => ({ loss_type, beta: 0.05, num_iterations: 2 });
  const alone = await bench.run(settings('dapo'), { updates: 2 });
  bench.reset();
  const grpo = await bench.trainer(settings('grpo'));
  const grpoReports = [await grpo.update(), await grpo.update()];
  grpo.dispose();
  bench.reset();
  const dapo = await bench.trainer(settings('dapo'));
  const reports = [await dapo.update(), await dapo.update()];
  dapo.dispose();
  expect(reports.map((r) => withoutTime(r.metrics))).toEqual(
    alone.reports.map((r) => withoutTime(r.metrics)),
  );
  expect(distance(await bench.policy.readWeights(), alone.weights)).toBe(0);
  expect(Math.abs(grpoReports[0].metrics.policy_loss - reports[0].metrics.policy_loss)).toBeGreaterThan(1e-3);
});

it("metrics carry TRL's names", async () => {
  const { reports } = await bench.run({ beta: 0.01 });
  for (const name of [
    'num_tokens',
    'step_time',
    'loss',
    'grad_norm',
    'learning_rate',
    'reward',
    'reward_std',
    'frac_reward_zero_std',
    'rewards/length/mean',
    'rewards/length/std',
    'completions/mean_length',
    'completions/min_length',
    'completions/max_length',
    'completions/clipped_ratio',
    'completions/mean_terminated_length',
    'completions/min_terminated_length',
    'completions/max_terminated_length',
    'entropy',
    'kl',
    'clip_ratio/low_mean',
    'clip_ratio/low_min',
    'clip_ratio/high_mean',
    'clip_ratio/high_max',
    'clip_ratio/region_mean',
  ])
    expect(reports[0].metrics[name], name).toSatisfy(Number.isFinite);
});
