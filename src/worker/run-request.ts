/** What was asked for when a kept run began, so that it can go on, or another can begin with the same. */
import { UserError } from '../errors.ts';
import type { RunInfo } from '../store/run-store.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import { settingsAsTyped } from './catalogue.ts';
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
  readonly model_url?: string;
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
