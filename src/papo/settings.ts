// Every setting in one table: schema, default, range and meaning. The names, defaults and ranges are TRL's
// (trl/experimental/papo/papo_config.py, trl/trainer/grpo_config.py at 2d4da7103, transformers'
// TrainingArguments) unless the entry says "ours"; an "ours" entry is one TRL has no setting for.

import { z } from 'zod';
import { FINDINGS, type Finding } from './findings.ts';

export type SettingGroup = 'PAPO' | 'rollout' | 'optimisation' | 'LoRA' | 'run';

/** What a value must be, and the same said in words ("a number from 0 to 1"). */
interface Kind<T> {
  schema: z.ZodType<T>;
  range: string;
}

interface Setting<T> extends Kind<T> {
  default: T;
  group: SettingGroup;
  meaning: string;
}

interface Bounds {
  min?: number;
  max?: number;
  above?: number;
  below?: number;
}

function boundsInWords(noun: string, { min, max, above, below }: Bounds): string {
  const parts: string[] = [];
  if (min !== undefined) parts.push(`at least ${min}`);
  if (above !== undefined) parts.push(`above ${above}`);
  if (max !== undefined) parts.push(`at most ${max}`);
  if (below !== undefined) parts.push(`below ${below}`);
  return parts.length > 0 ? `${noun}, ${parts.join(' and ')}` : noun;
}

function bounded(schema: z.ZodNumber, { min, max, above, below }: Bounds): z.ZodNumber {
  let out = schema;
  if (min !== undefined) out = out.gte(min);
  if (max !== undefined) out = out.lte(max);
  if (above !== undefined) out = out.gt(above);
  if (below !== undefined) out = out.lt(below);
  return out;
}

const real = (bounds: Bounds = {}): Kind<number> => ({
  schema: bounded(z.number(), bounds),
  range: boundsInWords('a number', bounds),
});
const whole = (bounds: Bounds = {}): Kind<number> => ({
  schema: bounded(z.int(), bounds),
  range: boundsInWords('a whole number', bounds),
});
const flag: Kind<boolean> = { schema: z.boolean(), range: 'true or false' };
const text: Kind<string> = { schema: z.string().min(1), range: 'a text' };
const choice = <const T extends string>(...options: T[]): Kind<T> => ({
  schema: z.enum(options) as unknown as z.ZodType<T>,
  range: `one of ${options.map((option) => `"${option}"`).join(', ')}`,
});
const orNull = <T>(kind: Kind<T>): Kind<T | null> => ({
  schema: kind.schema.nullable(),
  range: `${kind.range}, or null`,
});

function setting<T>(group: SettingGroup, kind: Kind<T>, value: NoInfer<T>, meaning: string): Setting<T> {
  return { ...kind, default: value, group, meaning };
}

const weight = real({ min: 0 });

export const SETTINGS = {
  // The objective.
  objective: setting(
    'PAPO',
    choice('paper', 'trl', 'authors'),
    'paper',
    "Whose loss is computed: the paper's equations, or one of the two public codebases number for number (ours).",
  ),
  perception_loss_weight: setting(
    'PAPO',
    weight,
    0.1,
    'γ, the weight of the perception KL, which is maximised: how far the answer depends on the image.',
  ),
  mask_ratio: setting(
    'PAPO',
    real({ min: 0, max: 1 }),
    0.3,
    'How much of the image the masked view loses (a probability per patch, pixel or cell, or a share of the area).',
  ),
  mask_type: setting(
    'PAPO',
    choice('patch_black', 'random', 'patch', 'grid', 'semantic'),
    'patch_black',
    "How the image is masked: the paper's grid of blackened patches (our default), TRL's single values, one rectangle or grid cells, or the paper's most salient patches.",
  ),
  mask_patch_size: setting(
    'PAPO',
    whole({ min: 1 }),
    14,
    'Side of a patch for mask_type patch_black, in pixels of the picture as the model gets it, 512 a side with SmolVLM (ours; 14 in the paper).',
  ),
  der_loss_weight1: setting(
    'PAPO',
    weight,
    0.03,
    'η1, the weight of the entropy on the original image, which is lowered.',
  ),
  der_loss_weight2: setting(
    'PAPO',
    weight,
    0.03,
    'η2, the weight of the entropy on the masked image, which is lowered.',
  ),
  perception_kl: setting(
    'PAPO',
    choice('k3', 'exact', 'k3_paper_literal', 'k1', 'k2'),
    'k3',
    'Estimator of the perception KL: k3 on the sampled token, exact over the vocabulary, k3 as the paper prints it, or the authors\' "kl" (k1) and "mse" (k2) (ours).',
  ),
  perception_kl_clip: setting(
    'PAPO',
    orNull(real({ above: 0 })),
    null,
    "Each token's perception KL is clamped to [0, this]; null = not clamped. TRL always clamps at 0.2, the authors optionally (ours).",
  ),
  perception_top_p: setting(
    'PAPO',
    orNull(real({ above: 0, below: 1 })),
    null,
    "Keep the perception KL of this share of a completion's tokens, the highest ones; null = all (ours, the authors' kl_prcp_token_level_mask_top_p).",
  ),
  entropy_estimator: setting(
    'PAPO',
    choice('full', 'sampled'),
    'full',
    'Entropies over the whole vocabulary, or −log p of the sampled token (ours; the authors sample).',
  ),
  detach_masked_branch: setting(
    'PAPO',
    flag,
    false,
    "No gradient through the masked view (ours; the authors' default, recompute_aug_log_probs false).",
  ),
  entropy_coef: setting(
    'PAPO',
    weight,
    0,
    "With objective trl only: anything but 0 switches on the gradient of the two entropies, as TRL does; TRL's PAPO never adds the bonus itself.",
  ),
  kl_prcp_annealing_start: setting(
    'PAPO',
    orNull(weight),
    null,
    'γ at the first step when annealing; null = perception_loss_weight (ours, from the authors).',
  ),
  kl_prcp_annealing_end: setting('PAPO', weight, 0, 'γ when annealing is over (ours, from the authors).'),
  kl_prcp_annealing_ratio: setting(
    'PAPO',
    orNull(real({ above: 0, max: 1 })),
    null,
    'Share of all steps over which γ goes linearly from start to end, both entropy weights in proportion; null = no annealing (ours, from the authors).',
  ),
  loss_avg_mode: setting(
    'PAPO',
    choice('token', 'seq'),
    'token',
    'With objective authors only: mean over the tokens of a micro-batch, or over completions of their token means (ours, from the authors).',
  ),
  sft_loss_coef: setting(
    'PAPO',
    weight,
    0,
    'With objective authors only: weight of a likelihood term on correct completions; 0 = off (ours, from the authors).',
  ),
  freeze_vision_tower: setting('PAPO', flag, false, 'Leave the vision tower as it is (ours).'),

  // The policy term.
  loss_type: setting(
    'PAPO',
    choice('grpo', 'dapo'),
    'dapo',
    'Mean over completions of their token means (grpo, PAPO_G), or over all tokens of an update (dapo, PAPO_D).',
  ),
  beta: setting('PAPO', weight, 0, 'Weight of the KL to the reference policy; 0 = no reference.'),
  epsilon: setting(
    'PAPO',
    real({ min: 0, below: 1 }),
    0.2,
    'Lower clip: the ratio is clipped at 1 − epsilon.',
  ),
  epsilon_high: setting(
    'PAPO',
    orNull(weight),
    null,
    'Upper clip: the ratio is clipped at 1 + epsilon_high; null = epsilon.',
  ),
  delta: setting(
    'PAPO',
    orNull(real({ above: 0 })),
    null,
    'Two-sided clip: an upper bound on the unclipped ratio; null = off.',
  ),
  dual_clip: setting(
    'PAPO',
    orNull(real({ above: 1 })),
    null,
    "For negative advantages the policy term is bounded by this times the advantage; null = off (ours; the authors' 3.0).",
  ),
  importance_sampling_level: setting(
    'PAPO',
    choice('token', 'sequence'),
    'token',
    'One ratio a token, or one a completion (GSPO).',
  ),
  top_entropy_quantile: setting(
    'PAPO',
    real({ min: 0, max: 1 }),
    1,
    'Keep this share of tokens, those of highest entropy, in the policy term.',
  ),
  mask_truncated_completions: setting(
    'PAPO',
    flag,
    false,
    'Leave completions without an end token out of the loss.',
  ),

  // Rewards and advantages.
  reward_weights: setting(
    'PAPO',
    orNull({ schema: z.array(z.number()).min(1), range: 'a list of numbers' }),
    null,
    'A weight for each reward function; null = 1 each.',
  ),
  multi_objective_aggregation: setting(
    'PAPO',
    choice('sum_then_normalize', 'normalize_then_sum'),
    'sum_then_normalize',
    'Sum the weighted rewards and normalise, or normalise each reward in its group and then sum.',
  ),
  scale_rewards: setting(
    'PAPO',
    choice('group', 'batch', 'none'),
    'group',
    'Divide advantages by the standard deviation of the group, of the batch, or not at all. TRL also writes true (group) and false (none).',
  ),
  advantage_epsilon: setting(
    'PAPO',
    real({ min: 0 }),
    1e-4,
    "Added to the standard deviation before dividing (ours; TRL's constant 1e-4, the authors' 1e-6).",
  ),
  dynamic_sampling: setting(
    'PAPO',
    flag,
    false,
    'DAPO: draw other prompts in place of groups whose rewards are all alike (ours).',
  ),
  max_resample_attempts: setting(
    'PAPO',
    whole({ min: 0 }),
    20,
    'How often dynamic sampling draws again before it takes what it has (ours; the paper says 20).',
  ),

  // Rollouts.
  format_prompt: setting(
    'rollout',
    choice('none', 'papo'),
    'none',
    "What is put behind each question: nothing, or the authors' instruction to think in <think> and to answer in \\boxed{} (ours; the authors' data.format_prompt, math_perception.jinja).",
  ),
  num_generations: setting('rollout', whole({ min: 2 }), 8, 'G, the completions drawn for a prompt.'),
  max_completion_length: setting('rollout', whole({ min: 1 }), 256, 'The most tokens a completion may have.'),
  temperature: setting(
    'rollout',
    real({ above: 0 }),
    1,
    'Sampling temperature; the logits of both views are divided by it in the loss too.',
  ),
  top_p: setting(
    'rollout',
    real({ above: 0, max: 1 }),
    1,
    'Nucleus sampling: the likeliest tokens that make up this probability; 1 = off.',
  ),
  top_k: setting('rollout', whole({ min: 0 }), 0, 'Sample from the k likeliest tokens; 0 = off.'),
  min_p: setting(
    'rollout',
    orNull(real({ min: 0, max: 1 })),
    null,
    'Sample tokens at least this likely relative to the likeliest; null = off.',
  ),
  shuffle_dataset: setting('rollout', flag, true, 'Take the prompts in a random order.'),
  pad_to_multiple_of: setting(
    'rollout',
    orNull(whole({ min: 1 })),
    null,
    'Pad prompts and completions to a multiple of this, which keeps shapes few.',
  ),
  steps_per_generation: setting(
    'rollout',
    orNull(whole({ min: 1 })),
    null,
    'Micro-steps fed by one generation batch; null = gradient_accumulation_steps.',
  ),
  generation_batch_size: setting(
    'rollout',
    orNull(whole({ min: 1 })),
    null,
    'Completions generated at once; null = per_device_train_batch_size × steps_per_generation.',
  ),
  num_iterations: setting(
    'rollout',
    whole({ min: 1 }),
    1,
    'μ, passes of optimisation over each generation batch.',
  ),

  // Optimisation.
  learning_rate: setting('optimisation', weight, 1e-6, "AdamW's step size at the top of the schedule."),
  lr_scheduler_type: setting(
    'optimisation',
    choice('linear', 'cosine', 'constant', 'constant_with_warmup'),
    'linear',
    'How the learning rate goes over the run; "constant" has no warm-up.',
  ),
  warmup_steps: setting(
    'optimisation',
    real({ min: 0 }),
    0,
    'Steps of warm-up; below 1 a share of all steps.',
  ),
  per_device_train_batch_size: setting('optimisation', whole({ min: 1 }), 8, 'Completions in a micro-step.'),
  gradient_accumulation_steps: setting(
    'optimisation',
    whole({ min: 1 }),
    1,
    'Micro-steps in one update of the weights.',
  ),
  weight_decay: setting('optimisation', weight, 0, 'Decoupled weight decay.'),
  adam_beta1: setting(
    'optimisation',
    real({ min: 0, below: 1 }),
    0.9,
    "AdamW's decay of the gradient's mean.",
  ),
  adam_beta2: setting(
    'optimisation',
    real({ min: 0, below: 1 }),
    0.999,
    "AdamW's decay of the gradient's square.",
  ),
  adam_epsilon: setting('optimisation', real({ above: 0 }), 1e-8, "AdamW's epsilon."),
  max_grad_norm: setting(
    'optimisation',
    weight,
    1,
    "The gradient's global norm is clipped at this; 0 = not.",
  ),
  gradient_checkpointing: setting(
    'optimisation',
    orNull(flag),
    null,
    'Compute the activations of each layer again in the backward pass instead of keeping them: less memory, more time. null = where the memory plan needs it.',
  ),
  optim: setting(
    'optimisation',
    choice('adamw_torch', 'adamw_torch_fused'),
    'adamw_torch',
    'The optimiser: AdamW; both names mean the same here.',
  ),

  // LoRA: TRL's ModelConfig and peft.LoraConfig.
  use_peft: setting(
    'LoRA',
    flag,
    false,
    'Train low-rank adapters (LoRA) and leave all weights as they are; the model without them is the reference policy.',
  ),
  lora_r: setting('LoRA', whole({ min: 1 }), 16, 'The rank of the adapters.'),
  lora_alpha: setting(
    'LoRA',
    real({ above: 0 }),
    32,
    'Adapters are scaled by lora_alpha / lora_r, or with use_rslora by lora_alpha / √lora_r.',
  ),
  lora_target_modules: setting(
    'LoRA',
    orNull({
      schema: z.union([z.literal('all-linear'), z.array(z.string().min(1)).min(1)]),
      range: '"all-linear" or a list of module names, such as ["q_proj", "v_proj"]',
    }),
    null,
    'The linear modules that get an adapter, by their last names; null or "all-linear" = every one of lora_towers.',
  ),
  lora_towers: setting(
    'LoRA',
    choice('text', 'vision', 'text+vision', 'all'),
    'text',
    'The parts of the model that get adapters: the decoder, the vision tower, both, or the connector too (ours).',
  ),
  use_rslora: setting('LoRA', flag, false, 'Scale by lora_alpha / √lora_r (rank-stabilised LoRA).'),

  // The run.
  max_steps: setting(
    'run',
    { schema: z.int().refine((n) => n === -1 || n >= 1), range: 'a whole number, at least 1, or -1' },
    -1,
    'Updates to run; -1 = as num_train_epochs says.',
  ),
  num_train_epochs: setting('run', real({ above: 0 }), 3, 'Passes over the prompts, where max_steps is -1.'),
  seed: setting('run', whole({ min: 0 }), 42, 'Everything random follows from it.'),
  output_dir: setting('run', orNull(text), null, 'Folder or key for checkpoints.'),
  run_name: setting('run', orNull(text), null, 'A name for the run.'),
  logging_strategy: setting('run', choice('steps', 'epoch', 'no'), 'steps', 'When metrics are logged.'),
  logging_steps: setting(
    'run',
    real({ above: 0 }),
    10,
    'Updates between two logs; below 1 a share of all steps.',
  ),
  logging_first_step: setting('run', flag, false, 'Log the first update too.'),
  log_completions: setting('run', flag, false, 'Show sampled completions.'),
  num_completions_to_print: setting(
    'run',
    orNull(whole({ min: 1 })),
    null,
    'How many completions to show; null = all.',
  ),
  save_strategy: setting('run', choice('steps', 'epoch', 'no'), 'steps', 'When a checkpoint is saved.'),
  save_steps: setting(
    'run',
    real({ above: 0 }),
    500,
    'Updates between two checkpoints; below 1 a share of all steps.',
  ),
  save_total_limit: setting(
    'run',
    orNull(whole({ min: 1 })),
    null,
    'Checkpoints to keep, the last and the best always among them; null = all.',
  ),
  save_only_model: setting(
    'run',
    flag,
    false,
    'Save no optimiser state; such a checkpoint cannot resume a run.',
  ),
  resume_from_checkpoint: setting(
    'run',
    { schema: z.union([z.boolean(), z.string().min(1)]).nullable(), range: 'a text, true or false, or null' },
    null,
    'Go on from this checkpoint, or from the last one (true).',
  ),
  eval_steps: setting(
    'run',
    orNull(whole({ min: 1 })),
    null,
    'Updates between two evaluations on held-out prompts; null = none during training.',
  ),
  max_skipped_updates: setting(
    'run',
    whole({ min: 1 }),
    3,
    'Updates in a row that may be skipped for a loss or gradient that is no finite number before the run pauses (ours).',
  ),
  reward_timeout: setting(
    'run',
    real({ above: 0 }),
    10,
    'Seconds that one call of a reward function may take before its rewards are null (ours).',
  ),
  num_eval_samples: setting('run', whole({ min: 1 }), 256, 'Held-out prompts in an evaluation (ours).'),
  disable_dropout: setting('run', flag, false, 'Accepted and ignored: these models have no dropout.'),
  remove_unused_columns: setting(
    'run',
    { schema: z.literal(false), range: 'false' },
    false,
    'Always false: reward functions may read every column of the data.',
  ),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Settings = { [K in SettingName]: z.infer<(typeof SETTINGS)[K]['schema']> };
export type MaskType = Settings['mask_type'];

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export interface SettingDescription {
  name: SettingName;
  meaning: string;
  range: string;
  default: Settings[SettingName];
  group: SettingGroup;
  /** What the paper found about it, where it says something. */
  finding?: Finding;
}

/** Meaning, range, default, group and the paper's finding of a setting, for the page and the documentation. */
export function describeSetting(name: SettingName): SettingDescription {
  const { meaning, range, group, default: value } = SETTINGS[name];
  return { name, meaning, range, default: value, group, finding: FINDINGS[name] };
}
