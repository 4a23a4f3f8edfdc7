/**
 * Rewards for the answers of real questions: numbers, choices, short texts. What each accepts stands in docs/rewards.md
 * and in its test's table. All compare givenAnswer of the completion with givenAnswer of the row's answer.
 */
import { type Choices, choiceScore, readChoices, readLetters } from './choice.ts';
import { scored } from './columns.ts';
import { givenAnswer } from './given-answer.ts';
import { gradeAnswer } from './mathruler.ts';
import { readQuantity, sameQuantity, type Tolerance } from './number.ts';
import { papoFormat, papoScore } from './papo-math.ts';
import type { RewardArgs, RewardFunction, Rewards } from './rewards.ts';
import { containsText, sameText } from './short-text.ts';
import { hasThinkFormat } from './think-format.ts';

type Judge = (
  given: string | null,
  expected: string,
  args: RewardArgs,
  row: number,
) => number | boolean | null;

/** A reward that compares answers. */
function comparing(name: string, judge: Judge): (args: RewardArgs) => Rewards {
  return (args) =>
    scored(args, name, (completion, answer, row) => {
      if (answer === '') return null;
      const verdict = judge(givenAnswer(completion), givenAnswer(answer) ?? answer, args, row);
      return verdict === null ? null : Number(verdict);
    });
}

/** Whether the given number is the expected one; null where the answer is no number. */
function sameNumber(given: string | null, expected: string, tolerance?: Tolerance): boolean | null {
  const wanted = readQuantity(expected);
  if (!wanted) return null;
  const found = given === null ? null : readQuantity(given);
  return found !== null && sameQuantity(found, wanted, tolerance);
}

/** A row's own tolerance: a finite number, at least 0, in its column `tolerance`. */
function toleranceOf(args: RewardArgs, row: number): number | undefined {
  const value = args.tolerance?.[row];
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
}

const choicesOf = (args: RewardArgs, row: number): Choices | null =>
  readChoices(args.choices?.[row] ?? args.options?.[row], args.prompts[row] ?? '');

const numberAnswer = comparing('number_answer', (given, expected, args, row) =>
  sameNumber(given, expected, { absolute: toleranceOf(args, row) }),
);

/** ChartQA's relaxed accuracy: numbers to 5 % of the answer, other answers as texts. */
const relaxedAccuracy = comparing(
  'relaxed_accuracy',
  (given, expected) =>
    sameNumber(given, expected, { relative: 0.05 }) ?? (given !== null && sameText(given, expected)),
);

const choiceLetter = comparing('choice_letter', (given, expected, args, row) =>
  choiceScore(given, expected, choicesOf(args, row)),
);

const shortText = comparing('short_text', (given, expected) => given !== null && sameText(given, expected));

/** Whether the answer's words stand in what follows the thought, box or not. */
const textContains = comparing(
  'text_contains',
  (given, expected) => given !== null && containsText(given, expected),
);

/** Whatever the answer is: a choice where it names one, else equal as a number, a text or an expression. */
const answerMatch = comparing('answer_match', (given, expected, args, row) => {
  if (given === null) return false;
  const choices = choicesOf(args, row);
  if (choices || readLetters(expected)) {
    const score = choiceScore(given, expected, choices);
    if (score !== null) return score;
  }
  return (
    sameText(given, expected) ||
    (sameNumber(given, expected, { absolute: toleranceOf(args, row) }) ?? gradeAnswer(given, expected))
  );
});

/** Whether a completion answers a row right, by answer_match. */
export function answersRight(
  completion: string,
  row: {
    readonly prompt: string;
    readonly answer: string | null;
    readonly columns: Readonly<Record<string, unknown>>;
  },
): boolean {
  const columns = Object.fromEntries(Object.entries(row.columns).map(([name, value]) => [name, [value]]));
  const args = { ...columns, prompts: [row.prompt], completions: [completion], answer: [row.answer] };
  return answerMatch(args)[0] === 1;
}

const papo = (name: string, part: 'overall' | 'accuracy') => (args: RewardArgs) =>
  scored(args, name, (completion, answer) => papoScore(completion, answer)[part]);

/** By name. */
export const answerRewards = {
  number_answer: numberAnswer,
  relaxed_accuracy: relaxedAccuracy,
  choice_letter: choiceLetter,
  short_text: shortText,
  text_contains: textContains,
  answer_match: answerMatch,
  think_format: ({ completions }) => completions.map((completion) => (hasThinkFormat(completion) ? 1 : 0)),
  papo_math: papo('papo_math', 'overall'),
  papo_accuracy: papo('papo_accuracy', 'accuracy'),
  papo_format: ({ completions }) => completions.map(papoFormat),
} satisfies Record<string, RewardFunction>;
