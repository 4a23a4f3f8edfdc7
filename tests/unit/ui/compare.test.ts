/** The sentence of a comparison claims what the numbers show and no more; the pairs mean what they say. */
import { describe, expect, it } from 'vitest';
import { armsOf, PAIRS, parseSettings, requestOfRun, sharedBy } from '../../../src/ui/compare/pairs.ts';
import { measuredPairs, type Plan, plannedRuns } from '../../../src/ui/compare/plan.ts';
import { sentenceOf, verdictOf } from '../../../src/ui/compare/verdict.ts';
import { check } from '../../../src/worker/catalogue.ts';
import type { ComparedQuantity, ComparisonResult } from '../../../src/worker/evaluation-protocol.ts';

const names = ['GRPO', 'PAPO'];

function result(
  over: ComparisonResult['over'],
  [estimate, low, high]: readonly [number, number, number],
): ComparisonResult {
  const n = over === 'seeds' ? 3 : 256;
  const value = (share: number) => ({ estimate: share, low: share - 0.05, high: share + 0.05, n });
  const accuracy: ComparedQuantity = {
    quantity: 'accuracy',
    first: value(0.801),
    second: value(0.801 + estimate),
    difference: { estimate, low, high, n, p: 0.5 },
    adjusted: 0.5,
  };
  return { over, seeds: over === 'seeds' ? 3 : 1, questions: 256, quantities: [accuracy] };
}

describe('the sentence', () => {
  it.each([
    {
      over: 'questions',
      difference: [0.039, 0.005, 0.073],
      says: 'With one seed, on 256 held-out questions, GRPO answers 80.1 % right and PAPO 84.0 %. PAPO answers 3.9 points more right than GRPO; 95 % interval of the difference +0.5 to +7.3. This says nothing of other seeds: the interval is over questions.',
    },
    {
      over: 'questions',
      difference: [0.039, -0.02, 0.098],
      says: 'With one seed, on 256 held-out questions, GRPO answers 80.1 % right and PAPO 84.0 %. No difference was shown: PAPO − GRPO is +3.9 points, and the 95 % interval, −2.0 to +9.8, holds zero. A difference anywhere in it could have been missed. This says nothing of other seeds: the interval is over questions.',
    },
    {
      over: 'seeds',
      difference: [-0.12, -0.15, -0.09],
      says: 'Over 3 seeds, on 256 held-out questions each, GRPO answers 80.1 % right and PAPO 68.1 %. PAPO answers 12.0 points fewer right than GRPO; 95 % interval of the difference −15.0 to −9.0. The interval is Student’s t over the paired differences of the seeds.',
    },
    {
      over: 'seeds',
      difference: [0.039, -0.02, 0.098],
      says: 'Over 3 seeds, on 256 held-out questions each, GRPO answers 80.1 % right and PAPO 84.0 %. No difference was shown: PAPO − GRPO is +3.9 points, and the 95 % interval, −2.0 to +9.8, holds zero. A difference anywhere in it could have been missed. The interval is Student’s t over the paired differences of the seeds.',
    },
    {
      over: 'seeds',
      difference: [0.05, Number.NaN, Number.NaN],
      says: 'Over 3 seeds, on 256 held-out questions each, GRPO answers 80.1 % right and PAPO 85.1 %. PAPO − GRPO is +5.0 points in every seed. With no scatter between seeds no interval can be given, and no difference is claimed. The interval is Student’s t over the paired differences of the seeds.',
    },
  ] as const)('over $over, $difference', ({ over, difference, says }) => {
    expect(sentenceOf(result(over, difference), names)).toBe(says);
  });

  it('never prefers one where the interval holds zero', () => {
    for (const over of ['questions', 'seeds'] as const)
      for (const difference of [
        [0.2, 0, 0.4],
        [-0.2, -0.4, 0],
        [0, -0.1, 0.1],
        [0.3, -0.0001, 0.6],
      ] as const) {
        const said = sentenceOf(result(over, difference), names);
        expect(said).toContain('No difference was shown');
        expect(said).not.toMatch(/better|worse|more right|fewer right/);
      }
  });

  it('gives verdicts by the corrected p', () => {
    const [one] = result('seeds', [0.1, 0.05, 0.15]).quantities;
    expect(verdictOf({ ...one, adjusted: 0.049 })).toBe('differs');
    expect(verdictOf({ ...one, adjusted: 0.05 })).toBe('no difference shown');
    expect(verdictOf({ ...one, adjusted: Number.NaN })).toBe('cannot be told');
  });
});

describe('pairs', () => {
  const form = {
    preset: 'papo-nano',
    task: 'shapes',
    settings: { learning_rate: '1e-4', perception_loss_weight: '0.5', seed: '9', max_steps: '7' },
  };
  const planOf = (pair: (typeof PAIRS)[number], own: readonly [string, string] = ['', '']) => {
    const arms = armsOf(pair, own);
    return { arms, shared: sharedBy(form, arms), steps: 40 };
  };

  it('can all be run with the preset, and differ in what they name alone', () => {
    for (const pair of PAIRS) {
      const plan = planOf(pair, ['beta=0', 'beta=0.01']);
      const [a, b] = ([0, 1] as const).map((arm) => check(requestOfRun(plan, { arm, seed: 2 })));
      expect(a.validation.problems, pair).toEqual([]);
      expect(b.validation.problems, pair).toEqual([]);
      const differing = Object.keys(a.validation.values).filter(
        (name) => a.validation.values[name] !== b.validation.values[name],
      );
      const named = plan.arms.flatMap((arm) => Object.keys(arm.settings));
      expect(differing.filter((name) => name !== 'run_name').length, pair).toBeGreaterThan(0);
      // Each objective brings its own clip of the perception KL where nobody says otherwise.
      if (pair === 'objective') named.push('perception_kl_clip');
      for (const name of differing) expect([...named, 'run_name'], pair).toContain(name);
      for (const { config } of [a, b])
        expect(config, pair).toMatchObject({ seed: 2, max_steps: 40, learning_rate: 1e-4 });
    }
  });

  it('GRPO is PAPO without its weights, and PAPO is the preset', () => {
    const plan = planOf('papo');
    expect(check(requestOfRun(plan, { arm: 0, seed: 1 })).config).toMatchObject({
      perception_loss_weight: 0,
      der_loss_weight1: 0,
      der_loss_weight2: 0,
      run_name: 'GRPO, seed 1',
    });
    // What was typed in the form is left out: the pair decides it.
    expect(check(requestOfRun(plan, { arm: 1, seed: 1 })).config).toMatchObject({
      perception_loss_weight: 0.005,
      der_loss_weight1: 0.03,
      der_loss_weight2: 0.03,
    });
  });

  it('reads settings as typed', () => {
    expect(parseSettings('learning_rate = 1e-4\n\nmask_type: semantic; beta=0\nodd')).toEqual({
      learning_rate: '1e-4',
      mask_type: 'semantic',
      beta: '0',
      odd: '',
    });
  });

  it('take turns, and count only seeds of which both runs are measured', () => {
    const runs = plannedRuns(2);
    expect(runs.map(({ arm, seed }) => [arm, seed])).toEqual([
      [0, 1],
      [1, 1],
      [0, 2],
      [1, 2],
    ]);
    const measure = { samples: 1, values: {} };
    const plan = {
      seeds: 2,
      runs: runs.map((run, i) => (i < 3 ? { ...run, measure } : run)),
    } as unknown as Plan;
    expect(measuredPairs(plan).map(({ seed }) => seed)).toEqual([1]);
  });
});
