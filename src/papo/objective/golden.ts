/**
 * Reads golden files of the loss: tests/fixtures/papo/{paper,trl,authors}_papo_loss.json and any file of that form.
 * `inputs` holds named batches of logits, `cases` settings in one of three vocabularies (the paper's, TRL's or the
 * authors'), each with the loss and the gradients of both branches' logits. null stands for NaN.
 */
import { UserError } from '../../errors.ts';
import type { ObjectiveSettings } from '../objective.ts';
import { SETTINGS, type SettingName } from '../settings.ts';
import { isRecord, numbers, type Raw, show } from './json.ts';
import type { Estimator } from './tokens.ts';

export interface LossInputs {
  B: number;
  T: number;
  V: number;
  /** [B, T, V] before temperature */
  logits: Float64Array;
  logits_masked: Float64Array;
  /** [B, T] */
  completion_ids: Float64Array;
  completion_mask: Float64Array;
  /** [B] */
  advantages: Float64Array;
  /** [B, T] */
  old_per_token_logps?: Float64Array;
  ref_per_token_logps?: Float64Array;
}

export interface LossCase {
  name: string;
  settings: ObjectiveSettings;
  coefficients: Record<
    'perception_loss_weight' | 'der_loss_weight1' | 'der_loss_weight2' | 'annealing_discount' | 'beta',
    number
  >;
  inputs: LossInputs;
  /** Rows that go through the objective at once. */
  microBatch: number;
  temperature: number;
  num_items_in_batch: number;
  expected: { loss: number; gradLogits: Float64Array; gradLogitsMasked: Float64Array };
  /** Settings of the case that nothing here reads. */
  unknownSettings: string[];
  /** The case as it stands in the file: terms, metrics. */
  raw: Raw;
}

/** Whether the parsed JSON means to be such a file. */
export const isLossFile = (json: unknown): boolean =>
  isRecord(json) && isRecord(json.inputs) && Array.isArray(json.cases);

/** Throws a UserError that names the file, the case and the field that is not as it should be. */
export function readLossFile(json: unknown, file: string): LossCase[] {
  if (!isRecord(json) || !isRecord(json.inputs) || !Array.isArray(json.cases))
    throw new UserError(`${file}: expected an object with "inputs" and "cases".`);
  if (json.cases.length === 0) throw new UserError(`${file}: "cases" is empty.`);
  const batches = new Map(
    Object.entries(json.inputs).map(([name, raw]) => [name, readInputs(raw, `${file}: inputs.${name}`)]),
  );
  return json.cases.map((raw: unknown, i) => {
    const name = isRecord(raw) && typeof raw.name === 'string' ? raw.name : `cases[${i}]`;
    const where = `${file}: ${name}`;
    if (!isRecord(raw) || !isRecord(raw.settings))
      throw new UserError(`${where}: expected an object with "settings".`);
    const inputs = batches.get(String(raw.input));
    if (!inputs)
      throw new UserError(`${where}: input ${show(raw.input)} is none of ${[...batches.keys()].join(', ')}.`);
    return readCase(raw, raw.settings, inputs, name, where);
  });
}

function readInputs(raw: unknown, where: string): LossInputs {
  if (!isRecord(raw)) throw new UserError(`${where}: expected an object, got ${show(raw)}.`);
  const logits = numbers(raw.logits, `${where}.logits`, [null, null, null]);
  const [B, T, V] = logits.shape;
  const read = (name: string, shape: number[]): Float64Array =>
    numbers(raw[name], `${where}.${name}`, shape).data;
  const perhaps = (name: string): Float64Array | undefined =>
    raw[name] == null ? undefined : read(name, [B, T]);
  const inputs: LossInputs = {
    B,
    T,
    V,
    logits: logits.data,
    logits_masked: read('logits_masked', [B, T, V]),
    completion_ids: read('completion_ids', [B, T]),
    completion_mask: read('completion_mask', [B, T]),
    advantages: read('advantages', [B]),
    old_per_token_logps: perhaps('old_per_token_logps'),
    ref_per_token_logps: perhaps('ref_per_token_logps'),
  };
  const id = inputs.completion_ids.find((v) => !Number.isInteger(v) || v < 0 || v >= V);
  if (id !== undefined)
    throw new UserError(`${where}.completion_ids: expected whole numbers from 0 to ${V - 1}, got ${id}.`);
  const bit = inputs.completion_mask.find((v) => v !== 0 && v !== 1);
  if (bit !== undefined) throw new UserError(`${where}.completion_mask: expected 0 or 1, got ${bit}.`);
  return inputs;
}

function readCase(raw: Raw, settings: Raw, batch: LossInputs, name: string, where: string): LossCase {
  const { B, T, V } = batch;
  const reader = new SettingsReader(settings, `${where}: settings`);
  const { objective, discount, ref_kl, microBatch } = readVocabulary(reader, B);
  const config = reader.settings(objective);
  const useOld = reader.flag('use_old_logps', batch.old_per_token_logps !== undefined);
  if (useOld && !batch.old_per_token_logps)
    throw new UserError(`${where}: use_old_logps is true, but the input has no old_per_token_logps.`);
  if (config.beta > 0 && !batch.ref_per_token_logps)
    throw new UserError(`${where}: beta is ${config.beta}, but the input has no ref_per_token_logps.`);
  const tokens = batch.completion_mask.reduce((a, b) => a + b, 0);
  const gradient = (field: string): Float64Array => numbers(raw[field], `${where}: ${field}`, [B, T, V]).data;
  return {
    name,
    settings: { ...config, objective, ref_kl },
    coefficients: {
      perception_loss_weight: config.perception_loss_weight,
      der_loss_weight1: config.der_loss_weight1,
      der_loss_weight2: config.der_loss_weight2,
      annealing_discount: discount,
      beta: config.beta,
    },
    inputs: {
      ...batch,
      old_per_token_logps: useOld ? batch.old_per_token_logps : undefined,
      ref_per_token_logps: config.beta > 0 ? batch.ref_per_token_logps : undefined,
    },
    microBatch,
    temperature: reader.number('temperature', 1),
    num_items_in_batch: reader.number('num_items_in_batch', tokens),
    expected: {
      loss: numbers(raw.loss, `${where}: loss`, []).data[0],
      gradLogits: gradient('grad_logits'),
      gradLogitsMasked: gradient('grad_logits_masked'),
    },
    unknownSettings: reader.unread(),
    raw,
  };
}

type Ours = ObjectiveSettings & { beta: number };

/** Reads a case's settings by name, checks each as the user's settings are checked, and knows what was not read. */
class SettingsReader {
  private readonly read = new Set<string>();
  private readonly ours: Raw = {};

  constructor(
    private readonly raw: Raw,
    private readonly where: string,
  ) {}

  has(name: string): boolean {
    return this.raw[name] !== undefined;
  }

  value(name: string): unknown {
    this.read.add(name);
    return this.raw[name];
  }

  fail(name: string, expected: string, value: unknown): never {
    throw new UserError(`${this.where}.${name}: expected ${expected}, got ${show(value)}.`);
  }

  number(name: string, otherwise: number): number {
    const value = this.value(name) ?? otherwise;
    if (typeof value !== 'number' || !(value > 0)) this.fail(name, 'a number above 0', value);
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.value(name) ?? otherwise;
    if (typeof value !== 'boolean') this.fail(name, 'true or false', value);
    return value;
  }

  choice<T>(name: string, options: Record<string, T>, otherwise: string): T {
    const value = this.value(name) ?? otherwise;
    if (typeof value !== 'string' || !Object.hasOwn(options, value))
      this.fail(name, `one of ${Object.keys(options).join(', ')}`, value);
    return options[value];
  }

  /** Our setting `name` from the file's `from`. */
  take(name: SettingName, from: string = name): void {
    if (!this.has(from)) return;
    this.put(name, this.value(from), from);
  }

  put(name: SettingName, value: unknown, from: string = name): void {
    const { schema, range } = SETTINGS[name];
    if (!schema.safeParse(value).success) this.fail(from, range, value);
    this.ours[name] = value;
  }

  /** The same for a value that only the objective knows. */
  putUnchecked(name: SettingName, value: unknown): void {
    this.ours[name] = value;
  }

  settings(objective: Ours['objective']): Ours {
    const defaults = Object.fromEntries(Object.entries(SETTINGS).map(([name, s]) => [name, s.default]));
    const settings = { ...defaults, ...this.ours, objective } as unknown as Ours;
    return { ...settings, epsilon_high: settings.epsilon_high ?? settings.epsilon };
  }

  unread(): string[] {
    return Object.keys(this.raw).filter((name) => !this.read.has(name));
  }
}

interface Vocabulary {
  objective: Ours['objective'];
  discount: number;
  microBatch: number;
  ref_kl?: Estimator;
}

function readVocabulary(reader: SettingsReader, B: number): Vocabulary {
  if (reader.has('clip_ratio_low') || reader.has('kl_prcp_coef')) return readAuthors(reader, B);
  for (const name of [
    'loss_type',
    'beta',
    'epsilon',
    'epsilon_high',
    'delta',
    'importance_sampling_level',
    'top_entropy_quantile',
    'gradient_accumulation_steps',
  ] as const)
    reader.take(name);
  const objective = reader.has('gamma') ? 'paper' : 'trl';
  if (objective === 'paper') readPaper(reader);
  else readTrl(reader);
  return { objective, discount: 1, microBatch: B };
}

function readPaper(reader: SettingsReader): void {
  reader.take('perception_loss_weight', 'gamma');
  reader.take('der_loss_weight1', 'eta1');
  reader.take('der_loss_weight2', 'eta2');
  const estimators = { k3: 'k3', full: 'exact', exact: 'exact', k3_paper_literal: 'k3_paper_literal' };
  reader.put('perception_kl', reader.choice('kl_estimator', estimators, 'k3'));
  reader.take('entropy_estimator', 'entropy_mode');
  reader.put('detach_masked_branch', !reader.flag('masked_branch_grad', true));
  reader.take('perception_kl_clip', 'perception_clip');
}

function readTrl(reader: SettingsReader): void {
  for (const name of [
    'perception_loss_weight',
    'der_loss_weight1',
    'der_loss_weight2',
    'entropy_coef',
  ] as const)
    reader.take(name);
  reader.put('perception_kl_clip', 0.2);
}

function readAuthors(reader: SettingsReader, B: number): Vocabulary {
  const penalties: Record<string, Estimator> = { low_var_kl: 'k3', kl: 'k1', mse: 'k2', abs: 'abs' };
  const perception = reader.flag('use_kl_prcp', true);
  const coefficient = (name: SettingName, from: string, used: boolean): void => {
    const value = reader.value(from);
    reader.put(name, used ? value : 0, from);
  };
  reader.take('loss_avg_mode');
  reader.take('epsilon', 'clip_ratio_low');
  reader.take('epsilon_high', 'clip_ratio_high');
  reader.take('dual_clip', 'clip_ratio_dual');
  coefficient('beta', 'kl_coef', reader.flag('use_kl_loss', true));
  coefficient('perception_loss_weight', 'kl_prcp_coef', perception);
  coefficient('der_loss_weight1', 'ori_entropy_loss_coef', reader.flag('use_ori_entropy_loss', false));
  // The authors compute the masked branch, and so its entropy, only for the perception KL.
  const masked = reader.flag('use_aug_entropy_loss', false) && perception;
  coefficient('der_loss_weight2', 'aug_entropy_loss_coef', masked);
  coefficient('sft_loss_coef', 'sft_loss_coef', reader.flag('use_sft_loss', false));
  const clipped = reader.flag('use_kl_prcp_clipping', false);
  const topTokens = reader.flag('use_kl_prcp_token_level_mask', false);
  const [clip, top] = [reader.value('kl_prcp_clipping'), reader.value('kl_prcp_token_level_mask_top_p')];
  reader.put('perception_kl_clip', clipped ? clip : null, 'kl_prcp_clipping');
  reader.put('perception_top_p', topTokens ? top : null, 'kl_prcp_token_level_mask_top_p');
  reader.put('detach_masked_branch', !reader.flag('recompute_aug_log_probs', false));
  reader.put('entropy_estimator', 'sampled');
  const microBatch = reader.number('micro_batch_size', B);
  if (!Number.isInteger(B / microBatch))
    reader.fail('micro_batch_size', `a divisor of the batch (${B})`, microBatch);
  reader.put('gradient_accumulation_steps', B / microBatch, 'micro_batch_size');
  const perceptionKl = reader.choice('kl_prcp_penalty', penalties, 'low_var_kl');
  // "abs" is no setting of ours; the objective takes it all the same.
  reader.putUnchecked('perception_kl', perceptionKl);
  const annealed = reader.value('annealed_kl_prcp_coef');
  const fixed = reader.value('kl_prcp_coef');
  return {
    objective: 'authors',
    discount: annealed == null || !perception ? 1 : Number(annealed) / Number(fixed),
    ref_kl: reader.choice('kl_penalty', penalties, 'low_var_kl'),
    microBatch,
  };
}
