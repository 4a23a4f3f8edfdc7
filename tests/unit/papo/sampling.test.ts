import { describe, expect, it } from 'vitest';
import { drawInformativeGroups, isInformative, selectInformativeGroups } from '../../../src/papo/sampling.ts';

describe('an informative group', () => {
  it('has some right and some wrong', () => {
    expect(isInformative([1, 0, 1])).toBe(true);
    expect(isInformative([1, 1, 1])).toBe(false);
    expect(isInformative([0, 0, 0])).toBe(false);
  });
  it('counts rewards that were given only', () => {
    expect(isInformative([null, 1, 1])).toBe(false);
    expect(isInformative([null, 1, 0.9])).toBe(true);
    expect(isInformative([null, null])).toBe(false);
    expect(isInformative([])).toBe(false);
  });
});

it('selects in order, no more than wanted', () => {
  const groups = [
    [1, 1],
    [1, 0],
    [0, 0],
    [0, 1],
    [1, 0],
  ];
  expect(selectInformativeGroups(groups, 2)).toEqual({ kept: [1, 3], uninformative: [0, 2], missing: 0 });
  expect(selectInformativeGroups(groups, 4)).toEqual({ kept: [1, 3, 4], uninformative: [0, 2], missing: 1 });
});

describe('drawing again', () => {
  it('asks for what is missing until the batch is full', async () => {
    const asked: number[][] = [];
    const batches = [
      [
        [1, 1],
        [0, 1],
        [0, 0],
      ],
      [
        [1, 1],
        [1, 0],
      ],
      [[1, 0]],
    ];
    const out = await drawInformativeGroups(
      async (attempt, missing) => {
        asked.push([attempt, missing]);
        return batches[attempt];
      },
      (group) => group,
      3,
      20,
    );
    expect(asked).toEqual([
      [0, 3],
      [1, 2],
      [2, 1],
    ]);
    expect(out).toEqual({
      groups: [
        [0, 1],
        [1, 0],
        [1, 0],
      ],
      informative: 3,
      retries: 2,
      drawn: 6,
    });
  });

  it('stops after the retries and fills up with what it has', async () => {
    let draws = 0;
    const out = await drawInformativeGroups(
      async () => {
        draws++;
        return draws === 2 ? [[0, 1]] : [[1, 1]];
      },
      (group) => group,
      3,
      20,
    );
    expect(draws).toBe(21);
    expect(out.retries).toBe(20);
    expect(out.informative).toBe(1);
    expect(out.groups).toEqual([
      [0, 1],
      [1, 1],
      [1, 1],
    ]);
  });

  it('draws once with no retries', async () => {
    const out = await drawInformativeGroups(
      async () => [[1, 1]],
      (group) => group,
      1,
      0,
    );
    expect(out).toEqual({ groups: [[1, 1]], informative: 0, retries: 0, drawn: 1 });
  });
});
