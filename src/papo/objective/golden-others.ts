// Golden files that are not of the loss: advantages.json (numbers) and masks.json (geometry and statistics).
import { UserError } from '../../errors.ts';
import { authorsAdvantages, groupAdvantages, type Reward } from '../advantages.ts';
import { makeMask, maskedFraction, patchGrid } from '../masks.ts';
import { Purpose, RandomStream } from '../random.ts';
import { SETTINGS, type Settings } from '../settings.ts';
import type { Check, CheckedCase } from './check.ts';
import { isRecord, numbers, type Raw, show } from './json.ts';

export const isAdvantagesFile = (json: unknown): boolean =>
  isRecord(json) &&
  Array.isArray(json.cases) &&
  isRecord(json.cases[0]) &&
  'rewards_per_func' in json.cases[0];

export const isMasksFile = (json: unknown): boolean =>
  isRecord(json) && MASK_SECTIONS.some((name) => isRecord(json[name]) && Array.isArray(json[name].cases));

const MASK_SECTIONS = ['patch', 'grid', 'random', 'authors'] as const;

/** The entries of a list of records; a UserError where it is not one. */
function records(value: unknown, where: string): Raw[] {
  if (!Array.isArray(value)) throw new UserError(`${where}: expected a list, got ${show(value)}.`);
  return value.map((item, i) => {
    if (!isRecord(item)) throw new UserError(`${where}[${i}]: expected an object, got ${show(item)}.`);
    return item;
  });
}

/** Absolute, as the numbers are of order 1; NaN equals NaN alone. */
function worstDifference(got: ArrayLike<number>, want: Float64Array): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  return want.reduce((worst, value, i) => {
    if (Number.isNaN(value) && Number.isNaN(got[i])) return worst;
    const difference = Math.abs(got[i] - value);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }, 0);
}

export function checkAdvantages(json: Raw, file: string): CheckedCase[] {
  const tolerance = 1e-9;
  const ours = records(json.cases, `${file}: cases`).map((c, i): CheckedCase => {
    const where = `${file}: cases[${i}]`;
    const setting = <K extends 'scale_rewards' | 'multi_objective_aggregation' | 'num_generations'>(
      name: K,
    ) => {
      const value = c[name] === true ? 'group' : c[name] === false ? 'none' : c[name];
      if (!SETTINGS[name].schema.safeParse(value).success)
        throw new UserError(`${where}.${name}: expected ${SETTINGS[name].range}, got ${show(value)}.`);
      return value as Settings[K];
    };
    const { data, shape } = numbers(c.rewards_per_func, `${where}.rewards_per_func`, [null, null]);
    const [n, functions] = shape;
    const rewards = Array.from({ length: n }, (_, r) =>
      Array.from(
        data.subarray(r * functions, (r + 1) * functions),
        (v): Reward => (Number.isNaN(v) ? null : v),
      ),
    );
    const names = rewards[0].map((_, k) => `f${k}`);
    const out = groupAdvantages(rewards, names, {
      num_generations: setting('num_generations'),
      scale_rewards: setting('scale_rewards'),
      multi_objective_aggregation: setting('multi_objective_aggregation'),
      reward_weights:
        c.reward_weights == null
          ? null
          : [...numbers(c.reward_weights, `${where}.reward_weights`, [functions]).data],
      advantage_epsilon: 1e-4,
    });
    const compare = (name: string, got: ArrayLike<number>): Check => ({
      name,
      error: worstDifference(got, numbers(c[name], `${where}.${name}`, [n]).data),
      tolerance,
    });
    const checks = [compare('advantages', out.advantages)];
    if ('std_rewards' in c) checks.push(compare('std_rewards', out.stdRewards));
    if ('is_std_zero' in c) checks.push(compare('is_std_zero', out.isStdZero.map(Number)));
    if (isRecord(c.metrics)) checks.push(metricsCheck(c.metrics, out.metrics, `${where}.metrics`, tolerance));
    return { name: String(c.name ?? `cases[${i}]`), checks };
  });
  if (!isRecord(json.authors)) return ours;
  const theirs = records(json.authors.cases, `${file}: authors.cases`).map((c, i): CheckedCase => {
    const where = `${file}: authors.cases[${i}]`;
    const scores = numbers(c.scores, `${where}.scores`, [null]).data;
    const group = numbers(c.group, `${where}.group`, [scores.length]).data;
    const got = authorsAdvantages([...scores], [...group], numbers(c.eps, `${where}.eps`, []).data[0]);
    const want = numbers(c.advantages, `${where}.advantages`, [scores.length]).data;
    const check = { name: 'advantages', error: worstDifference(got, want), tolerance };
    return { name: `authors/${c.name ?? i}`, checks: [check] };
  });
  return [...ours, ...theirs];
}

function metricsCheck(want: Raw, got: Record<string, number>, where: string, tolerance: number): Check {
  const names = Object.keys(want);
  const values = Float64Array.from(names, (name) => numbers(want[name], `${where}.${name}`, []).data[0]);
  const error = worstDifference(
    names.map((name) => got[name] ?? Number.NaN),
    values,
  );
  return { name: 'metrics', error, tolerance };
}

/** Sample means and deviations are held to 4 standard errors: about 100 comparisons, at fixed seeds. */
const STANDARD_ERRORS = 4;
/** The golden statistics are printed with 6 decimals or so. */
const PRINTED = 1e-4;

const exactly = (name: string, got: number, want: number): Check => ({
  name,
  error: Math.abs(got - want),
  tolerance: 1e-9,
});
const statistically = (name: string, got: number, want: number, standardError: number): Check => ({
  name,
  error: Math.abs(got - want),
  tolerance: STANDARD_ERRORS * standardError + PRINTED,
});

export function checkMasks(json: Raw, file: string): CheckedCase[] {
  const checkers = { patch: checkPatch, grid: checkGrid, random: checkRandom, authors: checkPatchGrid };
  return MASK_SECTIONS.filter((section) => isRecord(json[section])).flatMap((section) => {
    const where = `${file}: ${section}.cases`;
    return records((json[section] as Raw).cases, where).map((c, i) => {
      const read = (name: string): number => numbers(c[name], `${where}[${i}].${name}`, []).data[0];
      const pair = (name: string): Float64Array => numbers(c[name], `${where}[${i}].${name}`, [2]).data;
      const shape = Object.keys(c).includes('H') ? ` ${c.H} × ${c.W}` : '';
      const name = `${section}${shape}, ratio ${c.ratio ?? c.black_prob}`;
      return { name, checks: checkers[section](read, pair, i) };
    });
  });
}

type Read = (name: string) => number;

const seeded = (section: number, i: number): (() => number) => {
  const stream = new RandomStream(11, Purpose.test, section, i);
  return () => stream.next();
};
const options = (read: Read, ratio = read('ratio')) => ({
  width: read('W'),
  height: read('H'),
  ratio,
  patchSize: 14,
});

/** One rectangle: its size, and where it starts when the random numbers are the lowest and the highest. */
function checkPatch(read: Read, pair: (name: string) => Float64Array): Check[] {
  const { width, height, ratio, patchSize } = options(read);
  const corner = (random: number): { top: number; left: number; fraction: number } => {
    const mask = makeMask('patch', { width, height, ratio, patchSize }, () => random);
    const first = mask.keep.indexOf(0);
    return { top: Math.floor(first / width), left: first % width, fraction: maskedFraction(mask) };
  };
  const [least, most] = [corner(0), corner(1 - 2 ** -24)];
  const [h, w] = [pair('start_h_range'), pair('start_w_range')];
  return [
    exactly('masked fraction', least.fraction, (read('rect_h') * read('rect_w')) / (width * height)),
    exactly('lowest start', least.top * width + least.left, h[0] * width + w[0]),
    exactly('highest start', most.top * width + most.left, h[1] * width + w[1]),
  ];
}

function checkGrid(read: Read, _pair: unknown, i: number): Check[] {
  const o = options(read);
  const draws = 400;
  const random = seeded(1, i);
  const areas = Array.from({ length: draws }, () => maskedFraction(makeMask('grid', o, random)));
  const { mean, std } = moments(areas);
  const reachable = maskedFraction(makeMask('grid', o, () => 0));
  return [
    exactly('never masked', 1 - reachable, read('never_masked_fraction')),
    statistically('mean area', mean, read('expected_masked_fraction'), std / Math.sqrt(draws)),
  ];
}

/** Each channel value on its own: shares of values, and of pixels with all and with any channel masked. */
function checkRandom(read: Read, _pair: unknown, i: number): Check[] {
  const side = 224;
  const { keep } = makeMask(
    'random',
    { width: side, height: side, ratio: read('ratio'), patchSize: 14 },
    seeded(2, i),
  );
  let [values, all, any] = [0, 0, 0];
  for (let k = 0; k < keep.length; k += 3) {
    const masked = 3 - keep[k] - keep[k + 1] - keep[k + 2];
    values += masked;
    all += +(masked === 3);
    any += +(masked > 0);
  }
  const share = (name: string, count: number, n: number, p: number): Check =>
    statistically(name, count / n, p, Math.sqrt((p * (1 - p)) / n));
  const pixels = side * side;
  return [
    share('values masked', values, 3 * pixels, read('ratio')),
    share('pixels all masked', all, pixels, read('expected_all')),
    share('pixels any masked', any, pixels, read('expected_any')),
  ];
}

/** The paper's grid of patches, each blackened on its own. */
function checkPatchGrid(read: Read, _pair: unknown, i: number): Check[] {
  const patchSize = read('patch_size');
  const o = { ...options(read, read('black_prob')), patchSize };
  const { rows, columns } = patchGrid(o.width, o.height, patchSize);
  const draws = 400;
  const random = seeded(3, i);
  const shares = Array.from({ length: draws }, () => {
    const { keep } = makeMask('patch_black', o, random);
    let black = 0;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        black += 1 - keep[row * patchSize * o.width + column * patchSize];
    return black / (rows * columns);
  });
  const { mean, std } = moments(shares);
  const expected = read('expected_std_patches');
  return [
    exactly('patches', rows * columns, read('patches')),
    statistically('mean share', mean, o.ratio, expected / Math.sqrt(draws)),
    // The standard error of a deviation, of a nearly normal share.
    statistically('deviation', std, expected, expected / Math.sqrt(2 * draws)),
  ];
}

function moments(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, std: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) };
}
