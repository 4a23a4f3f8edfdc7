import { describe, expect, it } from 'vitest';
import { lastBoxed } from '../../../src/rewards/boxed.ts';
import { givenAnswer } from '../../../src/rewards/given-answer.ts';

describe('the last box', () => {
  it.each<[string, string | null]>([
    ['\\boxed{3}', '3'],
    ['\\boxed{ 3 }', '3'],
    ['so \\boxed{3}.', '3'],
    ['$\\boxed{3}$', '3'],
    ['\\boxed{}', ''],
    ['\\boxed{3} no, \\boxed{4}', '4'],
    ['\\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
    ['\\boxed{\\frac{1}{\\sqrt{2}}} }', '\\frac{1}{\\sqrt{2}}'],
    ['\\boxed{\\{1, 2\\}}', '\\{1, 2\\}'],
    ['\\boxed{a \\} b}', 'a \\} b'],
    ['\\boxed{a \\{ b}', 'a \\{ b'],
    ['\\boxed{a \\\\} b}', 'a \\\\'],
    ['\\boxed{{{3}}}', '{{3}}'],
    ['\\boxed 3', '3'],
    ['\\boxed 3.5 cm', '3.5'],
    ['$\\boxed 3$ it is', '3'],
    ['\\boxed3', '3'],
    ['\\boxed {3}', '3'],
    ['\\boxed  {3}', '3'],
    ['\\boxed', null],
    ['\\boxed ', null],
    ['\\boxed{3', null],
    ['\\boxed{3} or \\boxed{4', null],
    ['\\boxed{\\frac{1}{2}', null],
    ['\\fbox{3}', '3'],
    ['\\fbox{3} \\boxed{4}', '4'],
    ['\\boxed{3} \\fbox{4}', '4'],
    ['\\boxed{\\fbox{3}}', '3'],
    ['\\boxed{\\boxed{3}}', '3'],
    ['\\boxed{a \\boxed{b} c}', 'b'],
    ['\\boxedtext{3}', null],
    ['\\boxes{3}', null],
    ['boxed{3}', null],
    ['', null],
    ['\\boxed{a\nb}', 'a\nb'],
    ['\\boxed{\\text{B}}', '\\text{B}'],
    ['\\boxed{😀}', '😀'],
  ])('%j: %j', (text, expected) => {
    expect(lastBoxed(text)).toBe(expected);
  });

  it('of deep nesting', () => {
    const deep = `${'{'.repeat(10_000)}3${'}'.repeat(10_000)}`;
    expect(lastBoxed(`\\boxed{${deep}}`)).toBe(deep);
    expect(lastBoxed('\\boxed{'.repeat(10_000))).toBe(null);
    expect(lastBoxed(`${'\\boxed{'.repeat(10_000)}3${'}'.repeat(10_000)}`)).toBe('3');
  });
});

describe('the answer given', () => {
  it.each<[string, string | null]>([
    ['<think> \\boxed{2} </think> \\boxed{3}', '3'],
    ['<think> it is 4 </think> 3', '3'],
    ['<think> it is 4 </think>\n\n The answer is 3.', '3.'],
    ['The answer is 2. No, the answer is 3', '3'],
    ['Answer: 3\nbecause', '3'],
    ['**Answer:** 3', '3'],
    ['**Answer**: B', '**Answer**: B'],
    ['Final answer = 3', '3'],
    ['The correct answer is: (B) 5 cm', '(B) 5 cm'],
    ['答案是 3', '3'],
    ['答案：B', 'B'],
    ['<answer> 3 </answer>', '3'],
    ['<think>a</think><answer>3</answer> done', '3'],
    ['<answer>2</answer> <answer>3</answer>', '3'],
    ['<answer>3', '<answer>3'],
    ['<answer>\\boxed{3}</answer>', '3'],
    ['<think> it is 4', null],
    ['<think> it is \\boxed{4', null],
    ['  3 ', '3'],
    ['', ''],
    ['</think>', ''],
  ])('%j: %j', (text, expected) => {
    expect(givenAnswer(text)).toBe(expected);
  });
});
