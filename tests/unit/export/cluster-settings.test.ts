// Settings in the words of the authors' code: every key against the list of their configuration classes.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { batchSizes } from '../../../src/export/cluster/batch-sizes.ts';
import { type ClusterFacts, translateSettings } from '../../../src/export/cluster/translate.ts';
import type { Translated, YamlValue } from '../../../src/export/cluster/translation.ts';
import { yamlOf } from '../../../src/export/cluster/yaml-out.ts';
import { parseConfig, type ResolvedConfig, SETTING_NAMES } from '../../../src/papo/config.ts';
import { PRESET_NAMES } from '../../../src/papo/presets.ts';
import type { Settings } from '../../../src/papo/settings.ts';

const fields = JSON.parse(await readFile('tests/fixtures/papo-config-fields.json', 'utf8')) as {
  commit: string;
  keys: Record<string, string>;
};
const facts: ClusterFacts = {
  trainRows: 512,
  maxPositions: 8192,
  rewardWeights: { boxed_answer: 1 },
  name: 'a run',
};

const isScalarMap = (value: YamlValue) =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const fits: Record<string, (value: YamlValue) => boolean> = {
  str: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  int: Number.isInteger,
  float: Number.isFinite,
  'Dict[str, Any]': isScalarMap,
  dict: isScalarMap,
  'Tuple[str]': (value) => Array.isArray(value) && value.every((v) => typeof v === 'string'),
  'Tuple[float, float]': (value) =>
    Array.isArray(value) && value.length === 2 && value.every(Number.isFinite),
};

/** The type that their class has for it, and whether the value is one. */
function check({ key, value }: Translated): void {
  const type = fields.keys[key];
  expect(type, `${key} is no key of the authors' code`).toBeDefined();
  const inner = /^Optional\[(.+)\]$/.exec(type)?.[1];
  const isRight = inner ? value === null || fits[inner](value) : fits[type](value);
  expect(isRight, `${key} is ${JSON.stringify(value)}, but ${type} there`).toBe(true);
}

/** What their trainer itself demands before it starts (ray_trainer.py, fsdp_workers.py, vllm_rollout_spmd.py). */
function checkTheirRules(keys: readonly Translated[], trainRows: number): void {
  const get = (key: string) => keys.find((k) => k.key === key)?.value as number;
  const [rollout, update] = [get('data.rollout_batch_size'), get('worker.actor.global_batch_size')];
  const n = get('worker.rollout.n');
  expect(n).toBeGreaterThan(1);
  expect(rollout % update).toBe(0);
  expect((update * n) % get('worker.actor.micro_batch_size_per_device_for_update')).toBe(0);
  expect((rollout * n) % get('worker.actor.micro_batch_size_per_device_for_experience')).toBe(0);
  // drop_last: a rollout that is larger than the data would leave no batch.
  expect(rollout).toBeLessThanOrEqual(trainRows);
  expect(get('worker.rollout.max_num_batched_tokens')).toBeGreaterThanOrEqual(
    get('data.max_prompt_length') + get('data.max_response_length'),
  );
  const maxSteps = get('trainer.max_steps');
  if (maxSteps !== null) expect(maxSteps).toBeGreaterThanOrEqual(1);
  expect(get('trainer.total_epochs')).toBeGreaterThanOrEqual(1);
}

function checkAll(settings: ResolvedConfig, some: ClusterFacts = facts): void {
  const { translated, untranslated } = translateSettings(settings, some);
  translated.forEach(check);
  expect(new Set(translated.map(({ key }) => key)).size).toBe(translated.length);
  checkTheirRules(translated, some.trainRows);
  // Nothing is passed over in silence, a setting that is new least of all.
  const named = [...translated.flatMap(({ from }) => from), ...untranslated.map(({ name }) => name)];
  expect([...new Set(named)].sort()).toEqual([...SETTING_NAMES].sort());
  yamlOf(translated);
}

const values = (settings: ResolvedConfig, some: ClusterFacts = facts) =>
  Object.fromEntries(translateSettings(settings, some).translated.map(({ key, value }) => [key, value]));

describe('every key is one of theirs, of its type', () => {
  it('of a list that was made from their sources', () => {
    expect(fields.commit).toBe('fb63bf4533b78da5a2bb17bc812375dcb620887d');
    expect(Object.keys(fields.keys).length).toBeGreaterThan(150);
  });

  it('and a key that is not is found', () => {
    expect(() => check({ key: 'algorithm.kl_prcp', value: 1, from: [], note: '' })).toThrow('is no key');
    expect(() => check({ key: 'data.seed', value: 1.5, from: [], note: '' })).toThrow('but int there');
    expect(() => check({ key: 'data.seed', value: null, from: [], note: '' })).toThrow('but int there');
  });

  it.each(PRESET_NAMES)('%s', (preset) => {
    checkAll(parseConfig({}, preset));
  });

  it('for random settings', () => {
    const positive = fc.integer({ min: 1, max: 12 });
    const weight = fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 10, noNaN: true }));
    const orNull = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null });
    const settings: fc.Arbitrary<Partial<Settings>> = fc.record(
      {
        objective: fc.constantFrom('paper', 'trl', 'authors'),
        loss_type: fc.constantFrom('grpo', 'dapo'),
        perception_loss_weight: weight,
        der_loss_weight1: weight,
        der_loss_weight2: weight,
        mask_type: fc.constantFrom('patch_black', 'random', 'patch', 'semantic'),
        mask_ratio: fc.double({ min: 0, max: 1, noNaN: true }),
        mask_patch_size: positive,
        perception_kl: fc.constantFrom('k3', 'exact', 'k1', 'k2', 'k3_paper_literal'),
        perception_kl_clip: orNull(fc.constant(0.2)),
        perception_top_p: orNull(fc.constant(0.3)),
        kl_prcp_annealing_ratio: orNull(fc.constant(0.5)),
        beta: weight,
        delta: orNull(fc.constant(3)),
        dual_clip: orNull(fc.constant(2)),
        num_generations: fc.integer({ min: 2, max: 12 }),
        per_device_train_batch_size: positive,
        gradient_accumulation_steps: positive,
        steps_per_generation: orNull(positive),
        num_iterations: fc.integer({ min: 1, max: 3 }),
        max_steps: fc.constantFrom(-1, 1, 7, 100),
        num_train_epochs: fc.double({ min: 0.01, max: 9, noNaN: true }),
        lr_scheduler_type: fc.constantFrom('linear', 'cosine', 'constant', 'constant_with_warmup'),
        warmup_steps: fc.constantFrom(0, 0.1, 1, 30),
        learning_rate: weight,
        max_grad_norm: weight,
        top_k: fc.integer({ min: 0, max: 50 }),
        dynamic_sampling: fc.boolean(),
        save_strategy: fc.constantFrom('steps', 'epoch', 'no'),
        save_steps: fc.constantFrom(0.1, 1, 500),
        eval_steps: orNull(positive),
        use_peft: fc.boolean(),
        gradient_checkpointing: orNull(fc.boolean()),
        max_completion_length: fc.integer({ min: 1, max: 9000 }),
      },
      { requiredKeys: [] },
    );
    const rows = fc.integer({ min: 1, max: 300 });
    let refused = 0;
    fc.assert(
      fc.property(settings, rows, (some, trainRows) => {
        let config: ResolvedConfig;
        try {
          config = parseConfig(some);
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          refused++;
          return;
        }
        checkAll(config, { ...facts, trainRows });
      }),
      { numRuns: 2000, seed: 5 },
    );
    expect(refused).toBeLessThan(1900);
  });
});

describe('the numbers', () => {
  it('are those that the authors train PAPO_D with (examples/papo_dapo/qwen2_5_vl_3b_dapo_papo.sh)', () => {
    expect(values(parseConfig({}, 'papo-d'))).toMatchObject({
      'algorithm.adv_estimator': 'dapo',
      'algorithm.disable_kl': true,
      'algorithm.online_filtering': true,
      'algorithm.filter_key': 'accuracy',
      'algorithm.filter_low': 0.01,
      'algorithm.filter_high': 0.99,
      'algorithm.use_kl_prcp': true,
      'algorithm.contrastive_type': 'augmented',
      'algorithm.kl_prcp_penalty': 'low_var_kl',
      'algorithm.kl_prcp_coef': 0.01,
      'algorithm.kl_prcp_schedule': 'fixed',
      'algorithm.aug_config': { patch_size: 14, black_prob: 0.6 },
      'algorithm.use_aug_entropy_loss': true,
      'algorithm.aug_entropy_loss_coef': 0.03,
      'algorithm.use_ori_entropy_loss': true,
      'algorithm.ori_entropy_loss_coef': 0.03,
      'algorithm.loss_avg_mode': 'token',
      'worker.actor.clip_ratio_low': 0.2,
      'worker.actor.clip_ratio_high': 0.28,
      'worker.actor.max_grad_norm': 1,
      'worker.actor.optim.lr': 1e-6,
      'worker.actor.optim.weight_decay': 0.01,
      'worker.rollout.n': 5,
      'worker.rollout.temperature': 1,
      'worker.rollout.top_p': 0.99,
      // A sixteenth of 384 and 128.
      'data.rollout_batch_size': 24,
      'worker.actor.global_batch_size': 8,
      'trainer.total_epochs': 2,
      'trainer.max_steps': null,
      'trainer.max_try_make_batch': 21,
    });
  });

  it('and PAPO_G (examples/papo_grpo/qwen2_5_vl_3b_grpo_papo.sh)', () => {
    expect(values(parseConfig({}, 'papo-g-3b'))).toMatchObject({
      'algorithm.adv_estimator': 'grpo',
      'algorithm.disable_kl': false,
      'algorithm.use_kl_loss': true,
      'algorithm.kl_penalty': 'low_var_kl',
      'algorithm.kl_coef': 0.01,
      'algorithm.online_filtering': false,
      'algorithm.kl_prcp_coef': 0.02,
      'algorithm.use_aug_entropy_loss': false,
      'algorithm.use_ori_entropy_loss': false,
      'worker.actor.clip_ratio_high': 0.3,
    });
  });

  it('count rollouts, where ours count updates', () => {
    // 8 prompts an update, 24 a rollout: three updates.
    const config = parseConfig(
      { max_steps: 100, eval_steps: 10, save_steps: 0.5, warmup_steps: 7, lr_scheduler_type: 'linear' },
      'papo-g-3b',
    );
    expect(values(config)).toMatchObject({
      'trainer.max_steps': 34,
      'trainer.val_freq': 4,
      'trainer.save_freq': 17,
      'worker.actor.optim.lr_warmup_steps': 3,
    });
    const share = parseConfig({ warmup_steps: 0.1, lr_scheduler_type: 'constant_with_warmup' });
    expect(values(share)['worker.actor.optim.lr_warmup_ratio']).toBe(0.1);
    expect(values(share)).not.toHaveProperty('worker.actor.optim.lr_warmup_steps');
  });

  it('switch off what is off here', () => {
    expect(
      values(parseConfig({ perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 })),
    ).toMatchObject({
      'algorithm.use_kl_prcp': false,
      'algorithm.use_ori_entropy_loss': false,
      'algorithm.use_aug_entropy_loss': false,
      'algorithm.use_sft_loss': false,
      'worker.actor.clip_ratio_dual': 1e9,
      'worker.rollout.top_k': -1,
    });
    // η2 alone needs the masked view too.
    expect(
      values(parseConfig({ perception_loss_weight: 0, der_loss_weight2: 0.1 }))['algorithm.use_kl_prcp'],
    ).toBe(true);
    expect(values(parseConfig({ max_grad_norm: 0 }))['worker.actor.max_grad_norm']).toBe(1e9);
    expect(values(parseConfig({ delta: 4 }))['worker.actor.clip_ratio_dual']).toBe(4);
    expect(values(parseConfig({ objective: 'authors' }))['worker.actor.clip_ratio_dual']).toBe(3);
  });

  it('anneal as ours do', () => {
    const config = parseConfig({
      perception_loss_weight: 0.04,
      kl_prcp_annealing_ratio: 0.5,
      kl_prcp_annealing_start: 0.08,
      kl_prcp_annealing_end: 0.01,
    });
    expect(values(config)).toMatchObject({
      'algorithm.kl_prcp_schedule': 'annealing',
      'algorithm.kl_prcp_schedule_args': { start_value: 0.08, end_value: 0.01, annealing_ratio: 0.5 },
    });
  });

  it('say what was changed', () => {
    const sizes = (settings: Partial<Settings>, rows = 512) => batchSizes(parseConfig(settings), rows);
    const odd = { per_device_train_batch_size: 3, gradient_accumulation_steps: 2, num_generations: 4 };
    // 6 completions an update of 12 a generation: one and a half groups.
    expect(sizes({ ...odd, steps_per_generation: 4 })).toMatchObject({
      rollout: 3,
      update: 1,
      micro: 2,
      updatesPerRollout: 3,
      notes: [expect.stringContaining('whole groups')],
    });
    const accumulated = {
      per_device_train_batch_size: 8,
      gradient_accumulation_steps: 4,
      num_generations: 8,
    };
    expect(sizes({ ...accumulated, steps_per_generation: 1 })).toMatchObject({
      rollout: 4,
      update: 4,
      notes: [expect.stringContaining('several generation batches')],
    });
    expect(sizes(accumulated, 3)).toMatchObject({
      rollout: 3,
      update: 3,
      notes: [expect.stringContaining('more than the 3 rows'), expect.stringContaining('24')],
    });
  });
});

describe('papo.yaml', () => {
  it('has floats, texts and nothing that YAML 1.1 reads as something else', () => {
    const text = yamlOf([
      { key: 'a.b', value: 1e-9 },
      { key: 'a.c.d', value: 1.5e-7 },
      { key: 'a.c.e', value: [0.9, 0.999] },
      { key: 'f', value: null },
      { key: 'a.g', value: 'model' },
      { key: 'a.h', value: 'no' },
      { key: 'a.i', value: 'a "run": no. 1\n' },
      { key: 'a.j', value: { start_value: 0.01, off: true } },
      { key: 'a.k', value: {} },
      { key: 'a.l', value: 'reward.py:compute_score' },
      { key: 'a.m', value: 1e9 },
      { key: 'a.n', value: '12' },
    ]);
    expect(text).toBe(
      [
        'a:',
        '  b: 1.0e-9',
        '  c:',
        '    d: 1.5e-7',
        '    e: [0.9, 0.999]',
        '  g: model',
        '  h: "no"',
        '  i: "a \\"run\\": no. 1\\n"',
        '  j:',
        '    start_value: 0.01',
        '    off: true',
        '  k: {}',
        '  l: reward.py:compute_score',
        '  m: 1000000000',
        '  n: "12"',
        'f: null',
        '',
      ].join('\n'),
    );
    expect(() =>
      yamlOf([
        { key: 'a', value: 1 },
        { key: 'a', value: 2 },
      ]),
    ).toThrow('twice');
    expect(() => yamlOf([{ key: 'a', value: Number.NaN }])).toThrow(UserError);
  });
});
