/** Which prompts of a step are shown, and in which order. */
import type { GroupView } from '../../worker/protocol.ts';

export const FILTERS = ['all', 'spread', 'perception', 'reasoning', 'format'] as const;
export type Filter = (typeof FILTERS)[number];

export const ORDERS = ['drawn', 'kl-down', 'kl-up'] as const;
export type Order = (typeof ORDERS)[number];

/** Without a spread of rewards all advantages are 0: such a group teaches the policy term nothing. */
const fits = ({ completions }: GroupView, filter: Filter): boolean => {
  if (filter === 'all') return true;
  if (filter === 'spread') return completions.some(({ advantage }) => advantage !== 0);
  return completions.some(({ error }) => error === filter);
};

export function select(groups: readonly GroupView[], filter: Filter, order: Order): readonly GroupView[] {
  const chosen = groups.filter((group) => fits(group, filter));
  if (order === 'drawn') return chosen;
  const sign = order === 'kl-down' ? -1 : 1;
  // Unknown ones come last.
  const key = ({ meanKl }: GroupView) =>
    typeof meanKl === 'number' ? sign * meanKl : Number.POSITIVE_INFINITY;
  return chosen.sort((a, b) => (key(a) === key(b) ? 0 : key(a) - key(b)));
}
