// DAPO's dynamic sampling: prompts that every completion gets right, or wrong, have no advantage and teach nothing,
// so others are drawn in their place (arXiv 2507.06448 Eq. 3: 0 < #correct < G, at most 20 retries).

import type { Reward } from './advantages.ts';

/** rewards [G] of one group: at least two that differ. With rewards 0 and 1 that is 0 < #correct < G. */
export function isInformative(rewards: readonly Reward[]): boolean {
  const scored = rewards.filter((reward) => reward !== null && !Number.isNaN(reward));
  return scored.some((reward) => reward !== scored[0]);
}

export interface GroupSelection {
  /** Numbers of the informative groups that are kept, at most `wanted`, in the order given. */
  kept: number[];
  /** Numbers of the groups without a reward spread. */
  uninformative: number[];
  /** Groups still wanted. */
  missing: number;
}

/** groups [n][G] of rewards. */
export function selectInformativeGroups(
  groups: readonly (readonly Reward[])[],
  wanted: number,
): GroupSelection {
  const kept: number[] = [];
  const uninformative: number[] = [];
  groups.forEach((rewards, i) => {
    if (!isInformative(rewards)) uninformative.push(i);
    else if (kept.length < wanted) kept.push(i);
  });
  return { kept, uninformative, missing: wanted - kept.length };
}

export interface DynamicBatch<Group> {
  /** [wanted]: the informative groups first. */
  groups: Group[];
  informative: number;
  /** Draws after the first. */
  retries: number;
  /** Groups drawn in all. */
  drawn: number;
}

/**
 * Draws until `wanted` groups are informative, at most 1 + maxRetries times. `draw(attempt, missing)` generates at
 * least one group; it may give more than are missing. When the retries are spent, uninformative groups fill the batch
 * (their advantages are 0, so shapes stay and nothing is learnt from them); the authors' code stops there with an
 * error. Fewer than `wanted` come back only where fewer were drawn.
 */
export async function drawInformativeGroups<Group>(
  draw: (attempt: number, missing: number) => Promise<readonly Group[]>,
  rewardsOf: (group: Group) => readonly Reward[],
  wanted: number,
  maxRetries: number,
): Promise<DynamicBatch<Group>> {
  const kept: Group[] = [];
  const spare: Group[] = [];
  let drawn = 0;
  let attempt = 0;
  for (; ; attempt++) {
    const groups = await draw(attempt, wanted - kept.length);
    drawn += groups.length;
    const selection = selectInformativeGroups(groups.map(rewardsOf), wanted - kept.length);
    kept.push(...selection.kept.map((i) => groups[i]));
    spare.push(...selection.uninformative.map((i) => groups[i]));
    if (kept.length === wanted || attempt === maxRetries) break;
  }
  const fill = spare.slice(0, wanted - kept.length);
  return { groups: [...kept, ...fill], informative: kept.length, retries: attempt, drawn };
}
