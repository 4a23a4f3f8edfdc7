/** What PAPOTrainer takes as datasets and reward functions, in the forms that people write them. */
import { type Dataset, type Row, rowsDataset, worldDataset } from '../data/dataset.ts';
import { endless } from '../data/endless.ts';
import { type TaskName, tasks } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import { type RewardFunction, rewardFunction } from '../rewards/rewards.ts';

/** A reward function's built-in name, the function, or several by name. */
export type RewardFuncs =
  | string
  | RewardFunction
  | readonly (string | RewardFunction)[]
  | Readonly<Record<string, RewardFunction>>;

/** A built-in task's name, rows, or any dataset. */
export type DatasetLike = TaskName | readonly Row[] | Dataset;

/** Rows to train on (`train`) or held out (`test`). */
export function toDataset(data: DatasetLike, split: 'train' | 'test', seed: number): Dataset {
  if (typeof data !== 'string') return Array.isArray(data) ? rowsDataset(data) : (data as Dataset);
  if (!Object.hasOwn(tasks, data))
    throw new UserError(`task: unknown task "${data}"; expected one of ${Object.keys(tasks).join(', ')}`);
  return worldDataset(data as TaskName, split, seed);
}

/** Prompts by number, without end: rows are gone round, each time in another order where they are shuffled. */
export function trainingPrompts(
  data: Dataset,
  { seed, shuffle_dataset }: { readonly seed: number; readonly shuffle_dataset: boolean },
): Dataset {
  return Number.isFinite(data.size) ? endless(data, shuffle_dataset ? seed : null) : data;
}

/** Reward functions by name. Throws a UserError for unknown names, and for names that come twice. */
export function toRewards(given: RewardFuncs): Record<string, RewardFunction> {
  if (typeof given === 'object' && !Array.isArray(given))
    return { ...(given as Record<string, RewardFunction>) };
  const list = (Array.isArray(given) ? given : [given]) as (string | RewardFunction)[];
  const rewards: Record<string, RewardFunction> = {};
  for (const [i, f] of list.entries()) {
    const name = typeof f === 'string' ? f : f.name || `reward_${i + 1}`;
    if (Object.hasOwn(rewards, name))
      throw new UserError(`reward_funcs: "${name}" is there twice; give the functions different names.`);
    rewards[name] = typeof f === 'string' ? rewardFunction(f) : f;
  }
  return rewards;
}
