/**
 * What stands between reward functions and the trainer: a reward that throws, returns junk or hangs costs the rows
 * concerned their reward (null), never the run. Each distinct failure is reported once, with its row.
 */
import { UserError } from '../errors.ts';
import type { Rewards } from './rewards.ts';
import { asList, asReward, checkColumns, describe, type RewardArgs, type RewardFunction } from './rewards.ts';

/** A reward function ran past its time limit: trying its rows one by one would only hang again. */
export class RewardTimeoutError extends Error {
  override name = 'RewardTimeoutError';
}

/** The first failure of its kind. `row`, `prompt` and `completion` are null where no single row is to blame. */
export interface RewardFailure {
  readonly reward: string;
  readonly row: number | null;
  readonly message: string;
  /** Cut to 200 characters. */
  readonly prompt: string | null;
  readonly completion: string | null;
}

export interface GuardedRewards {
  /** By reward function, one entry a completion. */
  readonly rewards: Record<string, Rewards>;
  /** Failures not seen before in this run. */
  readonly failures: RewardFailure[];
  /** Rewards that are null because of a failure, in this call. */
  readonly failedCount: number;
  /** Whether every reward of every row is null because of failures. */
  readonly wholeStepFailed: boolean;
}

export interface GuardOptions {
  /** For one function over one batch. Default 10,000. */
  readonly timeLimitMs?: number;
}

/** Distinct messages reported for one reward; a message that quotes the completion would be new at every row. */
const MAX_REPORTED = 20;
const MAX_TEXT = 200;

type Row = { readonly value: number | null } | { readonly failure: string };

export class RewardGuard {
  /** How often each failure came up so far, by reward and message. */
  readonly counts = new Map<string, number>();
  private readonly called = new Set<string>();
  private readonly timeLimitMs: number;
  /** The reward functions' names, in order. */
  readonly names: readonly string[];

  constructor(
    private readonly functions: Readonly<Record<string, RewardFunction>>,
    { timeLimitMs = 10_000 }: GuardOptions = {},
  ) {
    this.timeLimitMs = timeLimitMs;
    this.names = Object.keys(functions);
  }

  /**
   * All reward functions over one batch. Throws a UserError where columns differ in length, and where a function's
   * very first call throws one (a missing column, code that does not compile): such a run should not start.
   */
  async compute(args: RewardArgs): Promise<GuardedRewards> {
    const failures: RewardFailure[] = [];
    const columns = await Promise.all(
      Object.entries(this.functions).map(async ([name, f]) => {
        checkColumns(name, args);
        const rows = await this.rowsOf(name, f, args, failures);
        this.called.add(name);
        return [name, rows] as const;
      }),
    );
    const all = columns.flatMap(([, rows]) => rows);
    const failedCount = all.filter((row) => 'failure' in row).length;
    return {
      rewards: Object.fromEntries(
        columns.map(([name, rows]) => [name, rows.map((row) => ('value' in row ? row.value : null))]),
      ),
      failures,
      failedCount,
      wholeStepFailed: all.length > 0 && failedCount === all.length,
    };
  }

  private async rowsOf(
    name: string,
    f: RewardFunction,
    args: RewardArgs,
    failures: RewardFailure[],
  ): Promise<Row[]> {
    const count = args.completions.length;
    const deadline = performance.now() + this.timeLimitMs;
    const report = (row: number | null, message: string) => {
      const failure = this.count(name, row, message, args);
      if (failure) failures.push(failure);
    };
    const whole = await this.call(name, f, args, deadline);
    if (!('error' in whole)) {
      const rows = whole.values.map(checkedRow);
      rows.forEach((row, i) => {
        if ('failure' in row) report(i, row.failure);
      });
      return rows;
    }
    const { error } = whole;
    if (error instanceof UserError && !this.called.has(name) && !whole.returned) throw error;
    if (error instanceof RewardTimeoutError || count === 1) {
      report(count === 1 ? 0 : null, messageOf(error));
      return Array(count).fill({ failure: messageOf(error) });
    }
    // One by one, so that the rows that are not to blame keep their reward.
    const rows: Row[] = [];
    for (let i = 0; i < count; i++) {
      const one = await this.call(name, f, rowOf(args, i), deadline);
      const row = 'error' in one ? { failure: messageOf(one.error) } : checkedRow(one.values[0]);
      if ('failure' in row) report(i, row.failure);
      rows.push(row);
      if ('error' in one && one.error instanceof RewardTimeoutError) {
        while (rows.length < count) rows.push(row);
        return rows;
      }
    }
    // It fails only on rows together.
    if (!rows.some((row) => 'failure' in row)) report(null, messageOf(error));
    return rows;
  }

  /** `returned`: the function came back, with something that is no list of the right length. */
  private async call(
    name: string,
    f: RewardFunction,
    args: RewardArgs,
    deadline: number,
  ): Promise<{ values: unknown[] } | { error: unknown; returned: boolean }> {
    let returned = false;
    try {
      const value: unknown = await within(
        deadline,
        () => f(args),
        `it took more than ${this.timeLimitMs} ms`,
      );
      returned = true;
      return { values: asList(name, value, args.completions.length) };
    } catch (error) {
      return { error, returned };
    }
  }

  /** The failure to report, or null where it was reported before. */
  private count(name: string, row: number | null, message: string, args: RewardArgs): RewardFailure | null {
    const key = `${name}: ${message}`;
    const before = this.counts.get(key);
    if (before === undefined) {
      const distinct = [...this.counts.keys()].filter((k) => k.startsWith(`${name}: `)).length;
      if (distinct >= MAX_REPORTED) {
        const rest = `${name}: other failures`;
        this.counts.set(rest, (this.counts.get(rest) ?? 0) + 1);
        return null;
      }
    }
    this.counts.set(key, (before ?? 0) + 1);
    if (before !== undefined) return null;
    return {
      reward: name,
      row,
      message,
      prompt: row === null ? null : cut(args.prompts[row]),
      completion: row === null ? null : cut(args.completions[row]),
    };
  }
}

/** Rejects with a RewardTimeoutError at `deadline`; a synchronous function cannot be interrupted here. */
async function within<T>(deadline: number, call: () => T | Promise<T>, message: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const left = Math.max(0, deadline - performance.now());
    timer = setTimeout(() => reject(new RewardTimeoutError(message)), left);
  });
  try {
    // async: what `call` throws at once is a rejection like any other.
    return await Promise.race([(async () => call())(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function checkedRow(value: unknown): Row {
  const reward = asReward(value);
  return reward === undefined
    ? { failure: `it gave ${describe(value)}; expected a finite number or null` }
    : { value: reward };
}

function rowOf(args: RewardArgs, i: number): RewardArgs {
  const entries = Object.entries(args).map(([key, values]) => [key, [values[i]]]);
  return Object.fromEntries(entries) as RewardArgs;
}

/** Whatever was thrown, as a text: an error of user code may be anything. */
function messageOf(error: unknown): string {
  const text =
    error instanceof Error ? `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}` : '';
  if (error instanceof UserError || error instanceof RewardTimeoutError) return error.message;
  if (text) return text;
  return typeof error === 'string' ? error : `it threw ${describe(error)}`;
}

const cut = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
