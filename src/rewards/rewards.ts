// Reward functions after TRL's idea: the completions and the dataset's columns in, a number per completion out,
// or null where the function has nothing to say about one.
import { boxedAnswer, parseCompletion } from '../data/completion.ts';
import { UserError } from '../errors.ts';
import { answerRewards } from './answer-rewards.ts';
import { scored } from './columns.ts';

/** `prompts`, `completions` and every column hold one entry per completion: a prompt's are repeated. */
export interface RewardArgs {
  prompts: readonly string[];
  completions: readonly string[];
  [column: string]: readonly unknown[];
}

export type Rewards = (number | null)[];
export type RewardFunction = (args: RewardArgs) => Rewards | Promise<Rewards>;

/** What a completion answers: its last `\boxed{…}`, or the whole text without one. */
function given(completion: string): string {
  return boxedAnswer(completion) ?? completion.trim();
}

const numberPattern = /[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?/g;

/** The last number of a text; thousands separators are dropped. */
function lastNumber(text: string): number | null {
  const found = text.replace(/(\d),(?=\d{3}\b)/g, '$1').match(numberPattern);
  return found ? Number(found[found.length - 1]) : null;
}

/** 1 where the whole completion, or its `\boxed{…}`, is the answer to the letter. */
function exactMatch(args: RewardArgs): Rewards {
  return scored(args, 'exact_match', (completion, answer) => (given(completion) === answer ? 1 : 0));
}

/** 1 where the number answered equals the answer's to 1e-6 of its size; null where the answer is no number. */
function numeric(args: RewardArgs): Rewards {
  return scored(args, 'numeric', (completion, answer) => {
    const expected = lastNumber(answer);
    if (expected === null) return null;
    const found = lastNumber(given(completion));
    return found !== null && Math.abs(found - expected) <= 1e-6 * Math.max(1, Math.abs(expected)) ? 1 : 0;
  });
}

/** 1 where the completion is `<think> … </think> \boxed{…}` and nothing else. */
function format(args: RewardArgs): Rewards {
  return args.completions.map((completion) => (parseCompletion(completion) ? 1 : 0));
}

/** 1 where the last `\boxed{…}` holds the answer; 0 where it holds another, or there is none. */
function boxed(args: RewardArgs): Rewards {
  return scored(args, 'boxed_answer', (completion, answer) => (boxedAnswer(completion) === answer ? 1 : 0));
}

/** The built-in reward functions by name. */
export const rewardFunctions: Record<string, RewardFunction> = {
  exact_match: exactMatch,
  numeric,
  format,
  boxed_answer: boxed,
  ...answerRewards,
};

/** The function of this name, with an error that lists the names there are. */
export function rewardFunction(name: string): RewardFunction {
  if (!Object.hasOwn(rewardFunctions, name)) {
    throw new UserError(
      `reward_funcs: unknown reward function "${name}"; expected one of ${Object.keys(rewardFunctions).join(', ')}`,
    );
  }
  return rewardFunctions[name];
}

/** A value that cannot leave the sandbox as it is, by its description. It is never a reward. */
export class Junk {
  constructor(readonly description: string) {}
}

/** The reward that a returned value stands for; undefined where it stands for none. */
export function asReward(value: unknown): number | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Throws a UserError unless every column has one entry per completion. */
export function checkColumns(name: string, args: RewardArgs): void {
  const count = args.completions.length;
  for (const [key, values] of Object.entries(args)) {
    if (values.length !== count) {
      throw new UserError(
        `reward "${name}": column "${key}" has ${values.length} entries; expected ${count}, one per completion`,
      );
    }
  }
}

/** The list that a reward function returned, its entries unchecked. Throws a UserError for anything else. */
export function asList(name: string, returned: unknown, count: number): unknown[] {
  if (!Array.isArray(returned)) {
    throw new UserError(
      `reward "${name}" returned ${describe(returned)}; expected a list of ${count} numbers`,
    );
  }
  if (returned.length !== count) {
    throw new UserError(
      `reward "${name}" returned ${returned.length} values; expected ${count}, one per completion`,
    );
  }
  // Array.from: a list with holes has them filled, so that no entry is skipped.
  return Array.from(returned);
}

/** Calls a reward function and checks both ways: equal lengths in, as many finite numbers or nulls out. */
export async function computeRewards(
  name: string,
  reward: RewardFunction,
  args: RewardArgs,
): Promise<Rewards> {
  checkColumns(name, args);
  return asList(name, await reward(args), args.completions.length).map((value, i) => {
    const checked = asReward(value);
    if (checked === undefined) {
      throw new UserError(
        `reward "${name}" gave ${describe(value)} for completion ${i}; expected a finite number or null`,
      );
    }
    return checked;
  });
}

/** What a message calls a value that is no reward. */
export function describe(value: unknown): string {
  if (value instanceof Junk) return value.description;
  if (typeof value === 'number') return String(value);
  return value === null ? 'null' : `a value of type ${typeof value}`;
}
