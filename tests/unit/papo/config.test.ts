import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import {
  configToJson,
  describeSetting,
  PAPOConfig,
  parseConfig,
  SETTING_NAMES,
  SETTINGS,
} from '../../../src/papo/config.ts';
import { PRESET_NAMES, PRESETS } from '../../../src/papo/presets.ts';
import { annealingDiscount } from '../../../src/papo/schedules.ts';
import { messageOf, readFixture } from './fixtures.ts';

// TRL's PAPOConfig at 2d4da7103 and transformers' TrainingArguments, as listed in their sources.
const trlDefaults = {
  perception_loss_weight: 0.1,
  mask_ratio: 0.3,
  mask_type: 'random',
  der_loss_weight1: 0.03,
  der_loss_weight2: 0.03,
  learning_rate: 1e-6,
  disable_dropout: false,
  remove_unused_columns: false,
  num_generations: 8,
  max_completion_length: 256,
  shuffle_dataset: true,
  pad_to_multiple_of: null,
  temperature: 1,
  top_p: 1,
  top_k: 0,
  min_p: null,
  beta: 0,
  num_iterations: 1,
  epsilon: 0.2,
  delta: null,
  importance_sampling_level: 'token',
  reward_weights: null,
  multi_objective_aggregation: 'sum_then_normalize',
  scale_rewards: 'group',
  loss_type: 'dapo',
  mask_truncated_completions: false,
  top_entropy_quantile: 1,
  entropy_coef: 0,
  log_completions: false,
  num_completions_to_print: null,
  logging_steps: 10,
  output_dir: null,
  num_train_epochs: 3,
  max_steps: -1,
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  lr_scheduler_type: 'linear',
  warmup_steps: 0,
  weight_decay: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  max_grad_norm: 1,
  optim: 'adamw_torch',
  seed: 42,
  logging_strategy: 'steps',
  logging_first_step: false,
  run_name: null,
  save_strategy: 'steps',
  save_steps: 500,
  save_total_limit: null,
  save_only_model: false,
};

describe('defaults', () => {
  it("are TRL's under the preset trl-defaults", () => {
    expect(parseConfig({}, 'trl-defaults')).toMatchObject(trlDefaults);
  });
  it("are TRL's where the user gives none, but for the mask", () => {
    const config = parseConfig({});
    expect(config).toMatchObject({ ...trlDefaults, mask_type: 'patch_black' });
    expect(config.mask_patch_size).toBe(14);
    expect(config).toMatchObject({
      objective: 'paper',
      perception_kl: 'k3',
      perception_kl_clip: null,
      dual_clip: null,
    });
    expect(config.warnings).toEqual([]);
  });
  it('follow the objective', () => {
    expect(parseConfig({ objective: 'trl' })).toMatchObject({ mask_type: 'random', perception_kl_clip: 0.2 });
    expect(parseConfig({ objective: 'authors' })).toMatchObject({
      mask_type: 'patch_black',
      entropy_estimator: 'sampled',
      detach_masked_branch: true,
      dual_clip: 3,
      advantage_epsilon: 1e-6,
    });
  });
  it('fill in what follows from others', () => {
    const config = parseConfig({ epsilon: 0.1, gradient_accumulation_steps: 4 });
    expect(config.epsilon_high).toBe(0.1);
    expect(config.steps_per_generation).toBe(4);
    expect(config.generation_batch_size).toBe(32);
    expect(parseConfig({ generation_batch_size: 24 }).steps_per_generation).toBe(3);
    expect(parseConfig({ scale_rewards: false }).scale_rewards).toBe('none');
    expect(parseConfig({ scale_rewards: true }).scale_rewards).toBe('group');
  });
  it('are each in their own range, and described', () => {
    for (const name of SETTING_NAMES) {
      expect(SETTINGS[name].schema.safeParse(SETTINGS[name].default).success, name).toBe(true);
      const description = describeSetting(name);
      expect(description.meaning, name).toMatch(/\.$/);
      expect(description.range.length, name).toBeGreaterThan(3);
    }
    expect(describeSetting('mask_ratio')).toMatchObject({
      range: 'a number, at least 0 and at most 1',
      default: 0.3,
      group: 'PAPO',
    });
  });
  it('survive a file', () => {
    for (const preset of PRESET_NAMES) {
      const config = parseConfig({ seed: 7 }, preset);
      expect(parseConfig(JSON.parse(JSON.stringify(configToJson(config))))).toEqual({
        ...config,
        warnings: config.warnings,
      });
    }
  });
});

describe('presets', () => {
  // Table 6 of arXiv 2507.06448: γ, η1, η2, mask, β, ε low, ε high.
  it.each([
    ['grpo', 'grpo', 0, 0, 0.01, 0.3],
    ['dapo', 'dapo', 0, 0, 0, 0.28],
    ['papo-g-3b', 'grpo', 0.02, 0, 0.01, 0.3],
    ['papo-g-7b', 'grpo', 0.02, 0.05, 0.01, 0.3],
    ['papo-d', 'dapo', 0.01, 0.03, 0, 0.28],
  ])('%s is the row of Table 6', (name, loss, gamma, eta, beta, high) => {
    const config = parseConfig({}, name);
    expect(config).toMatchObject({
      objective: 'paper',
      loss_type: loss,
      perception_loss_weight: gamma,
      der_loss_weight1: eta,
      der_loss_weight2: eta,
      beta,
      epsilon: 0.2,
      epsilon_high: high,
      dynamic_sampling: loss === 'dapo',
      num_generations: 5,
    });
    if (gamma > 0)
      expect(config).toMatchObject({ mask_type: 'patch_black', mask_patch_size: 14, mask_ratio: 0.6 });
    // Three updates a rollout, as the paper's 384 prompts by 128.
    expect(config.generation_batch_size).toBe(3 * config.per_device_train_batch_size);
  });
  it('papo-nano takes sixteen prompts a step', () => {
    const config = parseConfig({}, 'papo-nano');
    expect(config.generation_batch_size / config.num_generations).toBe(16);
    expect(config.warnings).toEqual([]);
  });
  it('give way to the user, in either spelling of the generation batch', () => {
    expect(parseConfig({ beta: 0.04 }, 'grpo').beta).toBe(0.04);
    expect(parseConfig({ generation_batch_size: 80 }, 'grpo').steps_per_generation).toBe(2);
  });
  it('say where they come from', () => {
    for (const name of PRESET_NAMES) expect(PRESETS[name].source).toMatch(/^.+\.$/);
  });
  it('suggest a name', () => {
    expect(messageOf(() => parseConfig({}, 'papo-g-3'))).toMatch(
      /^preset: expected one of grpo, .* got "papo-g-3"\. Did you mean "papo-g-3b"\?/,
    );
  });
});

describe('errors', () => {
  const cases: [string, unknown, RegExp][] = [
    [
      'unknown',
      { perception_los_weight: 0.1 },
      /^perception_los_weight: .* Did you mean "perception_loss_weight"\?$/,
    ],
    ['unknown, unlike anything', { xyzzy: 1 }, /^xyzzy: there is no such setting\.$/],
    ['inherited from Object', { constructor: 1 }, /^constructor: there is no such setting\./],
    [
      'wrong type',
      { mask_ratio: 'half' },
      /^mask_ratio: expected a number, at least 0 and at most 1, got "half"\.$/,
    ],
    ['out of range', { mask_ratio: 1.5 }, /^mask_ratio: .* got 1\.5\.$/],
    ['not a number', { learning_rate: Number.NaN }, /^learning_rate: expected a number, at least 0, got /],
    ['infinite', { learning_rate: Number.POSITIVE_INFINITY }, /^learning_rate: expected a number/],
    ['null', { beta: null }, /^beta: expected a number, at least 0, got null\.$/],
    ['negative', { der_loss_weight2: -1 }, /^der_loss_weight2: .* got -1\.$/],
    [
      'fraction',
      { num_generations: 4.5 },
      /^num_generations: expected a whole number, at least 2, got 4\.5\.$/,
    ],
    ['one generation', { num_generations: 1 }, /^num_generations: .* got 1\.$/],
    ['loss type', { loss_type: 'bnpo' }, /^loss_type: expected one of "grpo", "dapo", got "bnpo"\.$/],
    ['mask type', { mask_type: 'blur' }, /^mask_type: .* got "blur"\.$/],
    ['max_steps', { max_steps: 0 }, /^max_steps: expected a whole number, at least 1, or -1, got 0\.$/],
    [
      'not supported',
      { use_vllm: true },
      /^use_vllm: TRL's setting is not supported here, because .* got true/,
    ],
    ['not supported yet', { sync_ref_model: true }, /^sync_ref_model: .* so far; got true/],
    ['groups', { num_generations: 3 }, /^num_generations: expected a divisor .* 8 × .* 1 = 8\), got 3\.$/],
    [
      'both',
      { generation_batch_size: 16, steps_per_generation: 2 },
      /^generation_batch_size: expected null .* got 16\.$/,
    ],
    [
      'not a multiple',
      { generation_batch_size: 12 },
      /^generation_batch_size: expected a multiple .*\(8\), got 12\.$/,
    ],
    ['delta', { delta: 1.1 }, /^delta: expected more than 1 \+ epsilon_high = 1\.2 .* got 1\.1\.$/],
    ['grid', { mask_type: 'grid', mask_ratio: 0 }, /^mask_ratio: expected more than 0 with mask_type "grid"/],
    [
      'annealing of nothing',
      { kl_prcp_annealing_ratio: 0.5, perception_loss_weight: 0 },
      /^kl_prcp_annealing_ratio: /,
    ],
    ['annealing off', { kl_prcp_annealing_start: 0.5 }, /^kl_prcp_annealing_start: expected null/],
    [
      'trl, exact',
      { objective: 'trl', perception_kl: 'exact' },
      /^perception_kl: expected "k3" with objective "trl", got "exact"\.$/,
    ],
    [
      'trl, no clip',
      { objective: 'trl', perception_kl_clip: null },
      /^perception_kl_clip: expected 0\.2 with .* got null\.$/,
    ],
    ['paper, sft', { sft_loss_coef: 0.1 }, /^sft_loss_coef: expected 0 with objective "paper", got 0\.1\.$/],
    [
      'authors, full',
      { objective: 'authors', entropy_estimator: 'full' },
      /^entropy_estimator: expected "sampled"/,
    ],
    ['not an object', [1], /^settings: expected an object of names and values, got \[1\]\.$/],
    ['null settings', null, /^settings: expected an object/],
  ];
  it.each(cases)('%s', (_, input, message) => {
    expect(() => parseConfig(input)).toThrow(UserError);
    expect(messageOf(() => parseConfig(input))).toMatch(message);
  });

  it('are all told at once', () => {
    const message = messageOf(() => parseConfig({ beta: -1, foo: 1, mask_ratio: 2 }));
    for (const name of ['beta', 'foo', 'mask_ratio']) expect(message).toContain(`\n- ${name}: `);
  });

  it('spare an unsupported setting at its default, with a note', () => {
    const config = parseConfig({ use_vllm: false, bf16: null, vllm_server_port: 8000 });
    expect(config.warnings.map((warning) => warning.split(':')[0])).toEqual([
      'use_vllm',
      'bf16',
      'vllm_server_port',
    ]);
    expect('use_vllm' in config).toBe(false);
  });

  it('are warnings where a setting does nothing', () => {
    expect(parseConfig({ mask_ratio: 0 }).warnings).toEqual([expect.stringMatching(/^mask_ratio: 0 leaves/)]);
    expect(parseConfig({ mask_type: 'grid' }).warnings).toEqual([
      expect.stringMatching(/^mask_type: "grid"/),
    ]);
    expect(parseConfig({ objective: 'trl', num_iterations: 2 }).warnings).toHaveLength(1);
  });

  it('come from the schema too', () => {
    expect(PAPOConfig.safeParse({ nonsense: 1 }).success).toBe(false);
    expect(PAPOConfig.safeParse({ beta: -1 }).success).toBe(false);
    expect(PAPOConfig.parse({}).num_generations).toBe(8);
  });
});

describe('every case of the golden numbers can be written as settings', () => {
  type Raw = Record<string, number | string | boolean | null>;
  interface File {
    cases: { name: string; settings: Raw }[];
  }
  const accept = (input: Record<string, unknown>): ReturnType<typeof parseConfig> =>
    parseConfig({ num_generations: 4, per_device_train_batch_size: 4, ...input });

  it.each(readFixture<File>('papo/paper_papo_loss.json').cases)('paper: $name', ({ settings }) => {
    const { gamma, eta1, eta2, kl_estimator, entropy_mode, masked_branch_grad, perception_clip, ...rest } =
      settings;
    // Given to the loss with the data, not set by the user.
    const { num_items_in_batch, use_old_logps, ...named } = rest;
    const config = accept({
      ...named,
      objective: 'paper',
      perception_loss_weight: gamma,
      der_loss_weight1: eta1,
      der_loss_weight2: eta2,
      perception_kl: kl_estimator === 'full' ? 'exact' : kl_estimator,
      entropy_estimator: entropy_mode,
      detach_masked_branch: !masked_branch_grad,
      perception_kl_clip: perception_clip,
    });
    expect(config.beta).toBe(settings.beta);
  });

  it.each(readFixture<File>('papo/trl_papo_loss.json').cases)('trl: $name', ({ settings }) => {
    const { num_items_in_batch, use_old_logps, ...named } = settings;
    expect(accept({ objective: 'trl', ...named }).entropy_coef).toBe(settings.entropy_coef);
  });

  it.each(readFixture<File>('papo/authors_papo_loss.json').cases)('authors: $name', ({ settings: s }) => {
    const penalties: Raw = { low_var_kl: 'k3', kl: 'k1', mse: 'k2' };
    const micro = Number(s.micro_batch_size);
    const config = accept({
      objective: 'authors',
      per_device_train_batch_size: micro,
      gradient_accumulation_steps: 4 / micro,
      loss_avg_mode: s.loss_avg_mode,
      epsilon: s.clip_ratio_low,
      epsilon_high: s.clip_ratio_high,
      dual_clip: s.clip_ratio_dual,
      beta: s.use_kl_loss ? s.kl_coef : 0,
      perception_loss_weight: s.use_kl_prcp ? s.kl_prcp_coef : 0,
      perception_kl: penalties[String(s.kl_prcp_penalty)],
      der_loss_weight1: s.use_ori_entropy_loss ? s.ori_entropy_loss_coef : 0,
      der_loss_weight2: s.use_aug_entropy_loss ? s.aug_entropy_loss_coef : 0,
      perception_kl_clip: s.use_kl_prcp_clipping ? s.kl_prcp_clipping : null,
      perception_top_p: s.use_kl_prcp_token_level_mask ? s.kl_prcp_token_level_mask_top_p : null,
      sft_loss_coef: s.use_sft_loss ? s.sft_loss_coef : 0,
      detach_masked_branch: !s.recompute_aug_log_probs,
      kl_prcp_annealing_ratio: s.annealed_kl_prcp_coef === null ? null : 1,
      temperature: s.temperature,
    });
    const annealed = annealingDiscount(config, 5, 10) * config.perception_loss_weight;
    if (s.annealed_kl_prcp_coef !== null) expect(annealed).toBeCloseTo(Number(s.annealed_kl_prcp_coef), 14);
    else expect(annealed).toBe(config.perception_loss_weight);
  });
});
