/** In which order the settings stand: the groups, and what one reaches for first in each. */
import type { SettingInfo } from '../../worker/protocol.ts';
import { text } from '../text.ts';

const first: Readonly<Record<keyof typeof text.train.groups, readonly string[]>> = {
  PAPO: [
    'perception_loss_weight',
    'der_loss_weight1',
    'der_loss_weight2',
    'mask_type',
    'mask_ratio',
    'mask_patch_size',
    'perception_kl',
    'loss_type',
    'beta',
  ],
  rollout: ['num_generations', 'temperature', 'max_completion_length'],
  optimisation: ['learning_rate', 'per_device_train_batch_size', 'max_grad_norm'],
  LoRA: ['use_peft', 'lora_r', 'lora_alpha', 'lora_target_modules', 'lora_towers'],
  run: ['max_steps', 'eval_steps', 'num_eval_samples', 'save_steps', 'save_total_limit', 'seed'],
};

export interface SettingsGroup {
  readonly title: string;
  readonly first: readonly SettingInfo[];
  readonly more: readonly SettingInfo[];
}

/** Every setting, in its group. */
export function groupsOf(settings: readonly SettingInfo[]): SettingsGroup[] {
  return Object.entries(first).map(([group, names]) => ({
    title: text.train.groups[group as keyof typeof first],
    first: names.flatMap((name) => settings.find((one) => one.name === name) ?? []),
    more: settings.filter((one) => one.group === group && !names.includes(one.name)),
  }));
}

/** The settings that have every word of `query` in their name or meaning; those that are `kept` whatever it is. */
export function matching(
  settings: readonly SettingInfo[],
  query: string,
  kept: (setting: SettingInfo) => boolean,
): SettingInfo[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    const said = `${setting.name} ${setting.meaning}`.toLowerCase();
    return words.every((word) => said.includes(word)) || kept(setting);
  });
}
