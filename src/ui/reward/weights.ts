/** The weights of the chosen rewards, which TRL has in one list in the order of the reward functions. */
import type { Form } from '../state.ts';

export const ownReward = 'own_reward';

/** The reward functions of a run, in order: the built-in ones as they were chosen, own code last. */
export const rewardNames = ({ rewards, codeIsOn }: Pick<Form, 'rewards' | 'codeIsOn'>): string[] => [
  ...rewards,
  ...(codeIsOn ? [ownReward] : []),
];

/** `reward_weights` as typed → one text a reward; 1 where it says nothing. */
export function weightsOf(setting: string | undefined, names: readonly string[]): Map<string, string> {
  const inside = /^\s*\[(.*)\]\s*$/s.exec(setting ?? '')?.[1] ?? '';
  const given = inside.split(',').map((text) => text.trim());
  return new Map(names.map((name, k) => [name, given[k] || '1']));
}

/** The other way; undefined where each counts once, which is what no setting means. */
export function settingOf(weights: Iterable<string>): string | undefined {
  const all = [...weights];
  return all.every((weight) => Number(weight) === 1) ? undefined : `[${all.join(', ')}]`;
}

/** A number as people type it: a comma would end an entry of the list. */
export const typedWeight = (text: string) => text.trim().replaceAll(',', '.') || '0';

/** Another choice of rewards; each that stays keeps its weight. */
export function withRewards(form: Form, change: Partial<Form>): Partial<Form> {
  const before = form.settings.reward_weights;
  if (before === undefined) return change;
  const known = weightsOf(before, rewardNames(form));
  const after = rewardNames({ ...form, ...change });
  const setting = settingOf(after.map((name) => known.get(name) ?? '1'));
  const { reward_weights: _, ...rest } = form.settings;
  return { ...change, settings: setting === undefined ? rest : { ...rest, reward_weights: setting } };
}
