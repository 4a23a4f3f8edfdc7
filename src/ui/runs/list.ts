/** Which of the kept runs are listed, and in what order: starred ones first. */
import type { RunSummary } from '../../worker/protocol.ts';

export const SORTS = ['newest', 'name', 'accuracy', 'size'] as const;
export type Sort = (typeof SORTS)[number];

export interface Listing {
  readonly search: string;
  readonly sort: Sort;
  readonly onlyStarred: boolean;
}

const orders: Readonly<Record<Sort, (a: RunSummary, b: RunSummary) => number>> = {
  newest: (a, b) => b.createdAt - a.createdAt,
  name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
  accuracy: (a, b) => (b.bestMetric ?? -1) - (a.bestMetric ?? -1),
  size: (a, b) => b.bytes - a.bytes,
};

export function listed(
  runs: readonly RunSummary[],
  { search, sort, onlyStarred }: Listing,
): readonly RunSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ name, notes, task, model, changes }: RunSummary) => {
    const own = [name, notes, task, model, ...(changes ?? []).flatMap((c) => [c.name, c.after ?? ''])]
      .join(' ')
      .toLowerCase();
    return words.every((word) => own.includes(word));
  };
  return runs
    .filter((run) => fits(run) && (!onlyStarred || run.isStarred))
    .sort((a, b) => Number(b.isStarred) - Number(a.isStarred) || orders[sort](a, b));
}
