/** Intervals and tests against scipy 1.17.1 (and formulas written out a second time), and their coverage by simulation. */
import { describe, expect, it } from 'vitest';
import {
  holm,
  meanDifference,
  meanOf,
  shareDifference,
  shareInterval,
  tCdf,
  tQuantile,
} from '../../../src/data/statistics.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';

/** scipy.stats.t.ppf(p, df): [p, df, t]. */
const quantiles = [
  [0.9, 1, 3.0776835371752544],
  [0.9, 2, 1.8856180831641272],
  [0.9, 3, 1.637744353696209],
  [0.9, 4, 1.533206274058944],
  [0.9, 7, 1.4149239276505086],
  [0.9, 15, 1.3406056078504558],
  [0.9, 63, 1.2951342937828885],
  [0.9, 127, 1.2882531090393643],
  [0.9, 511, 1.2832104754474525],
  [0.9, 5000, 1.2817209053357184],
  [0.975, 1, 12.706204736174694],
  [0.975, 2, 4.302652729749462],
  [0.975, 3, 3.1824463052837078],
  [0.975, 4, 2.7764451051977934],
  [0.975, 7, 2.364624251592784],
  [0.975, 15, 2.131449545559776],
  [0.975, 63, 1.998340542520741],
  [0.975, 127, 1.9788195347028539],
  [0.975, 511, 1.9646172223304033],
  [0.975, 5000, 1.9604385517065073],
  [0.995, 1, 63.656741162871526],
  [0.995, 2, 9.924843200918287],
  [0.995, 3, 5.840909309733355],
  [0.995, 4, 4.604094871349992],
  [0.995, 7, 3.4994832973504924],
  [0.995, 15, 2.946712883475238],
  [0.995, 63, 2.6561450250998613],
  [0.995, 127, 2.615096008429867],
  [0.995, 511, 2.5854846525899227],
  [0.995, 5000, 2.5768129665562802],
  [0.9995, 1, 636.6192487687897],
  [0.9995, 2, 31.599054576445365],
  [0.9995, 3, 12.923978636687961],
  [0.9995, 4, 8.610301581379522],
  [0.9995, 7, 5.407882520861828],
  [0.9995, 15, 4.072765195903846],
  [0.9995, 63, 3.4517689449610334],
  [0.9995, 127, 3.368785298574372],
  [0.9995, 511, 3.309667780057021],
  [0.9995, 5000, 3.2924737233708825],
] as const;
/** scipy.stats.t.cdf(t, df): [t, df, p]. */
const probabilities = [
  [-6.5, 1, 0.04858979034752894],
  [-6.5, 2, 0.011430081798161245],
  [-6.5, 5, 0.0006433265501999849],
  [-6.5, 31, 1.49144388134458e-7],
  [-6.5, 255, 2.0990990787573276e-10],
  [-6.5, 4000, 4.509898046682444e-11],
  [-2, 1, 0.14758361765043326],
  [-2, 2, 0.09175170953613698],
  [-2, 5, 0.050969739414929174],
  [-2, 31, 0.027163607683587856],
  [-2, 255, 0.023280427223259084],
  [-2, 4000, 0.02278388030576006],
  [-0.3, 1, 0.4072264209222577],
  [-0.3, 2, 0.3962428304200888],
  [-0.3, 5, 0.38812452113163726],
  [-0.3, 31, 0.3830898375055144],
  [-0.3, 255, 0.3822107817508449],
  [-0.3, 4000, 0.38209637216340453],
  [0, 1, 0.5],
  [0, 2, 0.5],
  [0, 5, 0.5],
  [0, 31, 0.5],
  [0, 255, 0.5],
  [0, 4000, 0.5],
  [0.01, 1, 0.503182992764907],
  [0.01, 2, 0.5035354455208996],
  [0.01, 5, 0.5037959909787091],
  [0.01, 31, 0.5039573168654359],
  [0.01, 255, 0.5039854468471251],
  [0.01, 4000, 0.5039891069710356],
  [1.5, 1, 0.8128329581890011],
  [1.5, 2, 0.8638034375544994],
  [1.5, 5, 0.9030481598787634],
  [1.5, 31, 0.9281344592877371],
  [1.5, 255, 0.9325742653924056],
  [1.5, 4000, 0.933153338301604],
  [4, 1, 0.9220208696226306],
  [4, 2, 0.9714045207910317],
  [4, 5, 0.9948382922595843],
  [4, 31, 0.9998173474732177],
  [4, 255, 0.9999584813944881],
  [4, 4000, 0.999967756342191],
] as const;
/** scipy.stats.binomtest(k, n).proportion_ci(0.95, 'wilson'): [k, n, low, high]. */
const wilson = [
  [0, 16, 0.0, 0.1936076805344365],
  [16, 16, 0.8063923194655637, 1.0],
  [1, 20, 0.008881448800795402, 0.23613119344674205],
  [37, 64, 0.456100315400829, 0.6913021752565451],
  [255, 256, 0.9782090246194175, 0.9993101178330381],
  [3, 512, 0.0019946757921860915, 0.017083780683944113],
] as const;
/** Bonett and Price's formula 3, in Python: [only the first right, only the second, questions, centre, error]. */
const bonettPrice = [
  [0, 0, 16, 0.0, 0.07856742013183861],
  [9, 2, 64, 0.10606060606060606, 0.05304669823954629],
  [1, 30, 128, -0.2230769230769231, 0.03962155981054588],
] as const;

const relative = (value: number, expected: number) => Math.abs(value / expected - 1);
const answers = (right: number, n: number) => Array.from({ length: n }, (_, i) => (i < right ? 1 : 0));

describe('statistics', () => {
  it("has Student's t as scipy has it", () => {
    for (const [p, df, t] of quantiles)
      expect(relative(tQuantile(p, df), t), `${p} ${df}`).toBeLessThan(1e-9);
    for (const [t, df, p] of probabilities) expect(relative(tCdf(t, df), p), `${t} ${df}`).toBeLessThan(1e-9);
  });

  it("gives Wilson's interval where each question has one answer", () => {
    for (const [k, n, low, high] of wilson) {
      const interval = shareInterval(answers(k, n), 1);
      expect(interval.estimate).toBe(k / n);
      expect(interval.low).toBeCloseTo(low, 12);
      expect(interval.high).toBeCloseTo(high, 12);
    }
  });

  it('counts samples that are all alike as one, and never as more than there are', () => {
    const alike = shareInterval(answers(40, 64), 8);
    const one = shareInterval(answers(40, 64), 1);
    // Student's t in place of the normal quantile alone makes it wider.
    expect(alike.high - alike.low).toBeGreaterThan(one.high - one.low);
    expect(alike.high - alike.low).toBeLessThan(1.03 * (one.high - one.low));
    // Every question has the same share: as if all samples were independent.
    const even = shareInterval(
      Array.from({ length: 64 }, () => 0.5),
      8,
    );
    const independent = shareInterval(answers(256, 512), 1);
    expect(even.high - even.low).toBeGreaterThan(independent.high - independent.low);
    const sure = shareInterval(answers(64, 64), 8);
    expect(sure.high).toBeCloseTo(1, 12);
    expect(sure.low).toBeLessThan(0.95);
  });

  it("gives Bonett and Price's interval of a paired difference, with Student's t", () => {
    for (const [n12, n21, n, centre, error] of bonettPrice) {
      const values = [...answers(n12, n - n21), ...Array.from({ length: n21 }, () => -1)];
      const difference = shareDifference(values);
      const t = tQuantile(0.975, n - 1);
      expect(difference.estimate).toBeCloseTo((n12 - n21) / n, 12);
      expect(difference.low).toBeCloseTo(centre - t * error, 9);
      expect(difference.high).toBeCloseTo(centre + t * error, 9);
    }
    expect(shareDifference([1])).toMatchObject({ estimate: 1, n: 1, low: Number.NaN });
  });

  it('gives the paired t test of scipy', () => {
    const difference = meanDifference([0.1, -0.2, 0.35, 0.05, 0.4]);
    expect(difference.p).toBeCloseTo(0.26781113708082993, 12);
    expect(difference.low).toBeCloseTo(-0.16223744300267448, 12);
    expect(difference.high).toBeCloseTo(0.4422374430026744, 12);
    for (const values of [[0.3], [0.1, 0.1]])
      expect(meanDifference(values)).toMatchObject({ estimate: values[0], low: Number.NaN, p: Number.NaN });
  });

  it('finds p below 0.05 exactly where the interval leaves out zero', () => {
    const random = new RandomStream(5, Purpose.test, 1);
    for (let i = 0; i < 300; i++) {
      const values = Array.from(
        { length: 2 + random.int(40) },
        () => random.int(3) - 1 + 0.2 * random.next(),
      );
      for (const found of [
        meanDifference(values),
        shareDifference(values.map((v) => Math.max(-1, Math.min(1, v)))),
      ])
        if (found.high - found.low < 2) expect(found.p < 0.05).toBe(found.low > 0 || found.high < 0);
    }
  });

  it("adjusts p values by Holm's method", () => {
    const [given, expected] = [
      [0.012, 0.6, 0.001, 0.03, 0.2],
      [0.048, 0.6, 0.005, 0.09, 0.4],
    ];
    for (const [i, p] of holm(given).entries()) expect(p).toBeCloseTo(expected[i], 12);
    expect(holm([0.04, Number.NaN, 0.01])).toEqual([0.04, Number.NaN, 0.02]);
    expect(holm([0.8, 0.9])).toEqual([1, 1]);
  });
});

/** How often the interval of simulated data holds the truth. */
function coverage(truth: number, draw: (random: RandomStream) => { low: number; high: number }): number {
  const random = new RandomStream(7, Purpose.test);
  const trials = 3000;
  let held = 0;
  for (let i = 0; i < trials; i++) {
    const { low, high } = draw(random);
    if (low <= truth && truth <= high) held++;
  }
  return held / trials;
}

/** A question's share of k right answers; questions differ: half are hard, half easy. */
function questionShare(random: RandomStream, hard: number, easy: number, k: number): number {
  const chance = random.next() < 0.5 ? hard : easy;
  let right = 0;
  for (let i = 0; i < k; i++) if (random.next() < chance) right++;
  return right / k;
}

const list = (n: number, draw: () => number) => Array.from({ length: n }, draw);

describe('coverage', () => {
  // Three standard errors of 3,000 trials are 0.012; intervals of counts are a little too wide for some shares.
  const isSound = (share: number) => {
    expect(share).toBeGreaterThan(0.935);
    expect(share).toBeLessThan(0.99);
  };

  it('of a share with one answer a question, also near 1', () => {
    for (const chance of [0.4, 0.97])
      isSound(
        coverage(chance, (random) =>
          shareInterval(
            list(64, () => questionShare(random, chance, chance, 1)),
            1,
          ),
        ),
      );
  });

  it('of a share with several answers a question', () => {
    for (const [hard, easy] of [
      [0.1, 0.9],
      [0.5, 0.5],
      [0.85, 1],
    ])
      isSound(
        coverage((hard + easy) / 2, (random) =>
          shareInterval(
            list(64, () => questionShare(random, hard, easy, 4)),
            4,
          ),
        ),
      );
    // An interval that took the answers for independent would fail.
    const naive = coverage(0.5, (random) => {
      const share = meanOf(list(64, () => questionShare(random, 0.05, 0.95, 4)));
      const half = 1.96 * Math.sqrt((share * (1 - share)) / 256);
      return { low: share - half, high: share + half };
    });
    expect(naive).toBeLessThan(0.8);
  });

  it('of a paired difference of shares', () => {
    for (const [before, after, k] of [
      [0.4, 0.8, 1],
      [0.95, 0.97, 1],
      [0.4, 0.6, 4],
    ])
      isSound(
        coverage(after - before, (random) =>
          shareDifference(
            list(
              128,
              () => questionShare(random, after, after, k) - questionShare(random, before, before, k),
            ),
          ),
        ),
      );
  });

  it('of a paired difference over three seeds', () => {
    isSound(coverage(0.02, (random) => meanDifference(list(3, () => 0.02 + 0.05 * random.normal()))));
  });
});
