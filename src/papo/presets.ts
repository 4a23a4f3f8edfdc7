// Named sets of settings. A preset goes over the defaults, and what the user gives goes over the preset.

import type { Settings } from './settings.ts';

export interface Preset {
  settings: Partial<Settings>;
  /** One sentence: where the numbers come from. */
  source: string;
}

// What the paper trains with beside Table 6 (its appendix and the authors' yaml). It rolls out 384 prompts and
// updates on 128 of them at a time; here both are a sixteenth, which keeps its three updates a rollout. Completions
// keep TRL's limit of 256 tokens instead of 2,048.
const paperTraining: Partial<Settings> = {
  objective: 'paper',
  num_generations: 5,
  per_device_train_batch_size: 40,
  gradient_accumulation_steps: 1,
  steps_per_generation: 3,
  learning_rate: 1e-6,
  lr_scheduler_type: 'constant',
  weight_decay: 0.01,
  max_grad_norm: 1,
  temperature: 1,
  top_p: 0.99,
  num_train_epochs: 2,
};

const withoutPapo: Partial<Settings> = {
  perception_loss_weight: 0,
  der_loss_weight1: 0,
  der_loss_weight2: 0,
};

const grpoClip: Partial<Settings> = { loss_type: 'grpo', beta: 0.01, epsilon: 0.2, epsilon_high: 0.3 };
const dapoClip: Partial<Settings> = {
  loss_type: 'dapo',
  beta: 0,
  epsilon: 0.2,
  epsilon_high: 0.28,
  dynamic_sampling: true,
  max_resample_attempts: 20,
};
const paperMask: Partial<Settings> = { mask_type: 'patch_black', mask_patch_size: 14, mask_ratio: 0.6 };

export const PRESETS = {
  grpo: {
    settings: { ...paperTraining, ...grpoClip, ...withoutPapo },
    source: "The paper's GRPO baseline (arXiv 2507.06448, Table 6), batches a sixteenth of the paper's.",
  },
  dapo: {
    settings: { ...paperTraining, ...dapoClip, ...withoutPapo },
    source: "The paper's DAPO baseline (arXiv 2507.06448, Table 6), batches a sixteenth of the paper's.",
  },
  'papo-g-3b': {
    settings: {
      ...paperTraining,
      ...grpoClip,
      ...paperMask,
      perception_loss_weight: 0.02,
      der_loss_weight1: 0,
      der_loss_weight2: 0,
    },
    source: "PAPO_G on the 3B model (arXiv 2507.06448, Table 6), batches a sixteenth of the paper's.",
  },
  'papo-g-7b': {
    settings: {
      ...paperTraining,
      ...grpoClip,
      ...paperMask,
      perception_loss_weight: 0.02,
      der_loss_weight1: 0.05,
      der_loss_weight2: 0.05,
    },
    source: "PAPO_G on the 7B model (arXiv 2507.06448, Table 6), batches a sixteenth of the paper's.",
  },
  'papo-d': {
    settings: {
      ...paperTraining,
      ...dapoClip,
      ...paperMask,
      perception_loss_weight: 0.01,
      der_loss_weight1: 0.03,
      der_loss_weight2: 0.03,
    },
    source: "PAPO_D on the 3B and 7B models (arXiv 2507.06448, Table 6), batches a sixteenth of the paper's.",
  },
  'trl-defaults': {
    settings: { objective: 'trl' },
    source: "Every default of TRL's PAPOConfig at 2d4da7103, the last commit that had it.",
  },
  'papo-nano': {
    settings: {
      objective: 'paper',
      loss_type: 'grpo',
      beta: 0,
      scale_rewards: 'group',
      perception_loss_weight: 0.005,
      der_loss_weight1: 0.03,
      der_loss_weight2: 0.03,
      mask_type: 'patch_black',
      mask_patch_size: 16,
      mask_ratio: 0.6,
      num_generations: 8,
      per_device_train_batch_size: 128,
      gradient_accumulation_steps: 1,
      max_completion_length: 14,
      temperature: 1,
      learning_rate: 3e-4,
      lr_scheduler_type: 'constant_with_warmup',
      warmup_steps: 0,
      max_steps: 80,
      eval_steps: 20,
      num_eval_samples: 256,
      logging_steps: 1,
      save_steps: 10,
      save_total_limit: 3,
      freeze_vision_tower: true,
    },
    source:
      'Ours, for the built-in model: sixteen prompts a step, and a gentle γ because its KL per token is large.',
  },
  'smolvlm-lora': {
    settings: {
      objective: 'paper',
      loss_type: 'grpo',
      beta: 0.01,
      ...paperMask,
      perception_loss_weight: 0.01,
      der_loss_weight1: 0.03,
      der_loss_weight2: 0.03,
      num_generations: 4,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 4,
      format_prompt: 'papo',
      max_completion_length: 128,
      temperature: 1,
      top_p: 0.99,
      use_peft: true,
      // Passes are compiled for a prompt's length: fewer lengths, fewer compilations.
      pad_to_multiple_of: 32,
      lora_r: 8,
      lora_alpha: 16,
      learning_rate: 1e-5,
      lr_scheduler_type: 'constant_with_warmup',
      warmup_steps: 0,
      weight_decay: 0.01,
      max_grad_norm: 1,
      max_steps: 100,
      logging_steps: 1,
      save_steps: 10,
      save_total_limit: 3,
    },
    source:
      "Ours, for SmolVLM-256M and 500M on a laptop's GPU: the paper's prompt, mask and clipping, LoRA on the decoder, one prompt a micro-step.",
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

/** The preset of that name, or undefined. */
export function findPreset(name: string): Preset | undefined {
  return Object.hasOwn(PRESETS, name) ? PRESETS[name as PresetName] : undefined;
}
