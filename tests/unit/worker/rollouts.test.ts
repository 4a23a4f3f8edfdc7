// Rollouts that were kept are those that were trained on: images, masks and texts are made again, and nothing differs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleRow } from '../../../src/data/dataset.ts';
import { split } from '../../../src/data/dataset-split.ts';
import { generateExample } from '../../../src/data/examples.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import {
  type DatasetLike,
  PAPOConfig,
  PAPOTrainer,
  type PAPOTrainerOptions,
  type TrainerCallback,
  UserError,
} from '../../../src/index.node.ts';
import type { StepReport } from '../../../src/papo/trainer.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';
import { Recorder } from '../../../src/trainer/recorder.ts';
import type { GroupView } from '../../../src/worker/protocol.ts';
import { type RolloutPlace, Rollouts } from '../../../src/worker/rollouts.ts';
import { groupView } from '../../../src/worker/views.ts';
import { MemoryRunStore } from '../../memory-run-store.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { lengthReward, smallSettings } from '../../trainer-harness.ts';

let model: ModelFolder;
let text: TextProcessor;
const device = new CpuDevice({ threads: 1 });
beforeAll(async () => {
  model = await tinyNano();
  const decoder = new TextDecoder();
  text = TextProcessor.fromFolder(
    Object.fromEntries([...model.files].map(([name, bytes]) => [name, decoder.decode(bytes)])),
  );
});
afterAll(() => device.dispose());

interface Trained {
  readonly store: MemoryRunStore;
  readonly reports: StepReport[];
}

async function train(
  settings: Record<string, unknown> = {},
  options: Partial<PAPOTrainerOptions> & { store?: MemoryRunStore; resume?: number } = {},
): Promise<Trained> {
  const { store = new MemoryRunStore(), resume = null, callbacks = [], ...rest } = options;
  const reports: StepReport[] = [];
  const trainer = new PAPOTrainer({
    model,
    reward_funcs: lengthReward,
    args: new PAPOConfig(
      { ...smallSettings, eval_steps: null, num_eval_samples: 2, save_steps: 2, max_steps: 3, ...settings },
      'papo-nano',
    ),
    train_dataset: 'shapes',
    eval_dataset: null,
    device,
    store,
    callbacks: [{ on_step_end: (_, __, ___, { report }) => void reports.push(report!) }, ...callbacks],
    ...rest,
  });
  await trainer.train({ resume_from_checkpoint: resume });
  await trainer.dispose();
  return { store, reports };
}

const rolloutsOf = (store: MemoryRunStore, data: DatasetLike = 'shapes', place: Partial<RolloutPlace> = {}) =>
  new Rollouts(() => ({
    open: async () => store,
    trainingData: async () => data,
    folder: () => undefined,
    ...place,
  }));

const expectedViews = ({ groups }: StepReport): GroupView[] => groups.map((group) => groupView(group, text));

describe('a kept rollout', () => {
  it.each<[string, Record<string, unknown>]>([
    ['patch_black', { mask_type: 'patch_black' }],
    ['semantic', { mask_type: 'semantic' }],
    ['random, on the mean colour', { mask_type: 'random' }],
    ['with dynamic sampling and several passes', { dynamic_sampling: true, num_iterations: 2 }],
    ['without a masked view', { perception_loss_weight: 0, der_loss_weight2: 0 }],
  ])('is shown as it was trained on, pixel by pixel: %s', async (_, settings) => {
    const { store, reports } = await train(settings);
    const rollouts = rolloutsOf(store);
    expect(await rollouts.steps('run')).toEqual({ steps: [1, 2, 3], stride: 1 });
    for (const report of reports)
      expect(await rollouts.groups('run', report.step)).toEqual(expectedViews(report));
    // Masks differ from images, or equal ones would say nothing.
    const [{ image, masked }] = expectedViews(reports[0]);
    expect(masked!.data).not.toEqual(image.data);
  });

  it('of an imported dataset, gone round more than once in shuffled order', async () => {
    const { Blob } = globalThis;
    const rows = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const { image, prompt, answer } = exampleRow(generateExample(4, 'train', i, 'shapes'));
        const { encode } = await import('fast-png');
        const png = encode({ width: image.width, height: image.height, data: image.data, channels: 3 });
        const url = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
        return JSON.stringify({ prompt, answer, image: url });
      }),
    );
    const files = [{ path: 'mine.jsonl', file: new Blob([rows.join('\n')]) }];
    const open = async () =>
      split((await readDataset(files, { decodeImage, name: 'mine' })).dataset(), 0.2, 0).train;
    const { store, reports } = await train({}, { train_dataset: await open() });
    // Read from the files once more.
    const rollouts = rolloutsOf(store, await open());
    for (const report of reports)
      expect(await rollouts.groups('run', report.step)).toEqual(expectedViews(report));
    const prompts = reports.flatMap(({ groups }) => groups.map(({ prompt }) => prompt));
    expect(prompts).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is the same after a kill and a resume', async () => {
    const whole = await train({ max_steps: 5 });
    const store = new MemoryRunStore();
    const stop: TrainerCallback = {
      on_step_begin: (_, state) => {
        if (state.global_step === 3) throw new Error('the tab is closed');
      },
    };
    await expect(train({ max_steps: 5 }, { store, callbacks: [stop] })).rejects.toThrow('the tab is closed');
    expect((await store.rollouts()).map(({ step }) => step)).toEqual([1, 2, 3]);
    await train({ max_steps: 5 }, { store, resume: 2 });
    expect([...store.keptRollouts].sort(([a], [b]) => a - b)).toEqual(
      [...whole.store.keptRollouts].sort(([a], [b]) => a - b),
    );
  });

  it('that storage has no room for is told once, and training goes on', async () => {
    const store = new MemoryRunStore();
    store.areRolloutsFull = true;
    const warnings: string[] = [];
    const { reports } = await train(
      {},
      { store, callbacks: [{ on_warning: (_, __, ___, { message }) => void warnings.push(message!) }] },
    );
    expect(reports).toHaveLength(3);
    expect(warnings).toEqual([expect.stringMatching(/rollout of step 1 could not be kept.*no room/)]);
    expect(store.rows.filter(({ kind }) => kind === 'step')).toHaveLength(3);
  });

  it('is thinned out within the budget of its run', async () => {
    const { reports } = await train();
    const store = new MemoryRunStore();
    const recorder = new Recorder({
      store,
      save_total_limit: null,
      rolloutBytes: 20_000,
      warn: (message) => expect.unreachable(message),
      onSaved: () => {},
    });
    for (let step = 1; step <= 40; step++) recorder.keepRollout({ ...reports[0], step });
    await recorder.settled();
    const kept = await store.rollouts();
    const { steps, stride } = await rolloutsOf(store).steps('run');
    expect(stride).toBeGreaterThan(1);
    expect(steps.at(-1)).toBe(40);
    expect(kept.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(20_000);
    expect(steps.slice(0, -1)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1).filter((step) => step < 40 && (step - 1) % stride === 0),
    );
  });

  it('of the run at hand comes from memory while it is the last one, kept or not', async () => {
    const { store, reports } = await train();
    const report = reports[2];
    const written = async () => {};
    const nothing = rolloutsOf(store, 'shapes', { latest: { run: null, report, text, written } });
    expect(await nothing.steps(null)).toEqual({ steps: [3], stride: 1 });
    expect(await nothing.groups(null, 3)).toEqual(expectedViews(report));
    await expect(nothing.groups(null, 2)).rejects.toThrow(/Step 2 is gone.*not kept/);
    store.keptRollouts.delete(3);
    const kept = rolloutsOf(store, 'shapes', { latest: { run: 'run', report, text, written } });
    expect((await kept.steps('run')).steps).toEqual([1, 2, 3]);
    expect(await kept.groups('run', 3)).toEqual(expectedViews(report));
  });

  it('that cannot be shown says why', async () => {
    const { store } = await train();
    const gone = rolloutsOf(store, 'shapes', {
      trainingData: async () => {
        throw new UserError('The dataset of this run is not in this browser any more.');
      },
    });
    await expect(gone.groups('run', 1)).rejects.toThrow(/dataset of this run is not in this browser/);
    await expect(rolloutsOf(store).groups('run', 9)).rejects.toThrow(/no rollout of step 9/);
    store.kept.clear();
    await expect(rolloutsOf(store).groups('run', 1)).rejects.toThrow(/no checkpoint.*load its model/);
    // The loaded model of the same name has the same tokenizer.
    const views = await rolloutsOf(store, 'shapes', { folder: () => model }).groups('run', 1);
    expect(views[0].completions).toHaveLength(4);
  });
});
