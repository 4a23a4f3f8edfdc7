/** A failing reward costs rows their reward, never the run. */
import { expect, it, vi } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { Junk, type RewardFunction, rewardFunctions } from '../../../src/rewards/rewards.ts';

const args = { prompts: ['p0', 'p1', 'p2'], completions: ['c0', 'c1', 'c2'], answer: ['1', '2', '3'] };
const guardOf = (f: unknown, options = {}) => new RewardGuard({ mine: f as RewardFunction }, options);

it('passes what is right, nulls included', async () => {
  const guard = new RewardGuard({ mine: () => [1, null, -0.5], other: async () => [0, 0, 0] });
  expect(await guard.compute(args)).toEqual({
    rewards: { mine: [1, null, -0.5], other: [0, 0, 0] },
    failures: [],
    failedCount: 0,
    wholeStepFailed: false,
  });
});

it.each([
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  ['1', 'a value of type string'],
  [{}, 'a value of type object'],
  [new Junk('a value of type bigint'), 'a value of type bigint'],
])('junk (%s) is null for its row, with prompt and completion', async (junk, described) => {
  const long = { ...args, prompts: ['p', 'x'.repeat(300), 'p'] };
  const { rewards, failures, failedCount, wholeStepFailed } = await guardOf(() => [1, junk, 2]).compute(long);
  expect(rewards.mine).toEqual([1, null, 2]);
  expect(failures).toEqual([
    {
      reward: 'mine',
      row: 1,
      message: `it gave ${described}; expected a finite number or null`,
      prompt: `${'x'.repeat(200)}…`,
      completion: 'c1',
    },
  ]);
  expect([failedCount, wholeStepFailed]).toEqual([1, false]);
});

it.each([
  [
    'throws',
    () => {
      throw new TypeError('bad row');
    },
    'TypeError: bad row',
  ],
  ['rejects', () => Promise.reject(new Error('bad row')), 'bad row'],
  [
    'throws a text',
    () => {
      throw 'bad row';
    },
    'bad row',
  ],
  [
    'returns no list',
    () => 'x',
    'reward "mine" returned a value of type string; expected a list of 1 numbers',
  ],
])('one that %s is called row by row, and only the guilty row is null', async (_, fail, message) => {
  const f = vi.fn(({ completions }) => (completions.includes('c1') ? fail() : completions.map(() => 1)));
  const { rewards, failures } = await guardOf(f).compute(args);
  expect(rewards.mine).toEqual([1, null, 1]);
  expect(failures).toMatchObject([{ row: 1, message, prompt: 'p1', completion: 'c1' }]);
  expect(f.mock.calls.map(([a]) => a.completions.length)).toEqual([3, 1, 1, 1]);
  expect(f.mock.calls[2][0]).toEqual({ prompts: ['p1'], completions: ['c1'], answer: ['2'] });
});

it('a wrong length that no row alone repeats is reported without a row', async () => {
  const { rewards, failures, failedCount } = await guardOf(() => [1]).compute(args);
  expect(rewards.mine).toEqual([1, 1, 1]);
  expect(failures).toMatchObject(
    [{ row: null, prompt: null, message: /returned 1 values; expected 3/ }].map((f) => ({
      ...f,
      message: expect.stringMatching(f.message),
    })),
  );
  expect(failedCount).toBe(0);
});

it('a hang is null for the whole call, within the time limit, and is not tried row by row', async () => {
  const f = vi.fn(() => new Promise(() => undefined));
  const start = performance.now();
  const { rewards, failures, wholeStepFailed } = await guardOf(f, { timeLimitMs: 50 }).compute(args);
  expect(performance.now() - start).toBeLessThan(1000);
  expect(f).toHaveBeenCalledTimes(1);
  expect(rewards.mine).toEqual([null, null, null]);
  expect(failures).toMatchObject([{ row: null, message: 'it took more than 50 ms' }]);
  expect(wholeStepFailed).toBe(true);
});

it('rows tried one by one share the time limit', async () => {
  let calls = 0;
  const slow = async ({ completions }: { completions: string[] }) => {
    calls++;
    if (completions.length > 1) throw new Error('only one at a time');
    await new Promise((resolve) => setTimeout(resolve, 60));
    return [1];
  };
  const many = { prompts: Array(50).fill('p'), completions: Array(50).fill('c') };
  const { rewards } = await guardOf(slow, { timeLimitMs: 150 }).compute(many);
  expect(calls).toBeLessThan(6);
  expect(rewards.mine[0]).toBe(1);
  expect(rewards.mine[49]).toBeNull();
});

it('reports each distinct failure once a run, and counts the rest', async () => {
  const guard = guardOf(() => [Number.NaN, Number.NaN, 'x']);
  expect((await guard.compute(args)).failures.map((f) => f.row)).toEqual([0, 2]);
  expect((await guard.compute(args)).failures).toEqual([]);
  expect([...guard.counts.values()]).toEqual([4, 2]);
});

it('does not report an endless variety of messages', async () => {
  let n = 0;
  const guard = guardOf(() => {
    throw new Error(`random ${n++}`);
  });
  let reported = 0;
  for (let i = 0; i < 20; i++) reported += (await guard.compute(args)).failures.length;
  expect(reported).toBe(20);
  expect(guard.counts.get('mine: other failures')).toBe(40);
});

it('knows a step that failed as a whole: every reward of every row', async () => {
  const bad = () => [Number.NaN, Number.NaN, Number.NaN];
  const step = async (rewards: Record<string, RewardFunction>) =>
    (await new RewardGuard(rewards).compute(args)).wholeStepFailed;
  expect(await step({ bad })).toBe(true);
  expect(await step({ bad, silent: () => [null, null, null] })).toBe(false);
  expect(await step({ bad, good: () => [1, 1, 1] })).toBe(false);
  expect(await step({ bad: () => [Number.NaN, Number.NaN, 0] })).toBe(false);
});

it('a missing column ends the run at the first call, and costs rewards later', async () => {
  const bare = { prompts: ['p'], completions: ['c'] };
  const guard = new RewardGuard({ numeric: rewardFunctions.numeric });
  await expect(guard.compute(bare)).rejects.toThrow(/no column "answer"/);
  await guard.compute({ ...bare, answer: ['1'] });
  expect(await guard.compute(bare)).toMatchObject({ rewards: { numeric: [null] }, wholeStepFailed: true });
  await expect(guard.compute({ ...bare, answer: [] })).rejects.toThrow(UserError);
});
