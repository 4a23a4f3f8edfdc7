/** One check a step of the lesson: what the page measured, and whether what the step is about happened. */
import type { GroupView } from '../../worker/protocol.ts';
import { sentenceOf } from '../compare/verdict.ts';
import { bytes, percent, short, signed } from '../parts/format.ts';
import { leavesOutZero } from '../parts/intervals.ts';
import { text } from '../text.ts';
import { endsOf, type Facts, partOf, valuesOf } from './facts.ts';

const t = text.lesson.found;

/** `missed`: it was measured, and it did not happen. undefined: nothing was measured yet. */
export interface Finding {
  readonly state: 'met' | 'missed';
  readonly say: string;
}
export type Check = (facts: Facts) => Finding | undefined;

const met = (say: string): Finding => ({ state: 'met', say });
const missed = (say: string): Finding => ({ state: 'missed', say });

/** Below this many nats a token, with the whole picture black, an answer hardly needed the picture. */
const hardly = 0.02;
/** A picture counts as black where this share of its pixels changed. */
const allBlack = 0.9;
/** Format errors that are no accident: papo-nano starts with about 1 %. */
const manyErrors = 0.15;

const rewardOf = ({ rewards }: GroupView['completions'][number]) =>
  rewards.reduce((sum, { value }) => sum + (value ?? 0), 0);

const hasDifference = ({ completions }: GroupView) =>
  completions.some(({ advantage }) => Math.abs(advantage) > 1e-6);

export const group: Check = ({ groups, step }) => {
  const drawn = groups.filter(({ completions }) => completions.length > 1);
  if (step === 0 || drawn.length === 0) return undefined;
  const alike = drawn.filter((one) => !hasDifference(one)).length;
  const shown = drawn.find(hasDifference);
  if (!shown) return missed(t.allAlike(drawn.length));
  const rewards = shown.completions.map(rewardOf);
  const top = Math.max(...rewards);
  const advantages = shown.completions.map(({ advantage }) => advantage);
  return met(
    t.group(
      shown.prompt,
      rewards.filter((reward) => reward === top).length,
      rewards.length,
      signed(Math.max(...advantages)),
      signed(Math.min(...advantages)),
      alike,
      drawn.length,
    ),
  );
};

/** The share of a group's pixels that the mask changed. */
export function hiddenShare({ image, masked }: GroupView): number | undefined {
  if (!masked || masked.data.length !== image.data.length) return undefined;
  let changed = 0;
  for (let i = 0; i < image.data.length; i += 4)
    if ([0, 1, 2].some((c) => image.data[i + c] !== masked.data[i + c])) changed++;
  return changed / (image.data.length / 4);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean KL of a completion's tokens; undefined where it was not computed. */
function klOf({ tokens }: GroupView['completions'][number]): number | undefined {
  const values = tokens.map(({ kl }) => kl).filter((kl) => kl !== null);
  return values.length === 0 ? undefined : mean(values);
}

export const reward: Check = ({ groups, step }) => {
  const shares = groups.map(hiddenShare).filter((share) => share !== undefined);
  if (step === 0 || shares.length === 0 || mean(shares) < allBlack) return undefined;
  const rewarded = groups.flatMap(({ prompt, completions }) =>
    completions
      .filter((one) => rewardOf(one) > 0 && klOf(one) !== undefined)
      .map((one) => ({ prompt, kl: klOf(one)! })),
  );
  const blind = rewarded.filter(({ kl }) => kl < hardly).sort((a, b) => a.kl - b.kl);
  if (rewarded.length === 0) return missed(t.noneRewarded);
  if (blind.length === 0) return missed(t.noneBlind(rewarded.length));
  return met(t.blind(blind.length, rewarded.length, blind[0].prompt, short(blind[0].kl)));
};

export const mask: Check = ({ looked }) => {
  if (!looked) return undefined;
  const { share, view } = looked;
  const masked = view.answers.map((answer) => answer.masked).filter((one) => one !== null);
  if (masked.length === 0) return undefined;
  if (share >= 0.98) return missed(t.maskAll(percent(share)));
  if (share <= 0.02) return missed(t.maskNone);
  const moved =
    view.answers.reduce((sum, one) => sum + Math.abs(one.image.share - (one.masked?.share ?? 0)), 0) / 2;
  const kl = mean(view.tokens.map((token) => token.kl ?? 0));
  return met(t.mask(percent(share), percent(moved), view.samples, short(kl)));
};

/** First and last held-out accuracy, as texts with their standard errors; undefined before both are there. */
function accuracies({ heldOut }: Facts): { first: string; last: string } | undefined {
  const [first, last] = [heldOut[0], heldOut.at(-1)];
  if (!first || !last || last.step === 0) return undefined;
  const said = (one: typeof first) => t.accuracy(percent(one.accuracy), percent(one.accuracyError));
  return { first: said(first), last: said(last) };
}

export const term: Check = (facts) => {
  const kl = endsOf(facts.history, 'perception_kl');
  const accuracy = accuracies(facts);
  if (partOf(facts.gamma, facts.eta) !== 'papo' || !kl || !accuracy) return undefined;
  const say = t.term(short(kl.first), short(kl.last), accuracy.first, accuracy.last);
  return kl.last > 1.5 * kl.first ? met(say) : missed(t.noRise(say));
};

export const hacking: Check = (facts) => {
  const kl = endsOf(facts.history, 'perception_kl');
  const { gamma, eta, heldOut } = facts;
  const last = heldOut.at(-1);
  if (partOf(gamma, eta) !== 'hacked' || !kl || !last || last.step === 0) return undefined;
  const best = heldOut.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  const said = (one: typeof best) => t.accuracy(percent(one.accuracy), percent(one.accuracyError));
  const format = last.shares?.format ?? 0;
  const say = t.hacked(
    short(kl.first),
    short(kl.last),
    percent(format),
    said(best),
    best.step,
    said(last),
    last.step,
  );
  const fell = best.accuracy - last.accuracy > 2 * Math.hypot(best.accuracyError, last.accuracyError);
  if (kl.last > 3 * kl.first && (fell || format >= manyErrors)) return met(say);
  return facts.run === 'running' ? undefined : missed(t.notHacked(say));
};

export const entropy: Check = (facts) => {
  const { gamma, eta, heldOut, runs, run } = facts;
  const last = heldOut.at(-1);
  if (partOf(gamma, eta) !== 'mended' || !last || last.step === 0 || run === 'running') return undefined;
  const { hacked } = runs;
  if (!hacked) return missed(t.noHackedRun);
  const format = last.shares?.format ?? 0;
  const said = t.accuracy(percent(last.accuracy), percent(last.accuracyError));
  const before = t.accuracy(percent(hacked.accuracy), percent(hacked.accuracyError));
  const say = t.mended(said, before, percent(format), percent(hacked.format), last.step, hacked.steps);
  const isBetter =
    last.accuracy - hacked.accuracy > 2 * Math.hypot(last.accuracyError, hacked.accuracyError) ||
    (hacked.format >= manyErrors && format < hacked.format / 2);
  return isBetter ? met(say) : missed(t.notMended(say));
};

export const measured: Check = ({ runs: { hacked, mended }, compared }) => {
  if (!hacked || !mended) return missed(t.noRuns);
  if (!compared) return undefined;
  const say = sentenceOf(compared, t.armNames);
  return met(leavesOutZero(compared.quantities[0].difference) ? say : t.luck(say));
};

export const home: Check = ({ handedOver }) =>
  handedOver === undefined ? undefined : met(t.home(handedOver));

export const real: Check = ({ real: model, tooMuch, step, groups, history }) => {
  const completions = groups.flatMap((one) => one.completions);
  if (model === undefined || step === 0 || completions.length === 0)
    return (
      tooMuch &&
      missed(t.tooMuch(bytes(tooMuch.needed), tooMuch.limit === null ? null : bytes(tooMuch.limit)))
    );
  const rewarded = completions.filter((one) => rewardOf(one) > 0).length;
  const tokens = completions.reduce((sum, one) => sum + one.tokens.length, 0);
  const kl = valuesOf(history, 'perception_kl').at(-1);
  return met(t.real(model, completions.length, tokens, rewarded, kl === undefined ? null : short(kl)));
};
