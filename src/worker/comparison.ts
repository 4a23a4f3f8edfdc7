/** What differs between two settings trained with the same seeds, by how much, and how sure that is. */
import {
  type Difference,
  holm,
  meanDifference,
  meanOf,
  shareDifference,
  shareInterval,
} from '../data/statistics.ts';
import {
  type ComparedQuantity,
  type ComparisonResult,
  type MeasuredPair,
  QUANTITIES,
  type Quantity,
  type RunMeasure,
} from './evaluation-protocol.ts';

const shares: readonly Quantity[] = [
  'accuracy',
  'masked_accuracy',
  'blank_accuracy',
  'format_errors',
  'perception_errors',
];

/**
 * With one seed questions are what repeats: nothing follows for other seeds. With several, a seed is one number, the
 * difference of its two means.
 */
export function compareRuns(pairs: readonly MeasuredPair[]): ComparisonResult {
  const over = pairs.length > 1 ? 'seeds' : 'questions';
  const [{ first }] = pairs;
  const present = QUANTITIES.filter((quantity) =>
    pairs.every((pair) => has(pair.first, quantity) && has(pair.second, quantity)),
  );
  const compared = present.map((quantity): Omit<ComparedQuantity, 'adjusted'> => {
    const isShare = shares.includes(quantity);
    if (over === 'seeds') {
      const means = (arm: 'first' | 'second') => pairs.map((pair) => meanOf(pair[arm].values[quantity]!));
      const [a, b] = [means('first'), means('second')];
      const difference = meanDifference(b.map((value, i) => value - a[i]));
      return {
        quantity,
        first: isShare ? within(meanDifference(a), 0) : meanDifference(a),
        second: isShare ? within(meanDifference(b), 0) : meanDifference(b),
        difference: isShare ? within(difference, -1) : difference,
      };
    }
    const [a, b] = [pairs[0].first, pairs[0].second].map((run) => run.values[quantity]!);
    const differences = b.map((value, i) => value - a[i]);
    return isShare
      ? {
          quantity,
          first: shareInterval(a, pairs[0].first.samples),
          second: shareInterval(b, pairs[0].second.samples),
          difference: shareDifference(differences),
        }
      : {
          quantity,
          first: meanDifference(a),
          second: meanDifference(b),
          difference: meanDifference(differences),
        };
  });
  const others = holm(compared.slice(1).map(({ difference }) => difference.p));
  return {
    over,
    seeds: pairs.length,
    questions: first.values.accuracy?.length ?? 0,
    quantities: compared.map((one, i) => ({ ...one, adjusted: i === 0 ? one.difference.p : others[i - 1] })),
  };
}

/** A share cannot be below 0 or above 1, whatever two seeds make of it; NaN stays. */
const within = (interval: Difference, least: number): Difference => ({
  ...interval,
  low: Math.max(least, interval.low),
  high: Math.min(1, interval.high),
});

const has = ({ values }: RunMeasure, quantity: Quantity) => (values[quantity]?.length ?? 0) > 0;
