/** The pairs of settings there are to compare, and what a run of one of them asks for. */
import type { RunRequest } from '../../worker/protocol.ts';
import { text } from '../text.ts';

export type Settings = Readonly<Record<string, string>>;

export interface Arm {
  readonly name: string;
  /** What it changes. */
  readonly settings: Settings;
}

export type Arms = readonly [Arm, Arm];
export type PairId = keyof typeof text.compare.pairs;

const names = text.compare.pairs;
const weights = (gamma: string, eta: string): Settings => ({
  perception_loss_weight: gamma,
  der_loss_weight1: eta,
  der_loss_weight2: eta,
});

const black = (other: Settings): Settings => ({ ...other, mask_ratio: '1' });

const settings: Readonly<Record<Exclude<PairId, 'own'>, readonly [Settings, Settings]>> = {
  // PAPO is the preset as it is.
  papo: [weights('0', '0'), {}],
  objective: [{ objective: 'paper' }, { objective: 'trl' }],
  // As the paper has it for its 3B model: without the entropies.
  gamma: [weights('0.02', '0'), weights('0.04', '0')],
  // Where papo-nano was seen to collapse, and to be held: the whole picture black, about 50 steps.
  collapse: [black(weights('0.005', '0')), black(weights('0.3', '0'))],
  entropy: [black(weights('0.3', '0')), black(weights('0.3', '0.6'))],
};

export const PAIRS = Object.keys(names) as PairId[];

export function armsOf(pair: PairId, own: readonly [string, string]): Arms {
  const [first, second] = names[pair].arms;
  const [a, b] = pair === 'own' ? own.map(parseSettings) : settings[pair];
  return [
    { name: first, settings: a },
    { name: second, settings: b },
  ];
}

/** Lines or a list of `name=value`. */
export function parseSettings(typed: string): Settings {
  const entries = typed
    .split(/[\n;]/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line): [string, string] => {
      const [, name, value] = /^([^=:\s]+)\s*[=:]\s*(.*)$/.exec(line) ?? [undefined, line, ''];
      return [name, value];
    });
  return Object.fromEntries(entries);
}

/** What both runs share: the form's wishes, but for what the arms decide. */
export function sharedBy(form: RunRequest, arms: Arms): RunRequest {
  const decided = new Set([
    'seed',
    'max_steps',
    'run_name',
    ...arms.flatMap((arm) => Object.keys(arm.settings)),
  ]);
  return {
    ...form,
    settings: Object.fromEntries(Object.entries(form.settings).filter(([name]) => !decided.has(name))),
  };
}

export interface Planned {
  readonly arm: 0 | 1;
  readonly seed: number;
}

export function requestOfRun(
  plan: { readonly shared: RunRequest; readonly arms: Arms; readonly steps: number },
  { arm, seed }: Planned,
): RunRequest {
  const { name, settings: own } = plan.arms[arm];
  return {
    ...plan.shared,
    settings: {
      ...plan.shared.settings,
      ...own,
      seed: String(seed),
      max_steps: String(plan.steps),
      run_name: text.compare.runName(name, seed),
    },
  };
}
