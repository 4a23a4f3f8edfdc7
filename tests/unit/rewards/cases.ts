/** Calls of built-in rewards for tables of cases. */
import { computeRewards, rewardFunction } from '../../../src/rewards/rewards.ts';

export interface Case {
  readonly completion: string;
  readonly answer: unknown;
  readonly prompt?: string;
  readonly columns?: Readonly<Record<string, unknown>>;
}

/** The reward of one completion. */
export async function rewardOf(name: string, { completion, answer, prompt = 'q', columns = {} }: Case) {
  const extra = Object.fromEntries(Object.entries(columns).map(([key, value]) => [key, [value]]));
  const args = { ...extra, prompts: [prompt], completions: [completion], answer: [answer] };
  return (await computeRewards(name, rewardFunction(name), args))[0];
}

/** Texts that nobody should have to wait for, 100,000 characters each. */
export const hostileTexts: readonly (readonly [string, string])[] = (
  [
    ['', ' ', '\\', '{', '}', '\\boxed{', '\\boxed', '\\fbox{', '\\frac{', '\\frac', '\\sqrt{', '\\sqrt['],
    ['\\text{', '\\left', '$', '$1', '1', '1,', '1,000', '1.', '1/', '1 ', '-', '- ', '^', '^{', '(', '()'],
    ['π', '√', '½', '²', 'a', 'A', 'A ', 'A. ', '(A) ', 'A, ', 'the ', 'answer is ', 'answer ', '<answer>'],
    ['<think>', '</think>', '<think></think>', 'cm ', '%', 'e', '1e', '=', '~', "'", '.', ', ', '😀', '\n'],
  ] as const
)
  .flat()
  .flatMap((piece) => {
    const text = piece.repeat(piece ? Math.ceil(100_000 / piece.length) : 0).slice(0, 100_000);
    return [
      [piece, text] as const,
      [`<think></think>\\boxed{${piece}…`, `<think> a </think> \\boxed{${text}}`] as const,
    ];
  });
