import { expect, test } from 'vitest';
import { computeRewards, rewardFunction, rewardFunctions } from '../../../src/rewards/rewards.ts';

function call(name: string, completions: string[], answer: unknown[]) {
  return computeRewards(name, rewardFunction(name), {
    prompts: completions.map(() => 'q'),
    completions,
    answer,
  });
}

test('boxed_answer takes the last box alone', async () => {
  const completions = [
    'so \\boxed{3}',
    '\\boxed{3} no, \\boxed{4}',
    '3',
    '\\boxed{ 3 }',
    '\\boxed{3.0}',
    '\\boxed{3',
  ];
  expect(await call('boxed_answer', completions, [3, '3', '3', '3', '3', '3'])).toEqual([1, 0, 0, 1, 0, 0]);
});

test('exact_match takes the box, or the whole text without one', async () => {
  expect(
    await call('exact_match', [' red ', 'it is red', '\\boxed{red}', 'Red'], Array(4).fill('red')),
  ).toEqual([1, 0, 1, 0]);
});

test('numeric compares values, and says nothing where the answer is no number', async () => {
  const completions = ['\\boxed{3.0}', 'about 1,200 apples', 'x = -4e-1', 'none', '\\boxed{4} then 3', 'red'];
  expect(await call('numeric', completions, ['3', 1200, '-0.4', '3', '3', 'red'])).toEqual([
    1,
    1,
    1,
    0,
    0,
    null,
  ]);
});

test('format wants thought, box and nothing else', async () => {
  const completions = [
    '<think> a </think> \\boxed{1}',
    '<think> a </think> \\boxed{1} b',
    '\\boxed{1}',
    '<think> </think>',
  ];
  expect(await call('format', completions, Array(4).fill(null))).toEqual([1, 0, 0, 0]);
});

test('a missing answer gives null', async () => {
  expect(await call('boxed_answer', ['\\boxed{1}', '\\boxed{1}'], [null, '1'])).toEqual([null, 1]);
});

test('unknown names, missing columns and wrong lengths are refused by name', async () => {
  expect(() => rewardFunction('boxed')).toThrow(/unknown reward function "boxed".*boxed_answer/);
  expect(() => rewardFunction('toString')).toThrow(/unknown reward function/);
  const bare = { prompts: ['q'], completions: ['a'] };
  await expect(computeRewards('numeric', rewardFunctions.numeric, bare)).rejects.toThrow(
    /no column "answer"/,
  );
  await expect(call('numeric', ['a', 'b'], ['1'])).rejects.toThrow(/"answer" has 1 entries; expected 2/);
});

test("a user's function is checked: promises, nulls and booleans pass, NaN and wrong shapes do not", async () => {
  const args = { prompts: ['q', 'q'], completions: ['a', 'b'] };
  expect(await computeRewards('mine', async () => [null, 2], args)).toEqual([null, 2]);
  expect(await computeRewards('mine', () => [true, undefined] as never, args)).toEqual([1, null]);
  await expect(computeRewards('mine', () => [1, Number.NaN], args)).rejects.toThrow(
    /"mine" gave NaN for completion 1/,
  );
  await expect(computeRewards('mine', () => [1], args)).rejects.toThrow(/returned 1 values; expected 2/);
  await expect(computeRewards('mine', () => 'x' as never, args)).rejects.toThrow(/type string/);
  await expect(computeRewards('mine', () => ['1', 2] as never, args)).rejects.toThrow(
    /type string for completion 0/,
  );
});
