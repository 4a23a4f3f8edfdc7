import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readChoices, readLetters } from '../../../src/rewards/choice.ts';
import { hostileTexts, rewardOf } from './cases.ts';

describe('letters', () => {
  it.each<readonly [string, string]>([
    ...([
      ['B', 'B'],
      ['b', 'B'],
      [' B ', 'B'],
      ['(B)', 'B'],
      ['(b)', 'B'],
      ['[B]', 'B'],
      ['B.', 'B'],
      ['B)', 'B'],
    ] as const),
    ...([
      ['B,', 'B'],
      ['Ｂ', 'B'],
      ['\\text{B}', 'B'],
      ['\\textbf{(B)}', 'B'],
      ['\\mathrm{B}', 'B'],
      ['$B$', 'B'],
    ] as const),
    ...([
      ['**B**', 'B'],
      ['`B`', 'B'],
      ['B. 5 cm', 'B'],
      ['B) 5 cm', 'B'],
      ['(B) 5 cm', 'B'],
      ['B: red', 'B'],
    ] as const),
    ...([
      ['\\text{(B) } 5', 'B'],
      ['(b) red', 'B'],
      ['B.\nbecause', 'B'],
      ['option B', 'B'],
      ['Option B.', 'B'],
    ] as const),
    ...([
      ['choice (B)', 'B'],
      ['the answer is B', 'B'],
      ['The correct answer is (B) 5 cm', 'B'],
      ['Answer: B', 'B'],
    ] as const),
    ...([
      ['the correct option is B', 'B'],
      ['options A and C', 'AC'],
      ['A, C', 'AC'],
      ['C, A', 'AC'],
      ['A and C', 'AC'],
    ] as const),
    ...([
      ['AC', 'AC'],
      ['ABD', 'ABD'],
      ['(A), (C)', 'AC'],
      ['A; C', 'AC'],
      ['A & C', 'AC'],
      ['J', 'J'],
      ['A, A', 'A'],
    ] as const),
  ])('%j: %s', (text, letters) => {
    expect(readLetters(text)).toBe(letters);
  });

  it.each([
    ...[
      '',
      ' ',
      'A cat',
      'a cat',
      'K',
      'Z',
      '5',
      '5 cm',
      'BAD',
      'CAB',
      'Because',
      'red',
      'b) red',
      'ABCDEFGH',
    ],
    ...['option', 'the answer', '()', '(', 'A cat, and B', 'x', 'be', 'a b', 'Be. Here', 'answer'],
  ])('%j: none', (text) => {
    expect(readLetters(text)).toBe(null);
  });
});

describe('choices', () => {
  const expected = [
    ['A', '5 cm'],
    ['B', '6 cm'],
    ['C', '7 cm'],
  ];
  it.each<readonly [string, unknown, string]>([
    ['a list', ['5 cm', '6 cm', '7 cm'], ''],
    ['a list with letters', ['A. 5 cm', 'B. 6 cm', 'C. 7 cm'], ''],
    ['a list with letters in parentheses', ['(A) 5 cm', '(B) 6 cm', '(C) 7 cm'], ''],
    ['an object', { A: '5 cm', B: '6 cm', C: '7 cm' }, ''],
    ['JSON of a list', '["5 cm", "6 cm", "7 cm"]', ''],
    ['JSON of an object', '{"A": "5 cm", "B": "6 cm", "C": "7 cm"}', ''],
    ['lines of the prompt', null, 'How long?\nA. 5 cm\nB. 6 cm\nC. 7 cm'],
    [
      'lines in parentheses',
      undefined,
      'How long is AB?\n(A) 5 cm\n(B) 6 cm\n(C) 7 cm\nAnswer with a letter.',
    ],
    ['a line', null, 'How long? A. 5 cm B. 6 cm C. 7 cm'],
    ['a line with commas', null, 'How long? (A) 5 cm, (B) 6 cm, (C) 7 cm'],
    ['a later list', null, 'As in A. there: A) 5 cm; B) 6 cm; C) 7 cm'],
    ['Chinese marks', null, '多长？\nA、5 cm\nB、6 cm\nC、7 cm'],
  ])('in %s', (_, column, prompt) => {
    expect([...readChoices(column, prompt)!]).toEqual(expected);
  });

  it.each<readonly [string, unknown, string]>([
    ['nothing', null, ''],
    ['a question', null, 'How long is AB? A. Einstein asks.'],
    ['a list of one', ['a'], ''],
    ['a long list', Array(11).fill('a'), ''],
    ['a number', 5, ''],
    ['no JSON', '[', ''],
    ['letters out of order', null, '(B) x (A) y'],
  ])('none in %s', (_, column, prompt) => {
    expect(readChoices(column, prompt)).toBe(null);
  });
});

describe('choice_letter', () => {
  const choices = ['5 cm', '6 cm', 'red', 'none of the above'];
  it.each<readonly [string, unknown, unknown, number | null]>([
    ['B', 'B', null, 1],
    ['(B)', 'B', null, 1],
    ['b', '(B)', null, 1],
    ['\\text{B}', 'B', null, 1],
    ['B. 6 cm', 'B', choices, 1],
    ['A', 'B', choices, 0],
    ['6 cm', 'B', choices, 1],
    ['6', 'B', choices, 1],
    ['6\\,\\text{cm}', 'B', choices, 1],
    ['0.06 m', 'B', choices, 1],
    ['5', 'B', choices, 0],
    ['7', 'B', choices, 0],
    ['Red', 'C', choices, 1],
    ['the red', 'C', choices, 1],
    ['None of the above.', 'D', choices, 1],
    ['B', '6 cm', choices, 1],
    ['A', '6 cm', choices, 0],
    ['6cm', '6 cm', choices, 1],
    ['6 cm', 'B', null, 0],
    ['A and C', 'AC', choices, 1],
    ['CA', 'AC', choices, 0],
    ['A', 'AC', choices, 0],
    ['A', '8 cm', choices, null],
    ['A', '6 cm', null, null],
    ['A', null, choices, null],
    ['A', '', choices, null],
    ['', 'A', choices, 0],
    ['5 cm', 'A', ['5 cm', '5 cm'], 0],
    ['6 cm', 'B', '["5 cm","6 cm"]', 1],
  ])('%j for %j of %j: %j', async (given, answer, column, reward) => {
    for (const name of ['choices', 'options']) {
      const one = { completion: `<think> x </think> \\boxed{${given}}`, answer, columns: { [name]: column } };
      expect(await rewardOf('choice_letter', one)).toBe(reward);
    }
  });

  it('finds the choices in the prompt', async () => {
    const prompt = 'Find x.\nChoices:\nA. 30°\nB. 45°\nC. 60°';
    const one = { prompt, completion: '\\boxed{45^\\circ}', answer: 'B' };
    expect(await rewardOf('choice_letter', one)).toBe(1);
    expect(await rewardOf('choice_letter', { ...one, completion: '\\boxed{60}' })).toBe(0);
    expect(await rewardOf('choice_letter', { ...one, completion: 'Answer: (B)' })).toBe(1);
  });

  it('a letter in any form is the letter', async () => {
    const forms = [
      ...['%', '(%)', '[%]', '%.', '%)', '\\text{%}', '\\mathbf{%}', '**%**', 'option %', 'Answer: %', '$%$'],
      ...['% ', '%. five', '(%) five'],
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...'ABCDEFGHIJ'), fc.constantFrom(...forms), async (letter, form) => {
        const given = form.replace('%', letter);
        expect(await rewardOf('choice_letter', { completion: `\\boxed{${given}}`, answer: letter })).toBe(1);
        const other = letter === 'A' ? 'B' : 'A';
        expect(await rewardOf('choice_letter', { completion: `\\boxed{${given}}`, answer: other })).toBe(0);
      }),
    );
  });

  it('hostile texts cost nothing', async () => {
    const start = performance.now();
    for (const [, text] of hostileTexts) {
      await rewardOf('choice_letter', {
        completion: text,
        answer: 'A',
        prompt: text,
        columns: { choices: text },
      });
      await rewardOf('choice_letter', {
        completion: '\\boxed{A}',
        answer: text,
        columns: { choices: [text, 'a'] },
      });
    }
    expect((performance.now() - start) / hostileTexts.length).toBeLessThan(500);
  });
});
