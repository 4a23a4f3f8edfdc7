/** The sentence that a comparison ends with: never more than the numbers show. */
import type { ComparedQuantity, ComparisonResult } from '../../worker/evaluation-protocol.ts';
import { percent } from '../parts/format.ts';
import { leavesOutZero, points } from '../parts/intervals.ts';
import { text } from '../text.ts';

const t = text.compare.sentence;

/** About the main quantity, the first. */
export function sentenceOf(
  { over, seeds, questions, quantities }: ComparisonResult,
  names: readonly string[],
): string {
  const [{ first, second, difference }] = quantities;
  const shares = [first, second].map(({ estimate }) => percent(estimate, 1));
  const basis = over === 'seeds' ? t.seeds(seeds, questions) : t.oneSeed(questions);
  const size = points(Math.abs(difference.estimate)).replace('+', '');
  const signed = points(difference.estimate);
  const [low, high] = [points(difference.low), points(difference.high)];
  const finding = Number.isNaN(difference.low)
    ? t.unknown(names, signed)
    : leavesOutZero(difference)
      ? t.shown(names, difference.estimate > 0, size, low, high)
      : t.open(names, signed, low, high);
  return [t.numbers(names, shares, basis), finding, over === 'seeds' ? t.overSeeds : t.onlyOneSeed].join(' ');
}

export function verdictOf({ adjusted }: ComparedQuantity): string {
  const { verdicts } = text.compare;
  return Number.isNaN(adjusted) ? verdicts.unknown : adjusted < 0.05 ? verdicts.differs : verdicts.open;
}
