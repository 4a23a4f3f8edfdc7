/**
 * Makes papo-nano: a SmolVLM of about 1.2 million parameters, warmed up by imitation of two demonstrators.
 *   npm run pretrain -- [--seed 1] [--out public/models/papo-nano]
 *
 * 1. The vision tower alone: each image token is classified against the words of its cell's colour and shape.
 * 2. Text by imitation, that loss kept beside it: a careful demonstrator who writes what is there, and a lazy one
 *    who never looks, drawn once an example, with no mark of style.
 * 3. A shorter, lazier end: the policy can see, but often does not look, which is PAPO's problem in small.
 */
import { parseArgs } from 'node:util';
import { worldDataset } from '../data/dataset.ts';
import { carefulDemonstration, lazyDemonstration } from '../data/demonstrators.ts';
import { evaluate } from '../data/evaluate.ts';
import { generateExample } from '../data/examples.ts';
import type { TaskMix, TaskName } from '../data/tasks.ts';
import { CpuDevice } from '../device/cpu/cpu-device.ts';
import { Purpose, RandomStream, uniform } from '../papo/random.ts';
import { parseVlmConfig } from '../policy/config.ts';
import { Optimizer } from '../policy/optimizer.ts';
import { initialWeights } from '../policy/parameters.ts';
import { Policy } from '../policy/policy.ts';
import { type Demonstration, WarmUp } from '../policy/warm-up.ts';
import { loadModelFolder } from '../store/hf-folder.ts';
import { nodeFiles, saveModelFolder } from '../store/node-files.ts';

interface Stage {
  readonly name: string;
  readonly steps: number;
  readonly learningRate: number;
  /** The lazy demonstrator's share, and how strongly it favours the commonest. */
  readonly lazy: number;
  readonly sharpness: number;
  readonly mix: TaskName | TaskMix;
  /** The vision stage; afterwards the tower is frozen and text is learnt, the image loss kept beside it. */
  readonly imageOnly?: boolean;
}

const batchSize = 32;
const maxTokens = 16;
// Locating and reading a bar are learnt last, so they get most of the careful demonstrations.
const carefulMix: TaskMix = { shape: 0.1, color: 0.1, add: 0.2, find: 0.3, bar: 0.3 };
const stages: Stage[] = [
  { name: 'vision', steps: 250, learningRate: 2e-3, mix: 'shapes', lazy: 0, sharpness: 1, imageOnly: true },
  { name: 'careful', steps: 1400, learningRate: 1.5e-3, mix: carefulMix, lazy: 0, sharpness: 1 },
  { name: 'lazy', steps: 200, learningRate: 5e-4, mix: 'shapes', lazy: 0.65, sharpness: 2 },
];
const warmUpSteps = 30;
const evaluationExamples = 256;

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      out: { type: 'string', default: 'public/models/papo-nano' },
      // To go on from a folder that an earlier stage left: --from DIR --first 2 (stages count from 0).
      from: { type: 'string' },
      first: { type: 'string', default: '0' },
    },
  });
  const seed = Number(values.seed);
  const folder = await loadModelFolder(
    values.from ? nodeFiles(values.from) : filesWithoutWeights('public/models/papo-nano', seed),
  );
  const policy = Policy.create(new CpuDevice({ threads: 2 }), folder);
  const started = Date.now();
  const first = Number(values.first);
  const before = stages.slice(0, first).reduce((a, s) => a + s.steps, 0);
  const total = stages.reduce((a, s) => a + s.steps, 0) - before;
  let done = 0;
  for (const stage of stages.slice(first)) {
    const trainable = policy.trainable({ freezeVisionTower: !stage.imageOnly });
    const optimizer = await Optimizer.create(policy.device, policy.weights, trainable, {
      beta1: 0.9,
      beta2: 0.98,
      epsilon: 1e-8,
      weightDecay: 0.01,
      maxNorm: 1,
    });
    const warmUp = new WarmUp(policy, optimizer, [...trainable.keys()], maxTokens, 32);
    let [loss, imageLoss] = [0, 0];
    for (let step = 0; step < stage.steps; step++) {
      const batch = Array.from({ length: batchSize }, (_, i) =>
        demonstrate(seed, (before + done) * batchSize + i, stage),
      );
      // Linear warm-up, then a cosine down to a tenth.
      const warm = Math.min(1, (step + 1) / warmUpSteps);
      const rate = stage.learningRate * warm * (0.1 + 0.45 * (1 + Math.cos((Math.PI * step) / stage.steps)));
      const options = stage.imageOnly ? { imageLoss: 1, imageOnly: true } : { imageLoss: 0.5 };
      const result = await warmUp.step(batch, rate, options);
      loss = step ? 0.95 * loss + 0.05 * result.loss : result.loss;
      imageLoss = step ? 0.95 * imageLoss + 0.05 * result.imageLoss : result.imageLoss;
      done++;
      if (done % 50 === 0) {
        const elapsed = (Date.now() - started) / 1000;
        const left = (elapsed / done) * (total - done);
        console.log(
          `${stage.name} ${step + 1}/${stage.steps}  loss ${loss.toFixed(3)}  image loss ${imageLoss.toFixed(3)}  ` +
            `${(elapsed / done).toFixed(3)} s/step  ${Math.round(left)} s left`,
        );
      }
      if (!stage.imageOnly && (step + 1) % 300 === 0) await report(policy, evaluationExamples);
    }
    if (!stage.imageOnly) await report(policy, evaluationExamples);
    warmUp.dispose();
    optimizer.dispose();
    // After every stage, so that a run which is cut off can go on.
    const weights = (await policy.readWeights()) as typeof folder.weights;
    await saveModelFolder(values.out, { ...folder, weights }, { dtype: 'bfloat16' });
  }
  console.log(`written to ${values.out} after ${Math.round((Date.now() - started) / 1000)} s`);
  return 0;
}

function demonstrate(seed: number, index: number, { mix, lazy, sharpness }: Stage): Demonstration {
  const example = generateExample(seed, 'train', index, mix);
  const isLazy = uniform(seed, Purpose.demonstration, index, 0) < lazy;
  const random = new RandomStream(seed, Purpose.demonstration, index, 1);
  return {
    example,
    text: isLazy ? lazyDemonstration(example, random, sharpness) : carefulDemonstration(example),
  };
}

async function report(policy: Policy, examples: number): Promise<void> {
  for (const greedy of [false, true]) {
    const e = await evaluate(policy, {
      dataset: worldDataset('shapes', 'test', 7),
      examples,
      seed: 7,
      maxTokens,
      greedy,
    });
    const kinds = Object.entries(e.byKind).map(([kind, accuracy]) => `${kind} ${accuracy.toFixed(2)}`);
    console.log(
      `  held-out ${greedy ? 'greedy ' : 'sampled'} ${e.accuracy.toFixed(3)}  format errors ${e.formatErrors!.toFixed(3)}  ${kinds.join('  ')}`,
    );
  }
}

/** The folder with freshly initialised weights in place of model.safetensors. */
function filesWithoutWeights(directory: string, seed: number) {
  const files = nodeFiles(directory);
  return {
    where: files.where,
    async read(name: string) {
      if (name !== 'model.safetensors') return files.read(name);
      const config = parseVlmConfig(JSON.parse(new TextDecoder().decode((await files.read('config.json'))!)));
      const { floatTensor, writeSafetensors } = await import('../store/safetensors.ts');
      return writeSafetensors(
        [...initialWeights(config, seed)].map(([n, { shape, data }]) => floatTensor(n, shape, data, 'F32')),
      );
    },
  };
}
