import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalWords, sameText } from '../../../src/rewards/short-text.ts';
import { hostileTexts, rewardOf } from './cases.ts';

describe('short_text', () => {
  it.each<readonly [string, unknown, number | null]>([
    ['red', 'red', 1],
    ['Red', 'red', 1],
    [' RED. ', 'red', 1],
    ['the red', 'red', 1],
    ['a red', 'the red', 1],
    ['"red"', 'red', 1],
    ['\\text{red}', 'red', 1],
    ['\\textbf{Red}', 'red', 1],
    ['**red**', 'red', 1],
    ['red  circle', 'red circle', 1],
    ['red\ncircle', 'red circle', 1],
    ['red-circle', 'red circle', 1],
    ['redcircle', 'red circle', 0],
    ['red', 'blue', 0],
    ['red circle', 'red', 0],
    ['reddish', 'red', 0],
    ['two', '2', 1],
    ['2', 'Two', 1],
    ['two dogs', '2 dogs', 1],
    ['twenty', '20', 1],
    ['zero', '0', 1],
    ['ten', '11', 0],
    ['1,000', '1000', 1],
    ['3.5', '3.5', 1],
    ['3.5', '35', 0],
    ['-5', '5', 0],
    ['−5', '-5', 1],
    ['3-4', '3 4', 1],
    ['1/2', '12', 0],
    ['3:45', '3:45', 1],
    ['3:45', '345', 0],
    ['50%', '50', 0],
    ['50%', '50 %', 0],
    ['C++', 'C', 0],
    ['café', 'cafe', 1],
    ['Zürich', 'zurich', 1],
    ['straße', 'STRASSE', 1],
    ['ﬁre', 'fire', 1],
    ['ｒｅｄ', 'red', 1],
    ["don't", 'dont', 1],
    ['don’t', "don't", 1],
    ['yes', 'Yes', 1],
    ['yes, it is', 'yes', 0],
    ['a', 'a', 1],
    ['The', 'the', 1],
    ['a', 'the', 0],
    ['+', '+', 1],
    ['!', '!', 1],
    ['!', '?', 0],
    ['猫', '猫', 1],
    ['猫。', '猫', 1],
    ['کتاب', 'کتاب', 1],
    ['', 'red', 0],
    ['red', '', null],
    ['red', null, null],
    ['3', 3, 1],
  ])('%j for %j: %j', async (given, answer, reward) => {
    expect(await rewardOf('short_text', { completion: `\\boxed{${given}}`, answer })).toBe(reward);
  });

  it('reads the answer without a box, and not the thought', async () => {
    expect(await rewardOf('short_text', { completion: '<think> blue </think> Red.', answer: 'red' })).toBe(1);
    expect(await rewardOf('short_text', { completion: '<think> red', answer: '<think> red' })).toBe(0);
    expect(await rewardOf('short_text', { completion: 'The answer is: red.', answer: 'red' })).toBe(1);
  });

  it('a text is itself in any case, width and spacing, and normal words stay as they are', () => {
    const word = fc
      .stringMatching(/^[a-z]{2,8}$/)
      .filter((text) => text !== 'an' && !normalWords(text)[0].match(/\d/));
    fc.assert(
      fc.property(
        fc.array(
          word.filter((text) => text !== 'the'),
          { minLength: 1, maxLength: 5 },
        ),
        (words) => {
          const text = words.join(' ');
          expect(normalWords(text)).toEqual(words);
          for (const other of [
            text.toUpperCase(),
            `The ${words.join('  ')}.`,
            `"${text}"`,
            `\\text{${text}}`,
          ])
            expect(sameText(other, text), other).toBe(true);
        },
      ),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => sameText(text, text)));
  });
});

describe('text_contains', () => {
  it.each<readonly [string, unknown, number | null]>([
    ['\\boxed{it is red}', 'red', 1],
    ['\\boxed{Red}', 'red', 1],
    ['\\boxed{reddish}', 'red', 0],
    ['\\boxed{a big red circle}', 'the red circle', 1],
    ['\\boxed{red big circle}', 'red circle', 0],
    ['<think> blue </think> The car is red, I think.', 'red', 1],
    ['<think> red </think> The car is blue.', 'red', 0],
    ['yes, it is', 'Yes', 1],
    ['two dogs', '2', 1],
    ['12 dogs', '2', 0],
    ['\\boxed{x} red', 'red', 0],
    ['', 'red', 0],
    ['red', null, null],
    ['red', '', null],
    ['red!', '!', 0],
    [`${'x '.repeat(50_000)}red`, 'red', 1],
  ])('%j for %j: %j', async (completion, answer, reward) => {
    expect(await rewardOf('text_contains', { completion, answer })).toBe(reward);
  });
});

it('hostile texts cost nothing', async () => {
  const start = performance.now();
  for (const [, text] of hostileTexts) {
    for (const name of ['short_text', 'text_contains']) {
      await rewardOf(name, { completion: text, answer: 'red' });
      await rewardOf(name, { completion: '\\boxed{red}', answer: text });
    }
  }
  expect((performance.now() - start) / hostileTexts.length).toBeLessThan(500);
});
