import { describe, expect, it } from 'vitest';
import {
  type AdvantageSettings,
  authorsAdvantages,
  groupAdvantages,
  type Reward,
} from '../../../src/papo/advantages.ts';
import { readFixture } from './fixtures.ts';

interface TrlCase extends Omit<AdvantageSettings, 'advantage_epsilon'> {
  name: string;
  rewards_per_func: Reward[][];
  advantages: number[];
  std_rewards: (number | null)[];
  is_std_zero: number[];
  metrics: Record<string, number>;
}
interface AuthorsCase {
  name: string;
  scores: number[];
  group: number[];
  eps: number;
  advantages: number[];
}
const fixture = readFixture<{ cases: TrlCase[]; authors: { cases: AuthorsCase[] } }>('papo/advantages.json');

function worst(got: ArrayLike<number>, want: readonly (number | null)[]): number {
  expect(got.length).toBe(want.length);
  let error = 0;
  want.forEach((value, i) => {
    if (value === null) expect(got[i]).toBeNaN();
    // The comparison is turned round so that a NaN counts as an error.
    else if (!(Math.abs(got[i] - value) <= error)) error = Math.abs(got[i] - value);
  });
  return error;
}

describe("TRL's advantages", () => {
  expect(fixture.cases.length).toBe(24);
  for (const c of fixture.cases) {
    it(c.name, () => {
      const names = c.rewards_per_func[0].map((_, k) => `f${k}`);
      const out = groupAdvantages(c.rewards_per_func, names, { ...c, advantage_epsilon: 1e-4 });
      expect(worst(out.advantages, c.advantages)).toBeLessThan(1e-9);
      expect(worst(out.stdRewards, c.std_rewards)).toBeLessThan(1e-9);
      expect(out.isStdZero.map(Number)).toEqual(c.is_std_zero);
      expect(Object.keys(out.metrics).sort()).toEqual(Object.keys(c.metrics).sort());
      const metrics = Object.keys(c.metrics);
      expect(
        worst(
          metrics.map((name) => out.metrics[name]),
          metrics.map((name) => c.metrics[name]),
        ),
      ).toBeLessThan(1e-9);
    });
  }
});

describe("the authors' advantages", () => {
  for (const c of fixture.authors.cases) {
    it(c.name, () => {
      expect(worst(authorsAdvantages(c.scores, c.group, c.eps), c.advantages)).toBeLessThan(1e-9);
    });
  }

  it('takes groups in any order', () => {
    const sorted = authorsAdvantages([0.3, 0.7, 2, -1], ['a', 'a', 'b', 'b']);
    const mixed = authorsAdvantages([2, 0.3, -1, 0.7], ['b', 'a', 'b', 'a']);
    expect([...mixed]).toEqual([sorted[2], sorted[0], sorted[3], sorted[1]]);
  });

  it('refuses a group of one', () => {
    expect(() => authorsAdvantages([1, 0, 1], [0, 0, 1])).toThrow(/group 1 has a single completion/);
  });
});

describe('input that does not fit', () => {
  const settings: AdvantageSettings = {
    num_generations: 2,
    scale_rewards: 'group',
    multi_objective_aggregation: 'sum_then_normalize',
    reward_weights: null,
    advantage_epsilon: 1e-4,
  };
  it('names what is wrong', () => {
    expect(() => groupAdvantages([[1], [0], [1]], ['f'], settings)).toThrow(/3 completions .* groups of 2/);
    expect(() => groupAdvantages([[1], [0, 1]], ['f'], settings)).toThrow(/completion 1 has 2 rewards/);
    expect(() => groupAdvantages([[1], [0]], ['f'], { ...settings, reward_weights: [1, 2] })).toThrow(
      /reward_weights has 2 entries/,
    );
  });

  it('gives a group with a single score no advantage', () => {
    const { advantages } = groupAdvantages([[1], [null]], ['f'], settings);
    expect([...advantages]).toEqual([0, 0]);
  });
});
