/** What the lesson sets on the page. Small batches, so that a run takes half a minute on two slow cores. */
import type { Form } from '../state.ts';
import { text } from '../text.ts';

const { runNames } = text.lesson;

const small = {
  per_device_train_batch_size: '64',
  max_steps: '40',
  num_eval_samples: '256',
  eval_steps: '20',
};

/** A black picture as the second view brings the collapse sooner, as the paper found too. */
const tooHigh = { ...small, mask_ratio: '1', max_steps: '50', eval_steps: '25' };

const weights = (gamma: string, eta: string) => ({
  perception_loss_weight: gamma,
  der_loss_weight1: eta,
  der_loss_weight2: eta,
});

export const recipes = {
  group: { ...small, run_name: runNames.group },
  /** The whole picture black. */
  blind: { ...small, mask_ratio: '1', run_name: runNames.blind },
  papo: { ...small, ...weights('0.005', '0.03'), run_name: runNames.papo },
  hacked: { ...tooHigh, ...weights('0.3', '0'), run_name: runNames.hacked },
  mended: { ...tooHigh, ...weights('0.3', '0.6'), run_name: runNames.mended },
  /** One LoRA update of a real model: one prompt, answers that are soon written. */
  real: {
    num_generations: '4',
    per_device_train_batch_size: '4',
    gradient_accumulation_steps: '1',
    max_completion_length: '32',
    max_steps: '1',
    num_eval_samples: '4',
    eval_steps: '1',
    run_name: runNames.real,
  },
} as const;

/** The paper's mask, on the patches of papo-nano. */
export const paperMask = { mask_type: 'patch_black', mask_ratio: 0.6, mask_patch_size: 16 } as const;

export type Recipe = keyof typeof recipes;

/** The part of the form that the lesson changes, and gives back. */
export type LessonForm = Pick<Form, 'preset' | 'task' | 'dataset' | 'rewards' | 'codeIsOn' | 'settings'>;

export const lessonForm = ({ preset, task, dataset, rewards, codeIsOn, settings }: Form): LessonForm => ({
  preset,
  task,
  dataset,
  rewards,
  codeIsOn,
  settings,
});

export const formOf = (recipe: Recipe): LessonForm => ({
  preset: recipe === 'real' ? 'smolvlm-lora' : 'papo-nano',
  task: 'shapes',
  dataset: undefined,
  rewards: ['boxed_answer'],
  codeIsOn: false,
  settings: recipes[recipe],
});
