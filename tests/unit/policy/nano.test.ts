// The committed papo-nano is what the project says it is: it can see but often does not look, and PAPO mends that.

import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { worldDataset } from '../../../src/data/dataset.ts';
import { evaluate } from '../../../src/data/evaluate.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { Trainer } from '../../../src/papo/trainer.ts';
import { parameterShapes } from '../../../src/policy/parameters.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { rewardFunction } from '../../../src/rewards/rewards.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';

const folder = 'public/models/papo-nano';
const load = async () => Policy.create(new CpuDevice(), await loadModelFolder(nodeFiles(folder)));
const options = { dataset: worldDataset('shapes', 'test', 7), examples: 512, seed: 7, maxTokens: 14 };

it('has 1 to 2 million parameters in less than 5 MB', async () => {
  const { config } = await load();
  const sizes = [...parameterShapes(config).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
  const count = sizes.reduce((a, b) => a + b, 0);
  expect(count).toBeGreaterThan(1e6);
  expect(count).toBeLessThan(2e6);
  expect(statSync(`${folder}/model.safetensors`).size).toBeLessThan(5e6);
});

it('answers 35 to 55 % of held-out questions, sampled, and keeps the form in 97 %', async () => {
  const { accuracy, formatErrors } = await evaluate(await load(), options);
  expect(accuracy).toBeGreaterThan(0.35);
  expect(accuracy).toBeLessThan(0.55);
  expect(formatErrors).toBeLessThan(0.03);
});

it('learns: fifteen steps of its preset raise held-out accuracy by more than 15 points', async () => {
  const policy = await load();
  const before = (await evaluate(policy, { ...options, examples: 256 })).accuracy;
  const config = parseConfig({ seed: 1 }, 'papo-nano');
  const trainer = await Trainer.create({
    policy,
    config,
    rewards: new RewardGuard({ boxed_answer: rewardFunction('boxed_answer') }),
    dataset: worldDataset('shapes', 'train', 1),
  });
  for (let step = 0; step < 15; step++) await trainer.update();
  const after = (await evaluate(policy, { ...options, examples: 256 })).accuracy;
  expect(after - before).toBeGreaterThan(0.15);
}, 240_000);

it('repeats itself bit for bit on several threads', async () => {
  const weights = async () => {
    const policy = await load();
    const trainer = await Trainer.create({
      policy,
      config: parseConfig({ seed: 1 }, 'papo-nano'),
      rewards: new RewardGuard({ boxed_answer: rewardFunction('boxed_answer') }),
      dataset: worldDataset('shapes', 'train', 1),
    });
    for (let step = 0; step < 2; step++) await trainer.update();
    const found = await policy.readWeights();
    trainer.dispose();
    policy.dispose();
    return found;
  };
  const first = await weights();
  for (let run = 0; run < 3; run++) {
    const again = await weights();
    for (const [name, { data }] of first)
      expect(
        data.every((value, i) => value === again.get(name)!.data[i]),
        name,
      ).toBe(true);
  }
}, 240_000);
