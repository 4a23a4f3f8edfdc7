/** think_format, and answer_match, which takes any kind of answer. */
import { describe, expect, it } from 'vitest';
import { answersRight } from '../../../src/rewards/answer-rewards.ts';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { rewardFunctions } from '../../../src/rewards/rewards.ts';
import { catalogue } from '../../../src/worker/catalogue.ts';
import { hostileTexts, rewardOf } from './cases.ts';

describe('think_format', () => {
  it.each<readonly [string, number]>([
    ['<think> a </think> \\boxed{1}', 1],
    ['<think>a</think>\\boxed{1}', 1],
    ['<think>\na\nb\n</think>\n\nSo the answer is \\boxed{1}.', 1],
    [' <think> a </think> \\boxed{1}\n', 1],
    ['<think> a </think> $\\boxed{\\frac{1}{2}}$', 1],
    ['<think> a </think> \\boxed 1', 1],
    ['<think></think> \\boxed{1}', 0],
    ['<think> </think> \\boxed{1}', 0],
    ['<think> a </think> \\boxed{}', 0],
    ['<think> a </think> \\boxed{ }', 0],
    ['<think> a </think> \\boxed{1', 0],
    ['<think> a </think> 1', 0],
    ['<think> a \\boxed{1} </think>', 0],
    ['<think> a \\boxed{1} </think> \\boxed{1}', 0],
    ['<think> a </think> \\boxed{1} \\boxed{2}', 0],
    ['<think> a <think> b </think> \\boxed{1}', 0],
    ['<think> a </think> </think> \\boxed{1}', 0],
    ['a <think> b </think> \\boxed{1}', 0],
    ['<think> a \\boxed{1}', 0],
    ['\\boxed{1}', 0],
    ['</think> \\boxed{1}', 0],
    ['', 0],
    ['<think>', 0],
  ])('%j: %d', async (completion, reward) => {
    expect(await rewardOf('think_format', { completion, answer: null })).toBe(reward);
  });
});

describe('answer_match', () => {
  const choices = ['30', '45', '60'];
  it.each<readonly [string, unknown, unknown, number | null]>([
    ['5', '5', null, 1],
    ['5 cm', '5', null, 1],
    ['\\frac12', '0.5', null, 1],
    ['50\\%', '0.5', null, 1],
    ['2\\sqrt{3}', '\\sqrt{12}', null, 1],
    ['6', '5', null, 0],
    ['red', 'Red', null, 1],
    ['the red', 'red', null, 1],
    ['blue', 'red', null, 0],
    ['five', '5', null, 1],
    ['x^2+1', '1+x^2', null, 1],
    ['2x', 'x+x', null, 1],
    ['x^2', 'x^3', null, 0],
    ['(1, 2)', '(1,2)', null, 1],
    ['(2, 1)', '(1,2)', null, 0],
    ['x > 3', 'x>3', null, 1],
    ['B', 'B', null, 1],
    ['(B)', 'B', null, 1],
    ['\\text{B. } 45', 'B', null, 1],
    ['C', 'B', null, 0],
    ['45', 'B', choices, 1],
    ['B', '45', choices, 1],
    ['45^\\circ', 'B', choices, 1],
    ['60', 'B', choices, 0],
    ['90', '90', choices, 1],
    ['', '5', null, 0],
    ['5', '', null, null],
    ['5', null, null, null],
  ])('%j for %j of %j: %j', async (given, answer, column, reward) => {
    const one = { completion: `<think> a </think> \\boxed{${given}}`, answer, columns: { choices: column } };
    expect(await rewardOf('answer_match', one)).toBe(reward);
  });
});

it('answersRight judges a row of a dataset', () => {
  const row = {
    prompt: 'q',
    answer: 'B',
    columns: { choices: ['30', '\\frac{1}{2}'], tolerance: 1, kind: 'x' },
  };
  expect(answersRight('\\boxed{0.5}', row)).toBe(true);
  expect(answersRight('\\boxed{30}', row)).toBe(false);
  expect(answersRight('\\boxed{30}', { ...row, answer: null })).toBe(false);
  expect(answersRight('\\boxed{30.5}', { ...row, answer: '30', columns: { tolerance: 1 } })).toBe(true);
});

describe('every built-in reward', () => {
  const names = Object.keys(rewardFunctions);

  it('has its meaning on the page', () => {
    const listed = catalogue().rewards;
    expect(listed.map(({ name }) => name)).toEqual(names);
    for (const { name, meaning } of listed) expect(meaning, name).not.toBe('');
  });

  it('gives a finite number or null for anything, through the guard', async () => {
    const guard = new RewardGuard(rewardFunctions);
    const odd = [
      null,
      undefined,
      '',
      ' ',
      'NaN',
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      5n,
      true,
      {},
      [],
      ['5'],
      '\\boxed{',
    ];
    const columns = { answer: odd, choices: odd, options: odd, tolerance: odd };
    for (const completion of ['', '\\boxed{5}', '<think> a </think> \\boxed{B}', '\ud800', '\u0000']) {
      const repeated = odd.map(() => completion);
      const { failures } = await guard.compute({ prompts: repeated, completions: repeated, ...columns });
      expect(failures).toEqual([]);
    }
  });

  it('takes linear time', async () => {
    for (const [, text] of hostileTexts) {
      for (const name of names) {
        const start = performance.now();
        await rewardOf(name, { completion: text, answer: '5', prompt: text });
        expect(performance.now() - start, `${name} of ${text.slice(0, 20)}…`).toBeLessThan(5000);
      }
    }
  });
});
