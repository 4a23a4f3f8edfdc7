// A run on WebGPU that is kept in IndexedDB, cut off and resumed on another device ends where the unbroken one ends.
import { afterAll, expect, it } from 'vitest';
import { WebgpuDevice } from '../../src/device/webgpu/webgpu-device.ts';
import { PAPOConfig, PAPOTrainer } from '../../src/index.ts';
import type { Weight } from '../../src/policy/parameters.ts';
import { loadModelFolder, urlFiles } from '../../src/store/hf-folder.ts';
import { openRuns } from '../../src/store/idb-runs.ts';
import type { LogRow, RunStore } from '../../src/store/run-store.ts';

const database = 'papo-web-resume-test';
const runs = openRuns({ database });
afterAll(() => {
  indexedDB.deleteDatabase(database);
});

const args = new PAPOConfig(
  {
    num_generations: 2,
    per_device_train_batch_size: 4,
    // Two updates draw on each generation, so that the checkpoint holds half of one.
    steps_per_generation: 2,
    beta: 0.02,
    max_steps: 4,
    save_steps: 1,
    save_total_limit: null,
    eval_steps: null,
    num_eval_samples: 2,
    learning_rate: 1e-3,
  },
  'papo-nano',
);

async function newTrainer(
  store: RunStore,
  stopAt?: number,
): Promise<{ trainer: PAPOTrainer; device: WebgpuDevice }> {
  const device = await WebgpuDevice.create({ gemm: { variant: 'register', splitTo: 0 } });
  const trainer = new PAPOTrainer({
    model: await loadModelFolder(urlFiles('/models/papo-nano')),
    reward_funcs: 'format',
    args,
    train_dataset: 'shapes',
    device,
    store,
    callbacks: [
      {
        on_step_begin: (_, state) => {
          if (state.global_step === stopAt) throw new Error('cut off');
        },
      },
    ],
  });
  return { trainer, device };
}

const info = {
  name: 'test',
  createdAt: 1,
  settings: {},
  origin: {},
  state: 'running',
  step: 0,
  bestStep: null,
  bestMetric: null,
} as const;

function relativeDistance(a: ReadonlyMap<string, Weight>, b: ReadonlyMap<string, Weight>): number {
  let [difference, size] = [0, 0];
  for (const [name, { data }] of b) {
    const other = a.get(name)!.data;
    for (let i = 0; i < data.length; i++) {
      difference += (data[i] - other[i]) ** 2;
      size += data[i] ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

it('within 1e-5 of its weights, and of every metric', async () => {
  const whole = await runs.create(info);
  const unbroken = await newTrainer(whole);
  await unbroken.trainer.train();
  const expected = await (await unbroken.trainer.policy()).readWeights();
  const start = (await loadModelFolder(urlFiles('/models/papo-nano'))).weights;
  // Otherwise equality would say nothing.
  expect(relativeDistance(start, expected)).toBeGreaterThan(1e-4);
  const expectedRows = await whole.readLog();
  await unbroken.trainer.dispose();
  unbroken.device.dispose();
  await whole.close();

  const first = await runs.create(info);
  const cut = await newTrainer(first, 3);
  await expect(cut.trainer.train()).rejects.toThrow('cut off');
  await cut.trainer.dispose();
  cut.device.dispose();
  await first.close();

  const again = await runs.open(first.id);
  expect((await again.checkpoints()).map(({ step }) => step)).toEqual([1, 2, 3]);
  const resumed = await newTrainer(again);
  expect((await resumed.trainer.train({ resume_from_checkpoint: true })).global_step).toBe(4);
  const weights = await (await resumed.trainer.policy()).readWeights();
  expect(relativeDistance(weights, expected)).toBeLessThan(1e-5);
  const numbers = (rows: LogRow[]) =>
    rows.flatMap(({ step, kind, metrics }) =>
      Object.entries(metrics)
        .filter(([name]) => !/_time$|runtime$/.test(name))
        .map(([name, value]) => ({ name: `${kind} ${step} ${name}`, value })),
    );
  const [got, wanted] = [numbers(await again.readLog()), numbers(expectedRows)];
  expect(got.map(({ name }) => name)).toEqual(wanted.map(({ name }) => name));
  for (const [i, { name, value }] of wanted.entries()) {
    if (Number.isNaN(value)) expect(got[i].value, name).toBeNaN();
    else expect(Math.abs(got[i].value - value), name).toBeLessThanOrEqual(1e-5 * Math.abs(value));
  }
  await resumed.trainer.dispose();
  resumed.device.dispose();
  await again.close();
});
