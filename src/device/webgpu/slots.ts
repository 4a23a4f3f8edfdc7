/**
 * Memory for values of known size and lifetime: values whose lifetimes do not overlap share a slot. Greedy by size
 * ("shared objects", arXiv 2001.03288, algorithm 2): the largest first, each into the smallest slot that is free
 * during its life and large enough (they all are, in this order).
 */
import { roundUp } from './flags.ts';

export interface Lifetime {
  readonly bytes: number;
  /** First and last position, both included, in the order of execution. */
  readonly first: number;
  readonly last: number;
}

export const slotGranularity = 256;

export interface Slot<T> {
  readonly bytes: number;
  /** The value it was made for. */
  readonly largest: T;
}

/** Returns the slot of each value, and the slots. */
export function assignSlots<T extends Lifetime>(
  values: readonly T[],
): { slotOf: number[]; slots: Slot<T>[] } {
  const slots: (Slot<T> & { taken: Lifetime[] })[] = [];
  const slotOf = new Array<number>(values.length);
  const order = values.map((_, i) => i).sort((i, j) => values[j].bytes - values[i].bytes || i - j);
  for (const i of order) {
    const value = values[i];
    // Slots are made in descending size: the last one that is free fits best.
    let slot = slots.length - 1;
    while (slot >= 0 && !insert(slots[slot].taken, value)) slot--;
    if (slot < 0) {
      slot = slots.length;
      const bytes = roundUp(Math.max(value.bytes, 4), slotGranularity);
      slots.push({ bytes, largest: value, taken: [value] });
    }
    slotOf[i] = slot;
  }
  return { slotOf, slots };
}

/** Puts `value` among lifetimes sorted by position, unless it overlaps one of them. */
function insert(taken: Lifetime[], value: Lifetime): boolean {
  let low = 0;
  let high = taken.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (taken[middle].first < value.first) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && taken[low - 1].last >= value.first) return false;
  if (low < taken.length && taken[low].first <= value.last) return false;
  taken.splice(low, 0, value);
  return true;
}
