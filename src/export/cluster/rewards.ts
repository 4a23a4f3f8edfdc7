/** The run's rewards by name, as reward.py of the download has them. */

/** The functions of reward.py. */
export const clusterRewards = [
  'boxed_answer',
  'exact_match',
  'numeric',
  'format',
  'papo_accuracy',
  'papo_format',
  'papo_math',
] as const;

/** Ours that reward.py does not have, by the authors' reward that asks for nearly the same. */
const nearest: Readonly<Record<string, string>> = {
  number_answer: 'papo_accuracy',
  relaxed_accuracy: 'papo_accuracy',
  choice_letter: 'papo_accuracy',
  short_text: 'papo_accuracy',
  text_contains: 'papo_accuracy',
  answer_match: 'papo_accuracy',
  think_format: 'papo_format',
};

export interface ClusterRewards {
  /** What compute_score is called with. */
  readonly weights: Readonly<Record<string, number>>;
  /** Rewards of the run with another one in their place. */
  readonly replaced: readonly { readonly name: string; readonly by: string }[];
  /** Rewards of the run that are left out: the user's own. */
  readonly left: readonly string[];
}

/** `weights`: the setting reward_weights. Where nothing can be taken along, the authors' whole reward stands in. */
export function translateRewards(
  names: readonly string[],
  weights: readonly number[] | null,
): ClusterRewards {
  const known: readonly string[] = clusterRewards;
  const sums: Record<string, number> = {};
  const replaced: { name: string; by: string }[] = [];
  const left: string[] = [];
  names.forEach((name, i) => {
    const by = known.includes(name) ? name : Object.hasOwn(nearest, name) ? nearest[name] : null;
    if (by === null) {
      left.push(name);
      return;
    }
    if (by !== name) replaced.push({ name, by });
    sums[by] = (sums[by] ?? 0) + (weights?.[i] ?? 1);
  });
  return { weights: Object.keys(sums).length > 0 ? sums : { papo_math: 1 }, replaced, left };
}
