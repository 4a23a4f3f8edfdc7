// PAPOTrainer: TRL's methods, transformers' callbacks, and a run that is kept, resumed, and survives what goes wrong.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import {
  PAPOConfig,
  PAPOTrainer,
  type PAPOTrainerOptions,
  type RewardArgs,
  type Row,
  type TrainerCallback,
  UserError,
  worldDataset,
} from '../../../src/index.node.ts';
import type { Weight } from '../../../src/policy/parameters.ts';
import { loadModelFolder, type ModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import type { LogRow } from '../../../src/store/run-store.ts';
import { MemoryRunStore } from '../../memory-run-store.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { lengthReward, smallSettings, unchanged } from '../../trainer-harness.ts';

let model: ModelFolder;
let directory: string;
const device = new CpuDevice({ threads: 1 });
beforeAll(async () => {
  model = await tinyNano();
  directory = await mkdtemp(join(tmpdir(), 'papo-trainer-'));
});
afterAll(() => rm(directory, { recursive: true }));

const args = (settings: Record<string, unknown> = {}) =>
  new PAPOConfig(
    {
      ...smallSettings,
      num_eval_samples: 4,
      eval_steps: null,
      save_steps: 2,
      save_total_limit: null,
      max_steps: 4,
      ...settings,
    },
    'papo-nano',
  );

const newTrainer = (settings: Record<string, unknown> = {}, options: Partial<PAPOTrainerOptions> = {}) =>
  new PAPOTrainer({
    model,
    reward_funcs: lengthReward,
    args: args(settings),
    train_dataset: 'shapes',
    device,
    ...options,
  });

const weightsOf = async (trainer: PAPOTrainer): Promise<Map<string, Weight>> =>
  (await trainer.policy()).readWeights();

/** Rows of a dataset that holds no answers. */
const withoutAnswers = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    ...(worldDataset('shapes', 'test', 1).row(i) as Row),
    answer: null,
    diagnose: undefined,
  }));

/** What a run logged, without what a clock says. */
const told = (rows: readonly LogRow[]) =>
  rows.map(({ metrics, ...row }) => {
    const { step_time: _, eval_runtime: __, ...numbers } = metrics;
    return { ...row, metrics: numbers };
  });

describe('a kept run', () => {
  it.each<[string, Record<string, unknown>]>([
    ['as the preset has it', {}],
    [
      'with a reference, several passes over a generation, and held-out questions',
      { beta: 0.05, num_iterations: 2, eval_steps: 1 },
    ],
    ['with averages over two steps in the log', { logging_steps: 3, eval_steps: 2 }],
  ])('that is cut off and resumed equals the unbroken one, bit for bit: %s', async (_, settings) => {
    const whole = new MemoryRunStore();
    const logs: unknown[] = [];
    const unbroken = newTrainer(
      { max_steps: 6, ...settings },
      {
        store: whole,
        callbacks: [
          { on_log: (_, s, __, d) => void logs.push([s.global_step, { ...d.logs, step_time: 0 }]) },
        ],
      },
    );
    await unbroken.train();
    const expected = await weightsOf(unbroken);

    const store = new MemoryRunStore();
    const stop: TrainerCallback = {
      on_step_end: (_, state) => {
        if (state.global_step === 3) throw new Error('the tab is closed');
      },
    };
    const cut = newTrainer({ max_steps: 6, ...settings }, { store, callbacks: [stop] });
    await expect(cut.train()).rejects.toThrow('the tab is closed');
    await cut.dispose();
    expect(store.rows.at(-1)!.step).toBe(3);

    const laterLogs: unknown[] = [];
    const resumed = newTrainer(
      { max_steps: 6, ...settings },
      {
        store,
        callbacks: [
          { on_log: (_, s, __, d) => void laterLogs.push([s.global_step, { ...d.logs, step_time: 0 }]) },
        ],
      },
    );
    const { global_step } = await resumed.train({ resume_from_checkpoint: true });
    expect(global_step).toBe(6);
    expect(unchanged(await weightsOf(resumed), expected)).toEqual([...expected.keys()]);
    expect(told(store.rows)).toEqual(told(whole.rows));
    expect(laterLogs).toEqual(logs.slice(logs.length - laterLogs.length));
    expect(laterLogs.length).toBeGreaterThan(0);
    expect(store.runInfo).toMatchObject({ state: 'finished', step: 6 });
    await Promise.all([unbroken.dispose(), resumed.dispose()]);
  });

  it('goes on from the checkpoint that is asked for, and names those there are', async () => {
    const store = new MemoryRunStore();
    const first = newTrainer({ max_steps: 4 }, { store });
    await first.train();
    await first.dispose();
    const again = newTrainer({ max_steps: 4 }, { store });
    await expect(again.train({ resume_from_checkpoint: 'checkpoint-3' })).rejects.toThrow(
      'resume_from_checkpoint: memory has no checkpoint "checkpoint-3"; it has checkpoint-2, checkpoint-4.',
    );
    let begun = -1;
    again.add_callback({
      on_train_begin: (_, state) => {
        begun = state.global_step;
      },
    });
    await again.train({ resume_from_checkpoint: 'runs/one/checkpoint-2' });
    expect(begun).toBe(2);
    await again.dispose();
  });

  it('passes over a damaged checkpoint, and says so', async () => {
    const store = new MemoryRunStore();
    const first = newTrainer({}, { store });
    await first.train();
    await first.dispose();
    store.damaged.add(4);
    const warnings: string[] = [];
    const again = newTrainer(
      {},
      { store, callbacks: [{ on_warning: (_, __, ___, d) => void warnings.push(d.message!) }] },
    );
    await again.train({ resume_from_checkpoint: true });
    expect(warnings).toEqual([expect.stringMatching(/^checkpoint-4 cannot be used: .*damaged/)]);
    expect(store.events.filter((e) => e === 'saved 4').length).toBe(2);
    await again.dispose();
  });

  it('is not written over by mistake', async () => {
    const store = new MemoryRunStore();
    const first = newTrainer({ max_steps: 2 }, { store });
    await first.train();
    await first.dispose();
    const again = newTrainer({ max_steps: 2 }, { store });
    await expect(again.train()).rejects.toThrow(/memory holds a run already.*resume_from_checkpoint/);
    await again.dispose();
  });

  it('keeps save_total_limit checkpoints and the best by held-out reward', async () => {
    const store = new MemoryRunStore();
    const scores = [0.1, 0.2, 0.9, 0.3, 0.4, 0.5];
    let evaluations = 0;
    // Held-out batches have 4 completions, training's 8.
    const scripted = ({ completions }: RewardArgs) => {
      const score = completions.length === 4 ? scores[evaluations++] : null;
      return completions.map((text) => score ?? text.length % 5);
    };
    const trainer = newTrainer(
      { max_steps: 5, save_steps: 1, save_total_limit: 2, eval_steps: 1 },
      { store, reward_funcs: { scripted }, eval_dataset: withoutAnswers(4) },
    );
    await trainer.train();
    expect(store.runInfo).toMatchObject({ bestStep: 2, bestMetric: 0.9 });
    // The best and the last; a third would pass the limit.
    expect([...store.kept.keys()].sort()).toEqual([2, 5]);
    await trainer.dispose();
  });

  it('saves the best even between two saves', async () => {
    const store = new MemoryRunStore();
    const scores = [0.1, 0.2, 0.9, 0.3];
    let evaluations = 0;
    const scripted = ({ completions }: RewardArgs) => {
      const score = completions.length === 4 ? scores[evaluations++] : null;
      return completions.map((text) => score ?? text.length % 5);
    };
    const trainer = newTrainer(
      { max_steps: 3, save_steps: 3, eval_steps: 1 },
      { store, reward_funcs: { scripted }, eval_dataset: withoutAnswers(4) },
    );
    await trainer.train();
    expect([...store.kept.keys()]).toEqual([1, 2, 3]);
    expect(store.runInfo).toMatchObject({ bestStep: 2, bestMetric: 0.9 });
    await trainer.dispose();
  });

  it('a best that could not be saved leaves the one before it protected', async () => {
    const store = new MemoryRunStore();
    const scores = [0.1, 0.5, 0.9, 0.3, 0.3];
    let evaluations = 0;
    const scripted = ({ completions }: RewardArgs) => {
      const score = completions.length === 4 ? scores[evaluations++] : null;
      return completions.map((text) => score ?? text.length % 5);
    };
    const trainer = newTrainer(
      { max_steps: 4, save_steps: 1, save_total_limit: 2, eval_steps: 1 },
      {
        store,
        reward_funcs: { scripted },
        eval_dataset: withoutAnswers(4),
        callbacks: [
          {
            on_step_begin: async (_, state) => {
              await new Promise((resolve) => setTimeout(resolve, 5));
              store.isFull = state.global_step === 1;
            },
          },
        ],
      },
    );
    await trainer.train();
    expect([...store.kept.keys()].sort()).toEqual([1, 4]);
    await trainer.dispose();
  });

  it('what is set anew when it is resumed wins over what was changed while it ran', async () => {
    const store = new MemoryRunStore();
    const first = newTrainer({ max_steps: 2, lr_scheduler_type: 'constant' }, { store });
    first.live = { learning_rate: 5e-3, temperature: 0.9 };
    await first.train();
    await first.dispose();
    const again = newTrainer({ max_steps: 3, lr_scheduler_type: 'constant', learning_rate: 7e-3 }, { store });
    await again.train({ resume_from_checkpoint: true });
    expect(again.live).toEqual({ temperature: 0.9 });
    expect(store.rows.at(-2)!.metrics.learning_rate).toBe(7e-3);
    await again.dispose();
  });

  it('save_only_model leaves the optimizer out, and such a checkpoint cannot be resumed', async () => {
    const store = new MemoryRunStore();
    const trainer = newTrainer({ max_steps: 2, save_only_model: true }, { store });
    await trainer.train();
    await trainer.dispose();
    const { tensors } = await store.openCheckpoint(2);
    expect([...tensors.keys()].filter((name) => !/^(weights|files)\//.test(name))).toEqual([]);
    const again = newTrainer({ max_steps: 2 }, { store });
    await expect(again.train({ resume_from_checkpoint: true })).rejects.toThrow(
      /no optimizer\/m\..*save_only_model/,
    );
    await again.dispose();
  });
});

describe('storage that fails costs a checkpoint, not the run', () => {
  const run = async (store: MemoryRunStore, atStep: number, change: () => void, settings = {}) => {
    const warnings: string[] = [];
    const trainer = newTrainer(
      { max_steps: 4, save_steps: 1, ...settings },
      {
        store,
        callbacks: [
          {
            on_step_begin: async (_, state) => {
              await new Promise((resolve) => setTimeout(resolve, 5));
              if (state.global_step === atStep) change();
            },
            on_warning: (_, __, ___, d) => void warnings.push(d.message!),
          },
        ],
      },
    );
    const { global_step } = await trainer.train();
    await trainer.dispose();
    expect(global_step).toBe(4);
    return warnings;
  };

  it('a disk that is full', async () => {
    const store = new MemoryRunStore();
    const warnings = await run(store, 2, () => {
      store.isFull = true;
    });
    expect(warnings[0]).toMatch(
      /^The checkpoint of step 3 was not saved, because memory is full \([\d.]+ MiB are needed\)\. Training goes on; the last checkpoint is kept\.$/,
    );
    expect([...store.kept.keys()]).toEqual([2]);
    const again = newTrainer({ max_steps: 4 }, { store });
    let begun = -1;
    again.add_callback({
      on_train_begin: (_, state) => {
        begun = state.global_step;
      },
    });
    await again.train({ resume_from_checkpoint: true });
    expect(begun).toBe(2);
    await again.dispose();
  });

  it('a save that will not fit is not tried: it is said before, with the numbers', async () => {
    const store = new MemoryRunStore();
    const warnings = await run(store, 2, () => {
      store.free = 1024;
    });
    expect(warnings[0]).toMatch(
      /^The checkpoint of step 3 was not saved: it takes [\d.]+ MiB, and memory has 0\.0 MiB left\./,
    );
    expect([...store.kept.keys()]).toEqual([2]);
  });

  it('a log that cannot be written is kept in memory and written when there is room', async () => {
    const store = new MemoryRunStore();
    let step = 0;
    store.isLogFull = true;
    const warnings = await run(store, 3, () => {
      store.isLogFull = false;
      step = 3;
    });
    expect(step).toBe(3);
    expect(warnings.filter((w) => /history of the run is kept in memory/.test(w)).length).toBe(1);
    expect(store.rows.filter((row) => row.kind === 'step').map((row) => row.step)).toEqual([1, 2, 3, 4]);
  });
});

describe('what should not go on unattended', () => {
  const nan = ({ completions }: RewardArgs) => completions.map((text) => 1e39 * (text.length % 5));

  it('three skipped updates in a row end an unattended run, and hold an attended one; the last good checkpoint stays', async () => {
    const store = new MemoryRunStore();
    let isBad = false;
    const reward = (a: RewardArgs) => (isBad ? nan(a) : a.completions.map((text) => text.length % 5));
    const settings = {
      scale_rewards: 'none',
      perception_loss_weight: 0,
      der_loss_weight1: 0,
      der_loss_weight2: 0,
      save_steps: 1,
      max_steps: 8,
    };
    const breaks: TrainerCallback = {
      on_step_begin: (_, state) => {
        isBad = state.global_step >= 2;
      },
    };
    const alone = newTrainer(settings, { store, reward_funcs: { reward }, callbacks: [breaks] });
    await expect(alone.train()).rejects.toThrow(
      /^Training was stopped at step 5\. 3 updates in a row were skipped/,
    );
    await alone.dispose();
    expect([...store.kept.keys()]).toEqual([1, 2]);
    expect(store.rows.at(-1)!.metrics.skipped_updates).toBe(3);

    const messages: string[] = [];
    const warnings: string[] = [];
    const attended = newTrainer(settings, {
      reward_funcs: { reward },
      callbacks: [
        breaks,
        {
          on_warning: (_, __, ___, d) => void warnings.push(d.message!),
          on_pause: (_, state, control, d) => {
            messages.push(`${state.global_step}: ${d.message}`);
            control.should_training_stop = true;
          },
        },
      ],
    });
    expect((await attended.train()).global_step).toBe(5);
    expect(messages).toEqual([expect.stringMatching(/^5: 3 updates in a row were skipped/)]);
    expect(warnings.filter((w) => /not a finite number, so the update was skipped/.test(w)).length).toBe(3);
    await attended.dispose();
  });

  it('three generations without a single reward; each failure is told once, with its row', async () => {
    const broken = ({ completions }: RewardArgs) => {
      if (completions.length > 0) throw new Error('no idea');
      return [];
    };
    const warnings: string[] = [];
    const trainer = newTrainer(
      { max_steps: 8 },
      {
        reward_funcs: { broken },
        callbacks: [{ on_warning: (_, __, ___, d) => void warnings.push(d.message!) }],
      },
    );
    await expect(trainer.train()).rejects.toThrow(
      /step 3\. For three generations in a row no reward function/,
    );
    expect(warnings.filter((w) => w.includes('no idea'))).toEqual([
      expect.stringMatching(
        /^The reward "broken" failed for completion 1 of the held-out prompts \(".*"\), so there it counts as none: .*no idea/,
      ),
    ]);
    await trainer.dispose();
  });

  it('a reward that fails for some rows costs these rows theirs', async () => {
    const store = new MemoryRunStore();
    const fussy = ({ completions }: RewardArgs) =>
      completions.map((text, i) => (i === 2 ? Number.NaN : text.length % 5));
    const trainer = newTrainer({ max_steps: 2 }, { store, reward_funcs: { fussy } });
    await trainer.train();
    await trainer.dispose();
    const first = store.rows.find((row) => row.kind === 'step')!;
    expect(first.completions.map((c) => c.rewards.fussy === null)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((i) => i === 2),
    );
    expect(first.completions[2].advantage).toBe(0);
    expect(first.metrics.reward).toSatisfy(Number.isFinite);
  });
});

describe('callbacks', () => {
  it("come in transformers' order, and hold the training until they resolve", async () => {
    const seen: string[] = [];
    const names = [
      'on_init_end',
      'on_train_begin',
      'on_train_end',
      'on_step_begin',
      'on_step_end',
      'on_evaluate',
      'on_log',
      'on_save',
    ] as const;
    const store = new MemoryRunStore();
    const recorder: TrainerCallback = Object.fromEntries(
      names.map((name) => [
        name,
        async (_: unknown, state: { global_step: number }) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          seen.push(`${name} ${state.global_step}`);
        },
      ]),
    );
    const trainer = newTrainer(
      { max_steps: 2, eval_steps: 2, save_steps: 2 },
      { store, callbacks: [recorder] },
    );
    await trainer.train();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen.filter((event) => !event.startsWith('on_save'))).toEqual([
      'on_init_end 0',
      'on_train_begin 0',
      'on_evaluate 0',
      'on_step_begin 0',
      'on_step_end 1',
      'on_log 1',
      'on_step_begin 1',
      'on_step_end 2',
      'on_log 2',
      'on_evaluate 2',
      'on_train_end 2',
    ]);
    expect(seen).toContain('on_save 2');
    await trainer.dispose();
  });

  it('control: stop, save, evaluate and log when asked', async () => {
    const store = new MemoryRunStore();
    let evaluations = 0;
    const trainer = newTrainer(
      { max_steps: 8, save_strategy: 'no', logging_strategy: 'no' },
      {
        store,
        callbacks: [
          {
            on_step_end: (_, state, control) => {
              if (state.global_step === 1) control.should_save = control.should_log = true;
              if (state.global_step === 2) control.should_evaluate = true;
              if (state.global_step === 3) control.should_training_stop = true;
            },
            on_evaluate: () => void evaluations++,
          },
        ],
      },
    );
    expect((await trainer.train()).global_step).toBe(3);
    expect([...store.kept.keys()]).toEqual([1]);
    expect(evaluations).toBe(2);
    expect(store.runInfo!.state).toBe('stopped');
    await trainer.dispose();
  });
});

describe("TRL's methods", () => {
  it('save_model writes a folder that loads again, evaluate and train tell numbers under their names', async () => {
    const target = join(directory, 'saved');
    const trainer = newTrainer({ max_steps: 2 });
    const { metrics, training_loss } = await trainer.train();
    expect(Object.keys(metrics)).toEqual([
      'train_runtime',
      'train_steps_per_second',
      'train_samples_per_second',
      'train_loss',
      'epoch',
    ]);
    expect(training_loss).toSatisfy(Number.isFinite);
    const found = await trainer.evaluate();
    for (const name of [
      'eval_accuracy',
      'eval_accuracy_error',
      'eval_reward',
      'eval_rewards/length/mean',
      'eval_errors/format',
    ])
      expect(found[name], name).toSatisfy(Number.isFinite);
    await trainer.save_model(target);
    const back = await loadModelFolder(nodeFiles(target));
    const weights = await weightsOf(trainer);
    expect(unchanged(back.weights, weights)).toEqual([...back.weights.keys()]);
    expect(await readdir(target)).toEqual(
      expect.arrayContaining(['README.md', 'curve.png', 'metrics.jsonl', 'training_args.json']),
    );
    expect(JSON.parse(await readFile(join(target, 'training_args.json'), 'utf8'))).toMatchObject({
      max_steps: 2,
    });
    await trainer.dispose();
  });

  it('num_train_epochs counts passes over rows, and goes round them', async () => {
    const trainer = newTrainer(
      { max_steps: -1, num_train_epochs: 2 },
      { train_dataset: withoutAnswers(6), eval_dataset: null },
    );
    // 6 prompts, 2 a generation: 3 updates a pass.
    expect(trainer.state.max_steps).toBe(6);
    const epochs: number[] = [];
    trainer.add_callback({ on_epoch_end: (_, state) => void epochs.push(state.epoch) });
    await trainer.train();
    expect(epochs).toEqual([1, 2]);
    await trainer.dispose();
  });

  it('live settings take effect at the next update, and are kept with the run', async () => {
    const store = new MemoryRunStore();
    const trainer = newTrainer({ max_steps: 3, save_steps: 1, lr_scheduler_type: 'constant' }, { store });
    trainer.add_callback({
      on_step_end: (_, state) => {
        if (state.global_step === 1) trainer.live = { learning_rate: 5e-3 };
      },
    });
    await trainer.train();
    await trainer.dispose();
    const rates = store.rows.filter((row) => row.kind === 'step').map((row) => row.metrics.learning_rate);
    expect(rates).toEqual([1e-2, 5e-3, 5e-3]);
    expect((await store.openCheckpoint(2)).state.live).toEqual({ learning_rate: 5e-3 });
  });
});

describe('mistakes are named before anything is opened', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'what of LoRA is not built',
      () => newTrainer({}, { peft_config: { r: 4, use_dora: true } }),
      /peft_config: use_dora is true; expected false/,
    ],
    [
      "a misspelt field of PEFT's",
      () => newTrainer({}, { peft_config: { rank: 4 } }),
      /peft_config: rank is 4; expected r, lora_alpha, target_modules and use_rslora alone/,
    ],
    [
      'another processor',
      () => newTrainer({}, { processing_class: {} as never }),
      /processing_class: expected null/,
    ],
    ['an unknown task', () => newTrainer({}, { train_dataset: 'poetry' as never }), /unknown task "poetry"/],
    [
      'an unknown reward',
      () => newTrainer({}, { reward_funcs: 'beauty' }),
      /unknown reward function "beauty"/,
    ],
    [
      'a reward twice',
      () => newTrainer({}, { reward_funcs: ['format', 'format'] }),
      /"format" is there twice/,
    ],
    ['a wrong setting', () => newTrainer({ mask_ratio: 2 }), /mask_ratio: expected/],
    [
      'epochs over prompts without end',
      () => newTrainer({ max_steps: -1 }),
      /max_steps: expected at least 1/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(UserError);
    expect(make).toThrow(message);
  });

  it('methods that miss something say what', async () => {
    const trainer = newTrainer({}, { eval_dataset: null });
    await expect(trainer.evaluate()).rejects.toThrow(/there is no eval_dataset/);
    await expect(trainer.save_model()).rejects.toThrow(/save_model: expected where to save/);
    await expect(trainer.save_checkpoint()).rejects.toThrow(/nowhere to save to/);
    await expect(trainer.train({ resume_from_checkpoint: true })).rejects.toThrow(
      /no output_dir to resume from/,
    );
    await trainer.dispose();
  });
});
