/** How often each answer was sampled, with and without the mask: what the page draws as bars. */
import { shareInterval } from '../data/statistics.ts';
import type { AnswerShare, Share } from './lab-protocol.ts';

/** Answers with a row of their own. */
const mostRows = 6;

/**
 * Answers of the samples of either view (`masked` null where there is no mask), most frequent first; the right answer
 * always has its row. null stands for a completion that boxes nothing.
 */
export function answerShares(
  image: readonly (string | null)[],
  masked: readonly (string | null)[] | null,
  right: string | null,
): AnswerShare[] {
  const counts = new Map<string | null, [image: number, masked: number]>();
  const of = (answer: string | null) => {
    const known = counts.get(answer);
    if (known) return known;
    const fresh: [number, number] = [0, 0];
    counts.set(answer, fresh);
    return fresh;
  };
  for (const answer of image) of(answer)[0]++;
  for (const answer of masked ?? []) of(answer)[1]++;
  if (right !== null) of(right);
  const none = counts.get(null);
  counts.delete(null);
  // By the larger of the two shares; the right one keeps its row in any case.
  const rank = ([answer, [a, b]]: [string | null, [number, number]]) =>
    answer === right ? Number.POSITIVE_INFINITY : Math.max(a, b);
  const ranked = [...counts].sort((a, b) => rank(b) - rank(a));
  const shown = ranked.slice(0, mostRows).sort(([, a], [, b]) => b[0] - a[0] || b[1] - a[1]);
  const rest = ranked.slice(mostRows).map(([, pair]) => pair);
  const row = (kind: AnswerShare['kind'], answer: string, [a, b]: readonly number[]): AnswerShare => ({
    kind,
    answer,
    image: shareOf(a, image.length),
    masked: masked && shareOf(b, masked.length),
  });
  const rows = shown.map(([answer, pair]) => row('answer', answer ?? '', pair));
  if (rest.length)
    rows.push(
      row(
        'other',
        '',
        [0, 1].map((view) => rest.reduce((sum, pair) => sum + pair[view], 0)),
      ),
    );
  if (none) rows.push(row('none', '', none));
  return rows;
}

/** A share with its 95 % interval; every completion is drawn alone. */
function shareOf(count: number, n: number): Share {
  const { estimate, low, high } = shareInterval(
    Array.from({ length: n }, (_, i) => (i < count ? 1 : 0)),
    1,
  );
  return { count, share: estimate, low, high };
}
