import { expect, test } from 'vitest';
import { absorb, hash, Purpose, RandomStream, uniform } from '../../../src/papo/random.ts';

/** Σ (observed − expected)² / expected. */
function chiSquare(counts: readonly number[], expected: number): number {
  return counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

test('the values are fixed: a change of any would change every seeded run', () => {
  expect(hash(0, Purpose.data)).toBe(972005831);
  expect(hash(2 ** 40 + 7, Purpose.mask, 1, 2, 3)).toBe(783272611);
  expect(uniform(1, Purpose.sampling, 5)).toBe(0.3427545428276062);
});

test('a chain can be continued', () => {
  expect(absorb(hash(9, Purpose.mask, 4), 7)).toBe(hash(9, Purpose.mask, 4, 7));
});

test('seeds, purposes and counters, high bits of the seed included, each change the value', () => {
  const values = [
    hash(1, 1, 0),
    hash(2, 1, 0),
    hash(1 + 2 ** 32, 1, 0),
    hash(1, 2, 0),
    hash(1, 1, 1),
    hash(1, 1, 0, 0),
    hash(1, 1),
  ];
  expect(new Set(values).size).toBe(values.length);
});

test('uniform over consecutive counters, and over pairs of them, is uniform', () => {
  const n = 160_000;
  const single = new Array(64).fill(0);
  const pairs = new Array(256).fill(0);
  let last = 0;
  for (let i = 0; i < n; i++) {
    const u = uniform(3, Purpose.test, i);
    expect(u >= 0 && u < 1).toBe(true);
    single[Math.floor(u * 64)]++;
    if (i % 2 === 1) pairs[Math.floor(last * 16) * 16 + Math.floor(u * 16)]++;
    last = u;
  }
  // 99.9 % points of chi-square with 63 and 255 degrees of freedom.
  expect(chiSquare(single, n / 64)).toBeLessThan(103.4);
  expect(chiSquare(pairs, n / 2 / 256)).toBeLessThan(330.5);
});

test('a stream draws integers, weights and permutations with the right frequencies', () => {
  const random = new RandomStream(5, Purpose.test);
  const ints = new Array(7).fill(0);
  const weighted = new Array(4).fill(0);
  const firsts = new Array(6).fill(0);
  const n = 42_000;
  for (let i = 0; i < n; i++) {
    ints[random.int(7)]++;
    weighted[random.weighted([1, 0, 2, 1])]++;
    firsts[random.shuffle([0, 1, 2, 3, 4, 5]).indexOf(0)]++;
  }
  expect(chiSquare(ints, n / 7)).toBeLessThan(22.5);
  expect(chiSquare(firsts, n / 6)).toBeLessThan(20.5);
  expect(weighted[1]).toBe(0);
  expect(Math.abs(weighted[2] / n - 0.5)).toBeLessThan(0.01);
});

test('a normal number has mean 0 and variance 1', () => {
  const random = new RandomStream(6, Purpose.test);
  let [sum, squares] = [0, 0];
  const n = 40_000;
  for (let i = 0; i < n; i++) {
    const x = random.normal();
    sum += x;
    squares += x * x;
  }
  expect(Math.abs(sum / n)).toBeLessThan(0.02);
  expect(Math.abs(squares / n - 1)).toBeLessThan(0.03);
});
