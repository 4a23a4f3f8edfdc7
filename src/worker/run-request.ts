/** What was asked for when a kept run began, so that it can go on, or another can begin with the same. */
import { UserError } from '../errors.ts';
import type { RunInfo } from '../store/run-store.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import { settingsAsTyped } from './catalogue.ts';
import type { LoadedModel } from './model.ts';
import type { ModelMark, ModelSource } from './model-protocol.ts';
import type { RunRequest } from './protocol.ts';

/** What a run needs beside its settings: kept with it, so that it can go on after a reload. Never a token. */
export interface Origin {
  readonly preset: string;
  readonly task: string;
  readonly dataset?: string;
  readonly dataset_name?: string;
  readonly rewards: string[];
  readonly reward_code?: string;
  readonly model: string;
  /** Where earlier versions of this page kept the address of a model that was the site's. */
  readonly model_url?: string;
  /** Of a Hub's model: what an adapter's config and the card name. */
  readonly model_revision?: string;
  readonly model_source?: ModelSource;
  readonly model_mark?: string;
  readonly device: string;
  readonly total_steps: number;
}

export function requestOfRun({ name, settings, origin }: RunInfo): RunRequest {
  const { preset, task, dataset, rewards, reward_code } = origin as Partial<Origin>;
  if (preset === undefined || task === undefined || rewards === undefined)
    throw new UserError(
      `The run "${name}" was not begun in this page, so what it was begun with cannot be shown here.`,
    );
  return {
    preset,
    task,
    dataset,
    rewards,
    ...(reward_code !== undefined && { rewardCode: reward_code }),
    settings: settingsAsTyped(new PAPOConfig(settings), preset, task),
  };
}

export const originOfModel = ({ name, source, mark }: ModelMark) => ({
  model: name,
  ...(source.kind === 'hub' && { model_revision: source.commit ?? source.revision ?? 'main' }),
  model_source: source,
  model_mark: mark,
});

/** The model that a run began with. */
export function modelOfRun({ origin }: Pick<RunInfo, 'origin'>): ModelMark {
  const { model = '', model_url, model_source, model_mark = '' } = origin as Partial<Origin>;
  const source: ModelSource =
    model_source ?? (model_url === undefined ? { kind: 'files' } : { kind: 'built-in', url: model_url });
  return { name: model, source, mark: model_mark };
}

/** Throws a UserError unless the model that is loaded is the one that the run began with. */
export function checkBase(
  info: Pick<RunInfo, 'name' | 'origin'>,
  loaded: LoadedModel | undefined,
): asserts loaded is LoadedModel {
  const { name, mark } = modelOfRun(info);
  if (loaded && (mark === '' ? loaded.name === name : loaded.mark === mark)) return;
  const other = !loaded
    ? 'no model is loaded'
    : loaded.name === name
      ? 'the one of this name that is loaded has other weights'
      : `${loaded.name} is loaded`;
  throw new UserError(
    `The run "${info.name}" goes on with the weights of ${name}, and ${other}: load ${name} first.`,
  );
}
