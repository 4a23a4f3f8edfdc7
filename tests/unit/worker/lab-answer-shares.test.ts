/** Answers counted by view, with rows that are few and never lose the right one. */
import { describe, expect, it } from 'vitest';
import { answerShares } from '../../../src/worker/answer-shares.ts';

const times = (answer: string | null, count: number) => Array<string | null>(count).fill(answer);

describe('answerShares', () => {
  it('counts both views, the most frequent with the picture first, with Wilson’s intervals', () => {
    const rows = answerShares(
      [...times('square', 32), ...times('circle', 32)],
      [...times('circle', 48), ...times(null, 16)],
      'square',
    );
    expect(rows.map(({ kind, answer }) => [kind, answer])).toEqual([
      ['answer', 'circle'],
      ['answer', 'square'],
      ['none', ''],
    ]);
    expect(rows[1].image).toMatchObject({ count: 32, share: 0.5 });
    // z² = 3.8415: (0.5 + z²/128 ± z √(0.25/64 + z²/16384)) / (1 + z²/64), by hand.
    expect(rows[1].image.low).toBeCloseTo(0.381, 3);
    expect(rows[1].image.high).toBeCloseTo(0.619, 3);
    expect(rows[1].masked).toMatchObject({ count: 0, share: 0 });
    expect(rows[1].masked!.low).toBeCloseTo(0, 12);
    expect(rows[1].masked!.high).toBeCloseTo(0.0566, 4);
    expect(rows[2]).toMatchObject({ image: { count: 0 }, masked: { count: 16 } });
  });

  it('sums up what has no row of its own; the right answer always has one', () => {
    const many = Array.from({ length: 10 }, (_, i) => times(`@${i}`, 10 - i)).flat();
    const rows = answerShares(many, null, '@99');
    expect(rows.map(({ kind }) => kind)).toEqual([...Array(6).fill('answer'), 'other']);
    expect(rows.at(-2)).toMatchObject({ answer: '@99', image: { count: 0 }, masked: null });
    expect(rows.reduce((sum, { image }) => sum + image.count, 0)).toBe(many.length);
  });
});
