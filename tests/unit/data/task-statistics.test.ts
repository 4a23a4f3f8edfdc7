/** Answer statistics against counting by hand. */
import { expect, test } from 'vitest';
import { generateQuestion } from '../../../src/data/examples.ts';
import { Tally } from '../../../src/worker/task-statistics.ts';

test('a few questions, counted by hand', () => {
  const tally = new Tally();
  const answers: [string | null, string?, string?, number?][] = [
    ['red', 'color', 'high', 20],
    ['red', 'color', 'low', 22],
    ['blue', 'color', 'high', 21],
    ['3', 'add', 'high', 25],
    [null, 'add', 'high', 30],
  ];
  for (const [answer, kind, visionDependency, promptTokens] of answers)
    tally.add({ answer, kind, visionDependency, promptTokens });
  expect(tally.result(false)).toEqual({
    questions: 5,
    isSample: false,
    kinds: [
      {
        kind: 'color',
        questions: 3,
        answers: [
          { name: 'red', count: 2 },
          { name: 'blue', count: 1 },
        ],
        distinct: 2,
        withoutAnswer: 0,
      },
      { kind: 'add', questions: 2, answers: [{ name: '3', count: 1 }], distinct: 1, withoutAnswer: 1 },
    ],
    // red, red and 3 of the four that have an answer.
    guessing: 0.75,
    dependencies: [
      { name: 'high', count: 4 },
      { name: 'low', count: 1 },
    ],
    promptTokens: { least: 20, median: 22, most: 30 },
  });
});

test('without answers, kinds and a model there is nothing to guess, and all is one', () => {
  const tally = new Tally();
  for (let i = 0; i < 3; i++) tally.add({ answer: null });
  expect(tally.result(true)).toEqual({
    questions: 3,
    isSample: true,
    kinds: [{ kind: null, questions: 3, answers: [], distinct: 0, withoutAnswer: 3 }],
    guessing: null,
    dependencies: [],
    promptTokens: null,
  });
});

test('many answers: the sixteen most frequent are listed, all are counted', () => {
  const tally = new Tally();
  for (let n = 1; n <= 40; n++) for (let k = 0; k < n; k++) tally.add({ answer: `${n}` });
  const [kind] = tally.result(false).kinds;
  expect(kind.distinct).toBe(40);
  expect(kind.answers).toHaveLength(16);
  expect(kind.answers.map(({ name }) => Number(name))).toEqual(Array.from({ length: 16 }, (_, i) => 40 - i));
});

test('a built-in task: guessing is right as often as always giving the commonest answers is', () => {
  const questions = Array.from({ length: 1500 }, (_, i) => generateQuestion(0, 'train', i, 'shapes'));
  const tally = new Tally();
  for (const { answer, kind, vision_dependency } of questions)
    tally.add({ answer, kind, visionDependency: vision_dependency });
  const { guessing, kinds, dependencies } = tally.result(true);
  const guess = Object.fromEntries(kinds.map((kind) => [kind.kind, kind.answers[0].name]));
  const right = questions.filter(({ kind, answer }) => guess[kind] === answer).length;
  expect(guessing).toBeCloseTo(right / questions.length, 12);
  for (const { name, count } of dependencies)
    expect(count).toBe(questions.filter((q) => q.vision_dependency === name).length);
});
