/** The authors' reward against what their own code said of the same table (tests/fixtures/generate/papo_math.py). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gradeAnswer } from '../../../src/rewards/mathruler.ts';
import { papoFormat, papoScore } from '../../../src/rewards/papo-math.ts';
import { rewardFunctions } from '../../../src/rewards/rewards.ts';

interface Fixture {
  families: string[][];
  right: Record<string, string[]>;
  completions: { completion: string; answer: string; overall: number; format: number; accuracy: number }[];
}
const fixture = JSON.parse(
  await readFile(join(import.meta.dirname, '../../fixtures/papo-math.json'), 'utf8'),
) as Fixture;

/** √x² and (√x)² are told apart by sympy alone, which thinks of complex x. */
const known = new Set(['sqrt(x^2) | (sqrt(x))^2', '(sqrt(x))^2 | sqrt(x^2)']);

it('grades 7,805 pairs of answers as mathruler does, but for two', () => {
  const pairs = new Map(
    fixture.families.flatMap((family) =>
      family.flatMap((given) => family.map((truth) => [`${given} | ${truth}`, { given, truth }] as const)),
    ),
  );
  const differ: string[] = [];
  for (const [key, { given, truth }] of pairs) {
    const theirs = fixture.right[truth]?.includes(given) ?? false;
    if (gradeAnswer(given, truth) !== theirs) differ.push(key);
  }
  expect(pairs.size).toBe(7805);
  expect(new Set(differ)).toEqual(known);
});

it.each(fixture.completions)('$completion for $answer', async ({ completion, answer, ...score }) => {
  expect(papoScore(completion, answer)).toEqual(score);
  const args = { prompts: ['q'], completions: [completion], answer: [answer] };
  expect(await rewardFunctions.papo_math(args)).toEqual([score.overall]);
  expect(await rewardFunctions.papo_accuracy(args)).toEqual([score.accuracy]);
  expect(await rewardFunctions.papo_format(args)).toEqual([score.format]);
});

describe('hostile texts take linear time', () => {
  const n = 100_000;
  it.each([
    ['nothing but spaces', ' '.repeat(n)],
    ['spaces around brackets', `${' '.repeat(n)}<`.repeat(1)],
    ['many brackets', '< '.repeat(n / 2)],
    ['many thoughts', '<think></think>'.repeat(n / 15)],
    ['many boxes', `<think></think>${'\\boxed{'.repeat(n / 7)}`],
    ['nested braces', `<think></think>\\boxed{${'{'.repeat(n)}${'}'.repeat(n)}}`],
    ['nested fractions', `<think></think>\\boxed{${'\\frac{'.repeat(n / 6)}${'}'.repeat(n / 6)}}`],
    ['fractions of fractions', `<think></think>\\boxed{${'\\frac'.repeat(n / 5)}}`],
    ['roots', `<think></think>\\boxed{${'\\sqrt '.repeat(n / 6)}3}`],
    ['roots with open brackets', `<think></think>\\boxed{${'\\sqrt['.repeat(n / 6)}3}`],
    ['digits', `<think></think>\\boxed{${'1'.repeat(n)}}`],
    ['thousands', `<think></think>\\boxed{1${',000'.repeat(n / 4)}}`],
    ['minus signs', `<think></think>\\boxed{${'- '.repeat(n / 2)}3}`],
    ['spaced digits', `<think></think>\\boxed{${'1 '.repeat(n / 2)}}`],
    ['units', `<think></think>\\boxed{${'cm '.repeat(n / 3)}}`],
    ['parentheses', `<think></think>\\boxed{${'('.repeat(n)}}`],
    ['text in text', `\\boxed{${'\\text{'.repeat(n / 6)}${'}'.repeat(n / 6)}}`],
    ['powers', `\\boxed{${'^'.repeat(n)}}`],
    ['slashes', `\\boxed{${'1/'.repeat(n / 2)}1}`],
  ])('%s', (_, completion) => {
    const start = performance.now();
    for (const answer of ['3', '\\frac{1}{2}', completion]) papoScore(completion, answer);
    papoFormat(completion);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
