// What an update says of each token, against float64 arithmetic on the logits: the model's own graph runs in the
// reference interpreter up to the last hidden rows, and the head is written out here.
import { describe, expect, it } from 'vitest';
import type { RunInputs } from '../../../src/device/device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { gather } from '../../../src/ops/gather.ts';
import type { Group } from '../../../src/papo/trainer.ts';
import { predictingRows } from '../../../src/policy/layout.ts';
import { type PassShape, passCounts } from '../../../src/policy/papo-pass.ts';
import { embeddingName, type Weight } from '../../../src/policy/parameters.ts';
import { policyGraph } from '../../../src/policy/policy-graph.ts';
import { Bench, smallSettings } from '../../trainer-harness.ts';

const T = smallSettings.max_completion_length;
type Weights = ReadonlyMap<string, Weight>;

interface Expected {
  readonly logp: number;
  readonly maskedLogp: number;
  readonly kl: number;
  readonly entropy: number;
}

/** log p over the vocabulary, [views · B · T][V], of the pass that these inputs were for. */
async function logProbabilities(bench: Bench, weights: Weights, inputs: RunInputs, shape: PassShape) {
  const counts = passCounts(shape);
  const { g, hidden } = policyGraph(bench.policy.config, counts);
  const rows = predictingRows(counts);
  g.output('hidden', gather(g, hidden, g.constant(rows, [rows.length])));
  const device = new ReferenceDevice();
  const store = device.createStore([...weights].map(([name, weight]) => ({ name, ...weight })));
  const program = await device.compile(g, [store]);
  const needed = ['pixel_values', 'input_ids', 'place', 'origin', 'positions', 'key_mask'];
  const out = await program.run(Object.fromEntries(needed.map((name) => [name, inputs[name]])));
  const d = bench.policy.config.text.hiddenSize;
  const table = weights.get(embeddingName)!.data;
  const temperature = inputs.temperature[0];
  return Array.from({ length: rows.length }, (_, row) => {
    const z = Array.from({ length: table.length / d }, (_, v) => {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += out.hidden[row * d + i] * table[v * d + i];
      return sum / temperature;
    });
    const most = Math.max(...z);
    const log = most + Math.log(z.reduce((sum, x) => sum + Math.exp(x - most), 0));
    return z.map((x) => x - log);
  });
}

/** By completion of the micro-batch and token. */
async function expected(bench: Bench, weights: Weights, inputs: RunInputs): Promise<Expected[][]> {
  const B = inputs.advantages.length;
  const size = 3 * bench.policy.config.vision.imageSize ** 2;
  const prompts = inputs.pixel_values.length / size / 2;
  const group = B / prompts;
  const prefixLength = inputs.key_mask.length / (2 * prompts);
  const shape: PassShape = { prompts, prefixLength, group, completionLength: T, views: 2 };
  const logs = await logProbabilities(bench, weights, inputs, shape);
  return Array.from({ length: B }, (_, n) =>
    Array.from({ length: T }, (_, t) => {
      const [p, q] = [logs[n * T + t], logs[(B + n) * T + t]];
      const target = inputs.targets[n * T + t];
      return {
        logp: p[target],
        maskedLogp: q[target],
        kl: p.reduce((sum, x, v) => sum + Math.exp(x) * (x - q[v]), 0),
        entropy: -p.reduce((sum, x) => sum + Math.exp(x) * x, 0),
      };
    }),
  );
}

/** The completion of these targets, found by its ids: micro-batches may be in any order. */
function find(groups: readonly Group[], targets: ArrayLike<number>, seen: Set<string>) {
  for (const group of groups)
    for (const [k, ids] of group.tokens.entries()) {
      const key = `${group.prompt} ${k}`;
      if (seen.has(key) || !ids.every((id, t) => targets[t] === id)) continue;
      return { group, k, key };
    }
  throw new Error('no such completion');
}

describe('the values of each token', () => {
  it('of every micro-batch equal float64 arithmetic on the logits, ratio included', async () => {
    const bench = await Bench.create();
    bench.reset();
    const trainer = await bench.trainer({
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 2,
      num_iterations: 2,
      perception_loss_weight: 0.1,
      temperature: 0.8,
    });
    const first = await trainer.update();
    const middle = await bench.policy.readWeights();
    const second = await trainer.update();
    expect(second.groups.map((g) => g.tokens)).toEqual(first.groups.map((g) => g.tokens));
    expect(second.groups.every((g) => !g.isFresh)).toBe(true);
    const runs = bench.device.trainingRuns;
    expect(runs).toHaveLength(4);
    let farthest = 0;
    for (const [update, report] of [first, second].entries()) {
      const seen = new Set<string>();
      for (const inputs of runs.slice(2 * update, 2 * update + 2)) {
        const now = await expected(bench, update === 0 ? bench.initial : middle, inputs);
        const before = await expected(bench, bench.initial, inputs);
        for (const [n, tokens] of now.entries()) {
          const { group, k, key } = find(report.groups, inputs.targets.subarray(n * T, (n + 1) * T), seen);
          seen.add(key);
          expect(group.logps[k]).toHaveLength(group.tokens[k].length);
          for (const t of group.tokens[k].keys()) {
            const { logp, maskedLogp, kl, entropy } = tokens[t];
            expect(group.logps[k][t]).toBeCloseTo(logp, 4);
            expect(group.masked_logps[k][t]).toBeCloseTo(maskedLogp, 4);
            expect(group.perception_kl[k][t]).toBeCloseTo(kl, 5);
            expect(group.entropy[k][t]).toBeCloseTo(entropy, 4);
            const ratio = Math.exp(logp - before[n][t].logp);
            expect(group.ratio[k][t]).toBeCloseTo(ratio, 4);
            farthest = Math.max(farthest, Math.abs(ratio - 1));
          }
        }
      }
      // Every completion of the update, each once.
      expect(seen.size).toBe(8);
    }
    // The weights moved, or the test of the ratio says nothing.
    expect(farthest).toBeGreaterThan(0.01);
    trainer.dispose();
  }, 120_000);

  it('are those of every generation that an update draws on', async () => {
    const bench = await Bench.create();
    const { reports } = await bench.run({ steps_per_generation: 1, gradient_accumulation_steps: 2 });
    const { groups } = reports[0];
    expect(groups.map((g) => g.place)).toEqual([
      { generation: 0, index: 0 },
      { generation: 0, index: 1 },
      { generation: 1, index: 0 },
      { generation: 1, index: 1 },
    ]);
    for (const group of groups)
      expect(group.logps.map((list) => list.length)).toEqual(group.tokens.map((ids) => ids.length));
  });

  it('are absent where no pass computed them', async () => {
    const bench = await Bench.create();
    const none = { perception_loss_weight: 0, der_loss_weight2: 0 };
    const { reports } = await bench.run(none);
    for (const group of reports[0].groups) {
      expect(group.entropy.map((list) => list.length)).toEqual(group.tokens.map((ids) => ids.length));
      for (const name of ['masked_logps', 'perception_kl', 'ratio'] as const)
        expect(group[name], name).toEqual([[], [], [], []]);
    }
    // Half of the completions are trained in each of two updates.
    const halves = await bench.run(
      { per_device_train_batch_size: 4, steps_per_generation: 2 },
      { updates: 2 },
    );
    for (const report of halves.reports) {
      const trained = report.groups.flatMap((g) => g.logps).filter((list) => list.length > 0);
      expect(trained).toHaveLength(4);
    }
  });
});
