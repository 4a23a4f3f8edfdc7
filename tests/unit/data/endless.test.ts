// Rounds over a dataset: every row once a round, in an order that only seed and round decide.
import { expect, it } from 'vitest';
import type { Dataset } from '../../../src/data/dataset.ts';
import { endless } from '../../../src/data/endless.ts';

const numbers: Dataset = {
  name: 'numbers',
  size: 50,
  row: (index) => ({ id: String(index) }) as Awaited<ReturnType<Dataset['row']>>,
};
const round = async (dataset: Dataset, n: number) =>
  Promise.all(Array.from({ length: 50 }, async (_, i) => Number((await dataset.row(n * 50 + i)).id)));
const inOrder = Array.from({ length: 50 }, (_, i) => i);

it('every round has every row once, each in another order', async () => {
  const data = endless(numbers, 7);
  const rounds = await Promise.all([0, 1, 2].map((n) => round(data, n)));
  for (const r of rounds) expect(r.toSorted((a, b) => a - b)).toEqual(inOrder);
  expect(rounds[0]).not.toEqual(inOrder);
  expect(rounds[1]).not.toEqual(rounds[0]);
  expect(data).toMatchObject({ size: Number.POSITIVE_INFINITY, epochSize: 50 });
});

it('the order depends on seed and round alone, not on what was asked before', async () => {
  const data = endless(numbers, 7);
  const third = await round(data, 2);
  expect(await round(endless(numbers, 7), 2)).toEqual(third);
  await round(data, 5);
  expect(await round(data, 2)).toEqual(third);
  expect(await round(endless(numbers, 8), 2)).not.toEqual(third);
});

it('without a seed it goes from first to last', async () => {
  const data = endless(numbers, null);
  expect(await round(data, 3)).toEqual(inOrder);
});
