/** The columns that built-in rewards read. */
import { UserError } from '../errors.ts';
import type { RewardArgs, Rewards } from './rewards.ts';

/** A column of the data. Throws a UserError that lists what there is, where it is not there. */
export function column(args: RewardArgs, name: string, rewardName: string): readonly unknown[] {
  const values = args[name];
  if (values === undefined) {
    throw new UserError(
      `reward "${rewardName}": the dataset has no column "${name}"; it has ${Object.keys(args).join(', ')}`,
    );
  }
  return values;
}

/** `score` of each completion and its answer; null where the row has no answer. `row` counts completions. */
export function scored(
  args: RewardArgs,
  rewardName: string,
  score: (completion: string, answer: string, row: number) => number | null,
): Rewards {
  const answers = column(args, 'answer', rewardName);
  return args.completions.map((completion, i) => {
    const answer = answers[i];
    return answer === null || answer === undefined ? null : score(completion, String(answer).trim(), i);
  });
}
