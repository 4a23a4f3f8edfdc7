/**
 * Intervals and tests for held-out measurements. Numbers of one question's k samples are not independent, so every
 * function takes one number a question (the mean over its samples), or one a seed: those are the units that repeat.
 *
 * - A share: Wilson's score interval (JASA 22, 1927). With several samples a question it is taken at the effective
 *   sample size, with Student's t (Korn and Graubard, Survey Methodology 24, 1998; compared by Dean and Pagano, JSSAM 3,
 *   2015). Sound near 0 and 1, where ± 1.96 standard errors is not.
 * - A paired difference of shares: Wald's interval after one more question in favour of each side (Bonett and Price,
 *   JEBS 37, 2012), with Student's t. Somewhat too wide with several samples a question, never of width zero.
 * - Any other mean or paired difference: Student's t.
 * - Several tests at once: Holm's step-down (Scand. J. Statist. 6, 1979).
 */

export interface Interval {
  readonly estimate: number;
  /** Bounds of the 95 % interval; NaN where there is nothing to tell the scatter from. */
  readonly low: number;
  readonly high: number;
  /** Questions, or seeds. */
  readonly n: number;
}

export interface Difference extends Interval {
  /** Two-sided, of no difference: below 0.05 where the interval leaves out zero. NaN with the bounds. */
  readonly p: number;
}

const level = 0.975;

export const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** A share; `samples`: k, behind each of the numbers. */
export function shareInterval(means: readonly number[], samples: number): Interval {
  const n = means.length;
  if (n === 0) return nothing;
  const share = meanOf(means);
  const spread = share * (1 - share);
  const error = varianceOf(means) / n;
  // Between n (samples of a question all alike) and n · k (as good as independent).
  const effective = spread > 0 && error > 0 ? Math.min(n * samples, Math.max(n, spread / error)) : n;
  const c = samples === 1 ? normalQuantile : tQuantile(level, Math.max(1, n - 1));
  const z = (c * c) / effective;
  const centre = (share + z / 2) / (1 + z);
  const half = (c / (1 + z)) * Math.sqrt(spread / effective + z / (4 * effective));
  return { estimate: share, low: Math.max(0, centre - half), high: Math.min(1, centre + half), n };
}

/** Differences of two shares, one a question. */
export function shareDifference(differences: readonly number[]): Difference {
  const n = differences.length;
  if (n < 2) return { ...nothing, estimate: n ? differences[0] : Number.NaN, n };
  const centre = differences.reduce((a, d) => a + d, 0) / (n + 2);
  const square = (differences.reduce((a, d) => a + d * d, 0) + 2) / (n + 2);
  const error = Math.sqrt((square - centre ** 2) / (n + 2));
  const { low, high, p } = student(centre, error, n - 1);
  return { estimate: meanOf(differences), low: Math.max(-1, low), high: Math.min(1, high), p, n };
}

/** A mean of numbers, or of paired differences, one a question or a seed. */
export function meanDifference(values: readonly number[]): Difference {
  const n = values.length;
  if (n === 0) return nothing;
  const estimate = meanOf(values);
  const error = n < 2 ? 0 : Math.sqrt(varianceOf(values) / n);
  // Numbers that are all the same, or alone, say nothing of how others would scatter.
  return error > 0 ? { estimate, n, ...student(estimate, error, n - 1) } : { ...nothing, estimate, n };
}

/** Holm's adjusted p values, in the order given; NaN stays and is not counted. */
export function holm(values: readonly number[]): number[] {
  const order = values.flatMap((p, i) => (Number.isNaN(p) ? [] : [i])).sort((a, b) => values[a] - values[b]);
  const adjusted = values.map(() => Number.NaN);
  let largest = 0;
  order.forEach((i, rank) => {
    largest = Math.max(largest, Math.min(1, values[i] * (order.length - rank)));
    adjusted[i] = largest;
  });
  return adjusted;
}

/** P(T ≤ t) of Student's t. */
export function tCdf(t: number, degrees: number): number {
  const tail = 0.5 * incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** The t with P(T ≤ t) = p; p from 0.5 to below 1. */
export function tQuantile(p: number, degrees: number): number {
  let [low, high] = [0, 1];
  while (tCdf(high, degrees) < p) high *= 2;
  // Halved until neighbouring numbers remain.
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2)
    if (tCdf(middle, degrees) < p) low = middle;
    else high = middle;
  return (low + high) / 2;
}

/** The normal distribution's 97.5 % quantile. */
const normalQuantile = 1.959963984540054;

const nothing = {
  estimate: Number.NaN,
  low: Number.NaN,
  high: Number.NaN,
  p: Number.NaN,
  n: 0,
};

function student(estimate: number, error: number, degrees: number) {
  const half = tQuantile(level, degrees) * error;
  const p = 2 * tCdf(-Math.abs(estimate / error), degrees);
  return { low: estimate - half, high: estimate + half, p };
}

/** Unbiased. */
function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((a, v) => a + (v - mean) ** 2, 0) / Math.max(1, values.length - 1);
}

/** I_x(a, b), by its continued fraction (Lentz's method; NIST DLMF 8.17.22). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side of the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return (front * fraction) / a;
}

/** ln Γ(x), x > 0: Stirling's series (NIST DLMF 5.11.1) where it is exact to the last digits. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 12; z++) shift -= Math.log(z);
  const q = 1 / (z * z);
  const series = (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q / 1188)))) / z;
  return shift + (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}
