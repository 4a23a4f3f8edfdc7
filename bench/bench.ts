/**
 * Times what bench/README.md lists, on every device that is there.
 *   npm run bench -- [--device cpu|webgpu] [--prompts 8] [--group 8] [--repeats 5] [--json]
 */

import { parseArgs } from 'node:util';
import { openDevice } from '../src/cli/device.ts';
import { worldDataset } from '../src/data/dataset.ts';
import type { Device, Program } from '../src/device/device.ts';
import { UserError } from '../src/errors.ts';
import { gather } from '../src/ops/gather.ts';
import { parseConfig } from '../src/papo/config.ts';
import { Trainer } from '../src/papo/trainer.ts';
import { rolloutGraph } from '../src/policy/generate.ts';
import { layout, roundUp } from '../src/policy/layout.ts';
import { gradientName } from '../src/policy/optimizer.ts';
import { type PassShape, passCounts, scoreGraph, trainingGraph } from '../src/policy/papo-pass.ts';
import { Policy } from '../src/policy/policy.ts';
import { policyGraph } from '../src/policy/policy-graph.ts';
import { RewardGuard } from '../src/rewards/guard.ts';
import { rewardFunction } from '../src/rewards/rewards.ts';
import { loadModelFolder } from '../src/store/hf-folder.ts';
import { nodeFiles } from '../src/store/node-files.ts';

export interface Measured {
  readonly device: string;
  readonly prompts: number;
  readonly group: number;
  /** Completion tokens a second in a rollout with the cache, padding not counted. */
  readonly rolloutTokensPerSecond: number;
  /** Medians, milliseconds. step is the trainer's whole update; the parts are timed as programs of their own. */
  readonly ms: Record<
    'step' | 'rollout' | 'forward' | 'head' | 'backward' | 'optimizer' | 'train' | 'trainUnshared',
    number
  >;
  /** What a checkpoint holds the loop for: the copy of everything it keeps, and how much that is. */
  readonly snapshotMs: number;
  readonly snapshotBytes: number;
  /** trainUnshared / train. */
  readonly sharingFactor: number;
  /** Dispatches (webgpu) or ONNX nodes (cpu) of a training pass, and the CPU time to record them. */
  readonly trainSteps: number;
  readonly rolloutSteps: number;
  readonly encodeMs: number;
  /** Activations of the training pass by the memory plan; 0 where the device does not tell. */
  readonly activationBytes: number;
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      device: { type: 'string' },
      model: { type: 'string', default: 'public/models/papo-nano' },
      prompts: { type: 'string', default: '8' },
      group: { type: 'string', default: '8' },
      repeats: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const [prompts, group, repeats] = [values.prompts, values.group, values.repeats].map(Number);
  for (const name of values.device ? [values.device] : ['cpu', 'webgpu']) {
    let device: Device;
    try {
      device = await openDevice(name);
    } catch (error) {
      if (values.device || !(error instanceof UserError)) throw error;
      console.error(`${name}: ${error.message}`);
      continue;
    }
    const result = await measure(device, values.model, prompts, group, repeats);
    if (values.json) console.log(JSON.stringify(result));
    else print(result);
    device.dispose();
  }
  return 0;
}

/** Medians over `repeats` updates of papo-nano in the folder `model`, P prompts of G completions. */
export async function measure(
  device: Device,
  model: string,
  P: number,
  G: number,
  repeats: number,
): Promise<Measured> {
  const folder = await loadModelFolder(nodeFiles(model));
  const config = parseConfig(
    { num_generations: G, per_device_train_batch_size: P * G, max_steps: 1000 },
    'papo-nano',
  );
  const policy = Policy.create(device, folder);
  const dataset = worldDataset('shapes', 'train', 1);
  const rewards = new RewardGuard({ boxed_answer: rewardFunction('boxed_answer') });
  const trainer = await Trainer.create({ policy, config, rewards, dataset });
  await trainer.update();
  const reports = [];
  for (let i = 0; i < repeats; i++) reports.push(await trainer.update());
  const lengths = reports.map((r) =>
    r.groups.flatMap((g) => g.tokens.map((t) => t.length)).reduce((a, b) => a + b, 0),
  );
  const rollout = median(reports.map((r) => r.timing.rollout));

  // The parts of the training pass, each a program of its own on the same batch.
  const T = config.max_completion_length;
  const rows = await Promise.all(Array.from({ length: P }, (_, i) => dataset.row(i)));
  const prepared = rows.map((row) => policy.prompt(row.prompt, row.image));
  const prefixLength = roundUp(Math.max(...prepared.map((p) => p.ids.length)), 8);
  const shape: PassShape = { prompts: P, prefixLength, group: G, completionLength: T, views: 2 };
  const forward = await timeProgram(device, policy, shape, prepared, repeats, 'forward');
  const score = await timeProgram(device, policy, shape, prepared, repeats, 'score');
  const train = await timeProgram(device, policy, shape, prepared, repeats, 'train');
  const unshared = await timeProgram(
    device,
    policy,
    { ...shape, prompts: P * G, group: 1 },
    prepared,
    repeats,
    'train',
  );
  const snapshots: number[] = [];
  let snapshotBytes = 0;
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    const { tensors } = await trainer.snapshot();
    snapshots.push(performance.now() - start);
    snapshotBytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  }
  const result: Measured = {
    device: device.label,
    prompts: P,
    group: G,
    rolloutTokensPerSecond: Math.round(median(lengths) / (rollout / 1000)),
    ms: {
      step: median(reports.map((r) => r.timing.total)),
      rollout,
      forward: forward.ms,
      head: Math.max(0, score.ms - forward.ms),
      backward: Math.max(0, train.ms - score.ms),
      optimizer: median(reports.map((r) => r.timing.optimizer)),
      train: train.ms,
      trainUnshared: unshared.ms,
    },
    snapshotMs: median(snapshots),
    snapshotBytes,
    sharingFactor: unshared.ms / train.ms,
    trainSteps: train.stats.steps,
    rolloutSteps: await rolloutSteps(),
    encodeMs: train.stats.encodeMs,
    activationBytes: train.stats.activationBytes,
  };
  trainer.dispose();
  policy.dispose();
  return result;

  async function rolloutSteps(): Promise<number> {
    const graph = rolloutGraph(
      policy.config,
      { prompts: P, prefixLength, group: G, maxTokens: T },
      { topK: 0, topP: 1, minP: 0 },
      { endTokens: policy.text.eosTokenIds, padToken: policy.text.padTokenId },
    );
    const program = await device.compile(graph, [policy.weights]);
    const { steps } = program.stats;
    program.dispose();
    return steps;
  }

  async function timeProgram(
    on: Device,
    of: Policy,
    pass: PassShape,
    batch: typeof prepared,
    runs: number,
    kind: 'forward' | 'score' | 'train',
  ): Promise<{ ms: number; stats: Program['stats'] }> {
    const trainable = of.trainable({ freezeVisionTower: config.freeze_vision_tower });
    const gradients = on.createStore(
      [...trainable].map(([name, s]) => ({ name: gradientName(name), shape: s })),
    );
    const options = {
      trainable: [...trainable.keys()],
      hasOldLogps: false,
      hasRefLogps: false,
      accumulate: false,
    };
    const build = {
      forward: () => {
        const { g, hidden } = policyGraph(of.config, passCounts(pass));
        // One row: reading all of them back would be timed too.
        g.output('row', gather(g, hidden, g.constant(Int32Array.of(0), [1])));
        return g;
      },
      score: () => scoreGraph(of.config, pass),
      train: () => trainingGraph(of.config, pass, config, options),
    }[kind];
    const graph = build();
    const program = await on.compile(graph, [of.weights, gradients]);
    const B = pass.prompts * pass.group;
    const repeatsOf = pass.prompts / batch.length;
    const copies = batch.flatMap((p) => Array(repeatsOf).fill(p) as typeof batch);
    const ids = Int32Array.from({ length: B * T }, (_, i) => 10 + (i % 40));
    const both = Int32Array.from([...ids, ...ids]);
    const one = (x: number) => Float32Array.of(x);
    const everything = {
      ...layout(of.config, passCounts(pass), [...copies, ...copies], of.text.padTokenId, both),
      targets: ids,
      temperature: one(1),
      completion_mask: new Float32Array(B * T).fill(1),
      advantages: Float32Array.from({ length: B }, (_, i) => Math.sin(i)),
      num_items_in_batch: one(B * T),
      perception_loss_weight: one(config.perception_loss_weight),
      der_loss_weight1: one(config.der_loss_weight1),
      der_loss_weight2: one(config.der_loss_weight2),
      annealing_discount: one(1),
      beta: one(0),
    };
    // A device refuses inputs that the graph does not have; the shorter programs have fewer.
    const inputs = Object.fromEntries(Object.entries(everything).filter(([name]) => graph.inputs.has(name)));
    await program.run(inputs);
    const times: number[] = [];
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      await program.run(inputs);
      times.push(performance.now() - start);
    }
    const measured = { ms: median(times), stats: { ...program.stats } };
    program.dispose();
    gradients.dispose();
    return measured;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function print(r: Measured): void {
  const ms = (x: number) => `${x.toFixed(1)} ms`;
  console.log(`${r.device}: ${r.prompts} prompts × ${r.group} generations`);
  console.log(`  rollout              ${r.rolloutTokensPerSecond} tokens/s (${ms(r.ms.rollout)})`);
  console.log(`  whole PAPO step      ${ms(r.ms.step)}`);
  console.log(`    forward            ${ms(r.ms.forward)}`);
  console.log(`    head               ${ms(r.ms.head)}`);
  console.log(`    backward           ${ms(r.ms.backward)}`);
  console.log(`    optimizer          ${ms(r.ms.optimizer)}`);
  console.log(
    `  training pass        ${ms(r.ms.train)}; without prefix sharing ${ms(r.ms.trainUnshared)} (× ${r.sharingFactor.toFixed(2)})`,
  );
  console.log(
    `  checkpoint           ${ms(r.snapshotMs)} to copy ${(r.snapshotBytes / 2 ** 20).toFixed(1)} MiB, the rest is written beside the training`,
  );
  console.log(
    `  steps a pass         ${r.trainSteps} training, ${r.rolloutSteps} rollout; encode ${ms(r.encodeMs)}; activations ${(r.activationBytes / 2 ** 20).toFixed(1)} MiB`,
  );
}
