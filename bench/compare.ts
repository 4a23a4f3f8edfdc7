/**
 * Trains from one checkpoint with several settings and the same prompts, over several seeds, and measures each on
 * held-out questions: with the image, with a masked and with a blank one, and the perception KL.
 *   node scripts/run.mjs bench/compare.ts --seeds 5 --steps 60 --out docs/results [--arms PAPO,GRPO]
 * Runs that OUT/compare.json already has, with the same steps and examples, are kept.
 * Writes compare.json (every number), compare.md (the table) and compare.svg (the curves).
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevice } from '../src/cli/device.ts';
import { worldDataset } from '../src/data/dataset.ts';
import { type Evaluation, evaluate } from '../src/data/evaluate.ts';
import { generateExample } from '../src/data/examples.ts';
import type { RasterImage } from '../src/data/raster.ts';
import type { Device } from '../src/device/device.ts';
import { UserError } from '../src/errors.ts';
import { parseConfig } from '../src/papo/config.ts';
import { applyMask, makeMask } from '../src/papo/masks.ts';
import { Purpose, RandomStream, uniform } from '../src/papo/random.ts';
import { Trainer } from '../src/papo/trainer.ts';
import { layout } from '../src/policy/layout.ts';
import { passCounts, scoreGraph } from '../src/policy/papo-pass.ts';
import { Policy } from '../src/policy/policy.ts';
import { RewardGuard } from '../src/rewards/guard.ts';
import { rewardFunction } from '../src/rewards/rewards.ts';
import { loadModelFolder } from '../src/store/hf-folder.ts';
import { nodeFiles } from '../src/store/node-files.ts';
import { comparisonChart, comparisonTable } from './compare-report.ts';

export const arms: Record<string, Record<string, number>> = {
  GRPO: { perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 },
  PAPO: {},
  // What the entropies do without the perception KL: the control.
  'GRPO + double entropy': { perception_loss_weight: 0 },
};

export interface Run {
  readonly arm: string;
  readonly seed: number;
  /** Held-out accuracy, sampled, by step. */
  readonly curve: { step: number; accuracy: number }[];
  readonly final: Record<
    'accuracy' | 'perceptionErrors' | 'formatErrors' | 'perceptionKl' | 'maskedAccuracy' | 'blankAccuracy',
    number
  >;
  readonly secondsPerStep: number;
}

const black = (image: RasterImage): RasterImage => ({ ...image, data: new Uint8Array(image.data.length) });

function masked(image: RasterImage, index: number): RasterImage {
  const random = new RandomStream(99, Purpose.mask, index);
  const options = { width: image.width, height: image.height, ratio: 0.6, patchSize: 16 };
  return applyMask(
    image,
    makeMask('patch_black', options, () => random.next()),
    [0, 0, 0],
  );
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '60' },
      examples: { type: 'string', default: '512' },
      completions: { type: 'string', default: '64' },
      out: { type: 'string', default: 'docs/results' },
      arms: { type: 'string', default: Object.keys(arms).join() },
      device: { type: 'string', default: 'cpu' },
    },
  });
  const device = await openDevice(values.device);
  const [seeds, steps, examples] = [values.seeds, values.steps, values.examples].map(Number);
  const runs: Run[] = await earlierRuns(join(values.out, 'compare.json'), steps, examples);
  for (let seed = 1; seed <= seeds; seed++)
    for (const arm of values.arms.split(',')) {
      if (!arms[arm])
        throw new UserError(`--arms: "${arm}"; expected some of ${Object.keys(arms).join(', ')}`);
      if (runs.some((r) => r.arm === arm && r.seed === seed)) continue;
      const run = await trainOne(device, arm, seed, steps, examples, Number(values.completions));
      runs.push(run);
      console.log(JSON.stringify({ arm, seed, ...run.final, secondsPerStep: run.secondsPerStep }));
      await mkdir(values.out, { recursive: true });
      await writeFile(
        join(values.out, 'compare.json'),
        `${JSON.stringify({ arms, steps, examples, runs }, null, 1)}\n`,
      );
      await writeFile(join(values.out, 'compare.md'), comparisonTable(runs));
      await writeFile(join(values.out, 'compare.svg'), comparisonChart(runs));
    }
  device.dispose();
  return 0;
}

async function earlierRuns(file: string, steps: number, examples: number): Promise<Run[]> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return [];
  const earlier = JSON.parse(text) as { steps: number; examples: number; runs: Run[] };
  return earlier.steps === steps && earlier.examples === examples ? earlier.runs : [];
}

async function trainOne(
  device: Device,
  arm: string,
  seed: number,
  steps: number,
  examples: number,
  completions: number,
): Promise<Run> {
  const policy = Policy.create(device, await loadModelFolder(nodeFiles('public/models/papo-nano')));
  const settings = { ...arms[arm], seed, max_steps: steps, per_device_train_batch_size: completions };
  const config = parseConfig(settings, 'papo-nano');
  const trainer = await Trainer.create({
    policy,
    config,
    rewards: new RewardGuard({ boxed_answer: rewardFunction('boxed_answer') }),
    dataset: worldDataset('shapes', 'train', seed),
  });
  // The held-out questions are the same for every run; only training differs by seed.
  const dataset = worldDataset('shapes', 'test', 1000);
  const base = { dataset, seed: 1000, maxTokens: config.max_completion_length };
  const measure = (
    count: number,
    view?: (image: RasterImage, i: number) => RasterImage,
  ): Promise<Evaluation> => evaluate(policy, { ...base, examples: count, view });
  const curve = [{ step: 0, accuracy: (await measure(examples / 2)).accuracy }];
  let training = 0;
  for (let step = 1; step <= steps; step++) {
    const report = await trainer.update();
    training += report.timing.total;
    if (step % 15 === 0 && step < steps)
      curve.push({ step, accuracy: (await measure(examples / 2)).accuracy });
  }
  const original = await measure(examples);
  curve.push({ step: steps, accuracy: original.accuracy });
  const final = {
    accuracy: original.accuracy,
    perceptionErrors: original.perceptionErrors!,
    formatErrors: original.formatErrors!,
    perceptionKl: await perceptionKl(policy, 128, config.max_completion_length),
    maskedAccuracy: (await measure(examples, masked)).accuracy,
    blankAccuracy: (await measure(examples, black)).accuracy,
  };
  trainer.dispose();
  policy.dispose();
  return { arm, seed, curve, final, secondsPerStep: training / steps / 1000 };
}

/** Exact KL[π‖π_mask] a token, nats, mean over sampled completions of held-out questions; masks as in training. */
async function perceptionKl(policy: Policy, count: number, T: number): Promise<number> {
  const P = 32;
  const questions = Array.from({ length: count }, (_, i) => generateExample(1000, 'test', i, 'shapes'));
  let [total, tokens] = [0, 0];
  for (let first = 0; first < count; first += P) {
    const batch = questions.slice(first, first + P);
    const prompts = batch.map((e) => policy.prompt(e.prompt, e.image));
    const views = batch.map((e, i) => policy.prompt(e.prompt, masked(e.image, first + i)));
    const sampling = { group: 1, maxTokens: T, temperature: 1, topK: 0, topP: 1, minP: 0, promptsPerRun: P };
    const { ids, lengths } = await policy.generate(prompts, {
      ...sampling,
      uniform: (t, n) => uniform(1000, Purpose.evaluation, first, t, n),
    });
    const shape = { prompts: P, prefixLength: 32, group: 1, completionLength: T, views: 2 as const };
    const program = await policy.program(`score kl ${T}`, () => scoreGraph(policy.config, shape));
    const both = Int32Array.from([...ids, ...ids]);
    const { kl_exact } = await program.run({
      ...layout(policy.config, passCounts(shape), [...prompts, ...views], policy.text.padTokenId, both),
      targets: ids,
      temperature: Float32Array.of(1),
    });
    lengths.forEach((length, n) => {
      for (let t = 0; t < length; t++) total += kl_exact[n * T + t];
      tokens += length;
    });
  }
  return total / tokens;
}
