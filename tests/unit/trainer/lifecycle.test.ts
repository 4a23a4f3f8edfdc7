// What a run keeps when its methods are called in other orders than the usual one, or at the same time.
import { beforeAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import {
  PAPOConfig,
  PAPOTrainer,
  type PAPOTrainerOptions,
  type Row,
  worldDataset,
} from '../../../src/index.node.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';
import { MemoryRunStore } from '../../memory-run-store.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { lengthReward, smallSettings } from '../../trainer-harness.ts';

let model: ModelFolder;
const device = new CpuDevice({ threads: 1 });
beforeAll(async () => {
  model = await tinyNano();
});

const newTrainer = (settings: Record<string, unknown> = {}, options: Partial<PAPOTrainerOptions> = {}) =>
  new PAPOTrainer({
    model,
    reward_funcs: lengthReward,
    args: new PAPOConfig(
      {
        ...smallSettings,
        num_eval_samples: 4,
        eval_steps: null,
        save_steps: 1,
        save_total_limit: null,
        max_steps: 3,
        ...settings,
      },
      'papo-nano',
    ),
    train_dataset: 'shapes',
    device,
    ...options,
  });

const rowsOf = (store: MemoryRunStore) => store.rows.map(({ kind, step }) => `${kind} ${step}`);

describe('methods in another order', () => {
  it('evaluate before train is no start of a run, and adds nothing to a kept one', async () => {
    const store = new MemoryRunStore();
    const trainer = newTrainer({}, { store });
    await trainer.evaluate();
    await trainer.train();
    const rows = ['evaluation 0', 'step 1', 'step 2', 'step 3', 'evaluation 3'];
    expect(rowsOf(store)).toEqual(rows);
    await trainer.dispose();
    const later = newTrainer({}, { store });
    await later.evaluate();
    await later.dispose();
    expect(rowsOf(store)).toEqual(rows);
  });

  it('a second train is refused and leaves the first one what it is', async () => {
    const store = new MemoryRunStore();
    const trainer = newTrainer({}, { store });
    await trainer.train();
    await expect(trainer.train()).rejects.toThrow(/holds a run already/);
    expect(trainer.state.global_step).toBe(3);
    await trainer.save_checkpoint();
    await trainer.dispose();
    expect([...store.kept.keys()].sort()).toEqual([1, 2, 3]);
    expect(store.runInfo).toMatchObject({ state: 'finished', step: 3 });
    const { state } = await store.openCheckpoint(3);
    expect(state.trainer).toMatchObject({ step: 3, optimizerStep: 3 });
  });

  it('train, stopped, goes on in the same trainer as it would have', async () => {
    const whole = new MemoryRunStore();
    const unbroken = newTrainer({}, { store: whole });
    await unbroken.train();
    const store = new MemoryRunStore();
    const trainer = newTrainer({}, { store });
    const stop = {
      on_step_end: (_: unknown, s: { global_step: number }, control: { should_training_stop: boolean }) => {
        control.should_training_stop = s.global_step === 2;
      },
    };
    trainer.add_callback(stop);
    await trainer.train();
    expect(store.runInfo).toMatchObject({ state: 'stopped', step: 2 });
    await trainer.save_checkpoint();
    await trainer.dispose();
    expect(store.runInfo).toMatchObject({ state: 'stopped', step: 2 });
    trainer.remove_callback(stop);
    await trainer.train({ resume_from_checkpoint: true });
    expect((await store.openCheckpoint(3)).tensors).toEqual((await whole.openCheckpoint(3)).tensors);
    expect(rowsOf(store)).toEqual(rowsOf(whole));
    expect(trainer.state.log_history.length).toBe(unbroken.state.log_history.length);
    await Promise.all([trainer.dispose(), unbroken.dispose()]);
  });
});

describe('going back', () => {
  it('to an earlier checkpoint drops the later ones with their rows: they are lived again', async () => {
    const store = new MemoryRunStore();
    const first = newTrainer({ max_steps: 4 }, { store });
    await first.train();
    await first.dispose();
    const again = newTrainer(
      { max_steps: 4, save_total_limit: 1 },
      {
        store,
        eval_dataset: null,
        callbacks: [
          {
            on_step_end: (_, s, control) => {
              control.should_training_stop = s.global_step === 2;
            },
          },
        ],
      },
    );
    await again.train({ resume_from_checkpoint: 'checkpoint-1' });
    await again.dispose();
    const steps = [...store.kept.keys()];
    expect(Math.max(...steps)).toBe(2);
    expect(store.rows.at(-1)!.step).toBe(2);
  });
});

it('a callback that throws in the background does not end the process; train says so', async () => {
  const store = new MemoryRunStore();
  const trainer = newTrainer(
    {},
    {
      store,
      callbacks: [
        {
          on_save: () => {
            throw new Error('no listener');
          },
        },
      ],
    },
  );
  await expect(trainer.train()).rejects.toThrow('no listener');
  await trainer.dispose();
});

it('epochs begin and end, as many times', async () => {
  const rows = Array.from({ length: 4 }, (_, i) => worldDataset('shapes', 'train', 1).row(i) as Row);
  const seen: string[] = [];
  const trainer = newTrainer(
    { max_steps: -1, num_train_epochs: 2 },
    {
      train_dataset: rows,
      eval_dataset: null,
      callbacks: [
        {
          on_epoch_begin: (_, s) => void seen.push(`begin ${s.epoch}`),
          on_epoch_end: (_, s) => void seen.push(`end ${s.epoch}`),
        },
      ],
    },
  );
  await trainer.train();
  await trainer.dispose();
  expect(seen).toEqual(['begin 0', 'end 1', 'begin 1', 'end 2']);
});

it('what cannot go on says so: other batches in the midst of a generation, a run without a checkpoint', async () => {
  const store = new MemoryRunStore();
  const settings = { num_iterations: 2, max_steps: 1 };
  const first = newTrainer(settings, { store });
  await first.train();
  await first.dispose();
  for (const other of [
    { num_generations: 8 },
    { max_completion_length: 4 },
    { per_device_train_batch_size: 16 },
    { per_device_train_batch_size: 4, steps_per_generation: 2 },
  ]) {
    const again = newTrainer({ ...settings, max_steps: 3, ...other }, { store });
    await expect(again.train({ resume_from_checkpoint: true })).rejects.toThrow(/do not fit these settings/);
    await again.dispose();
  }
  store.kept.clear();
  const anew = newTrainer(settings, { store });
  await expect(anew.train()).rejects.toThrow(/ended before its first checkpoint: it cannot go on/);
  await anew.dispose();
});

it('over a shuffled dataset, with live settings and dynamic sampling, a resumed run is the unbroken one', async () => {
  const rows = Array.from({ length: 6 }, (_, i) => worldDataset('shapes', 'train', 1).row(i) as Row);
  const settings = {
    max_steps: -1,
    num_train_epochs: 2,
    dynamic_sampling: true,
    top_k: 20,
    logging_steps: 2,
    warmup_steps: 2,
    eval_steps: 2,
  };
  const make = (store: MemoryRunStore, last: number) =>
    newTrainer(settings, {
      store,
      train_dataset: rows,
      eval_dataset: rows.slice(0, 4),
      callbacks: [
        {
          on_step_end: (_, s, control) => {
            if (s.global_step === 2) current.live = { temperature: 0.9, perception_loss_weight: 0 };
            control.should_training_stop = s.global_step === last;
          },
        },
      ],
    });
  const whole = new MemoryRunStore();
  let current = make(whole, -1);
  await current.train();
  await current.dispose();
  const store = new MemoryRunStore();
  for (const [last, resume] of [
    [3, false],
    [5, true],
    [-1, true],
  ] as const) {
    current = make(store, last);
    await current.train({ resume_from_checkpoint: resume });
    await current.dispose();
  }
  const numbers = (of: MemoryRunStore) =>
    of.rows.map((row) => ({ ...row, metrics: { ...row.metrics, step_time: 0, eval_runtime: 0 } }));
  expect(numbers(store)).toEqual(numbers(whole));
  const last = Math.max(...whole.kept.keys());
  expect(last).toBe(6);
  const [a, b] = await Promise.all([whole.openCheckpoint(last), store.openCheckpoint(last)]);
  for (const name of a.tensors.keys()) expect(await b.read(name), name).toEqual(await a.read(name));
  expect(b.state).toEqual(a.state);
});
