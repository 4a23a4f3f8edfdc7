// From what the user gave to settings that fit together, or to one error that names every field that does not.

import { z } from 'zod';
import { UserError } from '../errors.ts';
import { findPreset, PRESET_NAMES } from './presets.ts';
import { SETTING_NAMES, SETTINGS, type SettingName, type Settings } from './settings.ts';
import { unsupportedSetting } from './unsupported.ts';

export type { MaskType, SettingDescription, SettingGroup, SettingName, Settings } from './settings.ts';
export { describeSetting, SETTING_NAMES, SETTINGS } from './settings.ts';

type Shape = { [K in SettingName]: z.ZodDefault<z.ZodType<Settings[K]>> };

/** Every setting with its default; unknown names are refused. It checks fields one by one, not together. */
export const PAPOConfig = z.strictObject(
  // Object.fromEntries loses the keys; the table has exactly these.
  Object.fromEntries(
    SETTING_NAMES.map((name) => [name, (SETTINGS[name].schema as z.ZodType).default(SETTINGS[name].default)]),
  ) as unknown as Shape,
);
export type PAPOConfig = Settings;

/** Settings that fit together, with what follows from them filled in. */
export interface ResolvedConfig extends Settings {
  steps_per_generation: number;
  generation_batch_size: number;
  epsilon_high: number;
  /** Sentences on settings that are legal but do nothing, or not what one may think. */
  readonly warnings: readonly string[];
}

// What differs from the table's defaults under an objective: each codebase's own constants.
const objectiveDefaults: Record<Settings['objective'], Partial<Settings>> = {
  paper: {},
  trl: { mask_type: 'random', perception_kl_clip: 0.2 },
  authors: {
    entropy_estimator: 'sampled',
    detach_masked_branch: true,
    dual_clip: 3,
    advantage_epsilon: 1e-6,
  },
};

// What an objective has no formula for: the field must keep one of these values under it.
const objectiveAllows: Record<Settings['objective'], { [K in SettingName]?: readonly Settings[K][] }> = {
  paper: {
    perception_kl: ['k3', 'exact', 'k3_paper_literal'],
    entropy_coef: [0],
    loss_avg_mode: ['token'],
    sft_loss_coef: [0],
  },
  trl: {
    perception_kl: ['k3'],
    perception_kl_clip: [0.2],
    perception_top_p: [null],
    entropy_estimator: ['full'],
    detach_masked_branch: [false],
    dual_clip: [null],
    advantage_epsilon: [1e-4],
    loss_avg_mode: ['token'],
    sft_loss_coef: [0],
  },
  authors: {
    perception_kl: ['k3', 'k1', 'k2'],
    entropy_estimator: ['sampled'],
    entropy_coef: [0],
    delta: [null],
    importance_sampling_level: ['token'],
    top_entropy_quantile: [1],
  },
};

const show = (value: unknown): string => JSON.stringify(value) ?? String(value);

/** Edits (insert, delete, replace) between two names. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

function didYouMean(name: string, known: readonly string[]): string {
  const normal = (word: string): string => word.toLowerCase().replaceAll('-', '_');
  let best = '';
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(normal(name), normal(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === '' ? '' : ` Did you mean "${best}"?`;
}

/** Checks each given field alone. */
function readFields(
  input: Record<string, unknown>,
  problems: string[],
  warnings: string[],
): Partial<Settings> {
  const given: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(input)) {
    if (raw === undefined) continue;
    if (!Object.hasOwn(SETTINGS, name)) {
      const trl = unsupportedSetting(name);
      if (!trl) problems.push(`${name}: there is no such setting.${didYouMean(name, SETTING_NAMES)}`);
      else if (show(raw) === show(trl.default))
        warnings.push(`${name}: ignored (TRL's setting; ${trl.reason}).`);
      else
        problems.push(
          `${name}: TRL's setting is not supported here, because ${trl.reason}; got ${show(raw)}, leave it out.`,
        );
      continue;
    }
    // TRL writes booleans here too (GRPOConfig.__post_init__).
    const value = name === 'scale_rewards' && typeof raw === 'boolean' ? (raw ? 'group' : 'none') : raw;
    const { schema, range } = SETTINGS[name as SettingName];
    if (schema.safeParse(value).success) given[name] = value;
    else problems.push(`${name}: expected ${range}, got ${show(raw)}.`);
  }
  return given as Partial<Settings>;
}

function checkObjective(config: Settings, problems: string[]): void {
  const allowed: Partial<Record<SettingName, readonly unknown[]>> = objectiveAllows[config.objective];
  for (const [name, values] of Object.entries(allowed) as [SettingName, readonly unknown[]][]) {
    if (values.includes(config[name])) continue;
    problems.push(
      `${name}: expected ${values.map(show).join(' or ')} with objective "${config.objective}", got ${show(config[name])}.`,
    );
  }
}

/** TRL's checks on batches (GRPOConfig.__post_init__); returns [steps_per_generation, generation_batch_size]. */
function resolveBatches(config: Settings, problems: string[]): [number, number] {
  const size = config.per_device_train_batch_size;
  let steps = config.steps_per_generation ?? config.gradient_accumulation_steps;
  if (config.generation_batch_size !== null) {
    if (config.steps_per_generation !== null) {
      problems.push(
        `generation_batch_size: expected null when steps_per_generation is given (${steps}), got ${config.generation_batch_size}.`,
      );
    } else if (config.generation_batch_size % size !== 0) {
      problems.push(
        `generation_batch_size: expected a multiple of per_device_train_batch_size (${size}), got ${config.generation_batch_size}.`,
      );
    } else steps = config.generation_batch_size / size;
  }
  const total = size * steps;
  if (total % config.num_generations !== 0) {
    problems.push(
      `num_generations: expected a divisor of the generation batch (per_device_train_batch_size ${size} × steps_per_generation ${steps} = ${total}), got ${config.num_generations}.`,
    );
  }
  return [steps, total];
}

function checkTogether(config: Settings, epsilonHigh: number, problems: string[], warnings: string[]): void {
  if (config.delta !== null && config.delta <= 1 + epsilonHigh) {
    problems.push(
      `delta: expected more than 1 + epsilon_high = ${1 + epsilonHigh} (below it the upper clip never acts), got ${config.delta}.`,
    );
  }
  if (config.mask_type === 'grid' && config.mask_ratio === 0) {
    problems.push(
      'mask_ratio: expected more than 0 with mask_type "grid" (a cell has the area mask_ratio), got 0.',
    );
  }
  if (config.adam_beta1 === 0 && config.adam_beta2 === 0)
    warnings.push('adam_beta1, adam_beta2: both 0, AdamW becomes sign descent.');
  const usesMask = config.perception_loss_weight > 0 || config.der_loss_weight2 > 0;
  if (config.perception_loss_weight > 0 && config.mask_ratio === 0) {
    warnings.push(
      'mask_ratio: 0 leaves the image whole, so the perception KL is 0 and perception_loss_weight does nothing.',
    );
  }
  if (config.kl_prcp_annealing_ratio !== null && config.perception_loss_weight === 0) {
    problems.push(
      'kl_prcp_annealing_ratio: expected null when perception_loss_weight is 0 (the discount is relative to it), got ' +
        `${config.kl_prcp_annealing_ratio}.`,
    );
  }
  if (config.kl_prcp_annealing_ratio === null && config.kl_prcp_annealing_start !== null) {
    problems.push(
      `kl_prcp_annealing_start: expected null when kl_prcp_annealing_ratio is null, got ${config.kl_prcp_annealing_start}.`,
    );
  }
  if (usesMask && config.mask_type === 'grid' && config.mask_ratio > 0.25) {
    warnings.push(
      'mask_type: "grid" has a single cell when mask_ratio is above 0.25: the whole image vanishes or none of it.',
    );
  }
  if (config.objective === 'trl' && config.num_iterations > 1) {
    warnings.push(
      "num_iterations: above 1 TRL's PAPO masks images that are already masked; that fault is not repeated here.",
    );
  }
  if (config.objective === 'authors' && config.detach_masked_branch && config.der_loss_weight2 > 0) {
    warnings.push(
      "der_loss_weight2: has no gradient while detach_masked_branch is true, as in the authors' code.",
    );
  }
  if (config.loss_type === 'dapo' && config.objective === 'trl' && config.dynamic_sampling) {
    warnings.push('dynamic_sampling: TRL has none; the run is no longer what TRL would do.');
  }
}

/** Throws with one line a problem. */
function refuse(problems: readonly string[]): never {
  throw new UserError(
    problems.length === 1 ? problems[0] : `Settings that cannot be used:\n- ${problems.join('\n- ')}`,
  );
}

/**
 * Settings that fit together. The table's defaults come first, then the objective's own, then the preset, then
 * `input`. Throws a UserError that names every field that is unknown, out of range or at odds with another, with
 * what was given and what was expected. TRL's settings that are not supported are refused unless they hold TRL's
 * default.
 */
export function parseConfig(input: unknown, preset?: string): ResolvedConfig {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) {
    throw new UserError(`settings: expected an object of names and values, got ${show(input)}.`);
  }
  const found = preset === undefined ? undefined : findPreset(preset);
  if (preset !== undefined && !found) {
    throw new UserError(
      `preset: expected one of ${PRESET_NAMES.join(', ')}, got ${show(preset)}.${didYouMean(preset, PRESET_NAMES)}`,
    );
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  const given = readFields(input as Record<string, unknown>, problems, warnings);
  if (problems.length > 0) refuse(problems);

  const base = { ...found?.settings };
  // The two spell the same thing, so a user's choice of one replaces the preset's choice of the other.
  if (given.generation_batch_size != null) delete base.steps_per_generation;
  if (given.steps_per_generation != null) delete base.generation_batch_size;
  const objective = given.objective ?? base.objective ?? SETTINGS.objective.default;
  const config = PAPOConfig.parse({ ...objectiveDefaults[objective], ...base, ...given }) as Settings;

  const epsilonHigh = config.epsilon_high ?? config.epsilon;
  checkObjective(config, problems);
  const [steps, total] = resolveBatches(config, problems);
  checkTogether(config, epsilonHigh, problems, warnings);
  if (problems.length > 0) refuse(problems);
  return {
    ...config,
    steps_per_generation: steps,
    generation_batch_size: total,
    epsilon_high: epsilonHigh,
    warnings,
  };
}

/** The settings alone, as parseConfig takes them back: for a checkpoint or a file. */
export function configToJson(config: ResolvedConfig): Settings {
  const { warnings: _, ...settings } = config;
  return { ...settings, generation_batch_size: null };
}
