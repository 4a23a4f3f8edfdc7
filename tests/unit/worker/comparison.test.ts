/** What two runs differ in: which statistics are taken over what, and that nothing is claimed without them. */
import { describe, expect, it } from 'vitest';
import { holm, meanDifference, shareDifference, shareInterval } from '../../../src/data/statistics.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';
import { compareRuns } from '../../../src/worker/comparison.ts';
import type { MeasuredPair, RunMeasure } from '../../../src/worker/evaluation-protocol.ts';

const random = new RandomStream(3, Purpose.test);
const coins = (n: number, chance: number) => Array.from({ length: n }, () => Number(random.next() < chance));

function measure(chance: number, seconds = 0.5): RunMeasure {
  const values = {
    accuracy: coins(64, chance),
    masked_accuracy: coins(64, 0.3),
    blank_accuracy: coins(64, 0.1),
    format_errors: coins(64, 0.05),
    perception_kl: Array.from({ length: 64 }, () => random.next()),
    entropy: Array.from({ length: 64 }, () => random.next()),
    seconds: [seconds],
  };
  return { samples: 1, values };
}

const pair = (seed: number, a: number, b: number): MeasuredPair => ({
  seed,
  first: measure(a),
  second: measure(b, 0.75),
});
const subtract = (b: readonly number[] = [], a: readonly number[] = []) => b.map((v, i) => v - a[i]);
const mean = (values: readonly number[] = []) => values.reduce((a, b) => a + b, 0) / values.length;

describe('a comparison', () => {
  it('with one seed pairs questions', () => {
    const one = pair(1, 0.3, 0.9);
    const result = compareRuns([one]);
    expect(result).toMatchObject({ over: 'questions', seeds: 1, questions: 64 });
    // Without a known world perception errors are not told.
    expect(result.quantities.map(({ quantity }) => quantity)).toEqual([
      'accuracy',
      'masked_accuracy',
      'blank_accuracy',
      'format_errors',
      'perception_kl',
      'entropy',
      'seconds',
    ]);
    const [accuracy, , , , kl, , seconds] = result.quantities;
    const values = (arm: 'first' | 'second') => one[arm].values;
    expect(accuracy.first).toEqual(shareInterval(values('first').accuracy!, 1));
    expect(accuracy.difference).toEqual(
      shareDifference(subtract(values('second').accuracy, values('first').accuracy)),
    );
    expect(kl.difference).toEqual(
      meanDifference(subtract(values('second').perception_kl, values('first').perception_kl)),
    );
    // One number a run: a difference, and nothing to tell its uncertainty from.
    expect(seconds.difference).toMatchObject({ estimate: 0.25, low: Number.NaN, p: Number.NaN });
    expect(seconds.adjusted).toBeNaN();
  });

  it('with several seeds pairs seeds, whatever the questions say', () => {
    const pairs = [1, 2, 3].map((seed) => pair(seed, 0.5, 0.6));
    const result = compareRuns(pairs);
    expect(result).toMatchObject({ over: 'seeds', seeds: 3 });
    const [accuracy] = result.quantities;
    expect(accuracy.difference).toEqual(
      meanDifference(
        pairs.map(({ first, second }) => mean(second.values.accuracy) - mean(first.values.accuracy)),
      ),
    );
    expect(accuracy.difference.n).toBe(3);
  });

  it('keeps shares between 0 and 1', () => {
    const { quantities } = compareRuns([pair(1, 0.1, 0.9), pair(2, 0.9, 0.95)]);
    for (const { quantity, first, second } of quantities.slice(0, 3))
      for (const { low, high } of [first, second]) {
        expect(low, quantity).toBeGreaterThanOrEqual(0);
        expect(high, quantity).toBeLessThanOrEqual(1);
      }
  });

  it('corrects all but the quantity chosen beforehand for looking at several', () => {
    const { quantities } = compareRuns([pair(1, 0.5, 0.55)]);
    expect(quantities[0].adjusted).toBe(quantities[0].difference.p);
    expect(quantities.slice(1).map(({ adjusted }) => adjusted)).toEqual(
      holm(quantities.slice(1).map(({ difference }) => difference.p)),
    );
    for (const { adjusted, difference } of quantities)
      if (!Number.isNaN(adjusted)) expect(adjusted).toBeGreaterThanOrEqual(difference.p);
  });
});
