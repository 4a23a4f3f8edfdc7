import { describe, expect, it } from 'vitest';
import {
  type BatchSettings,
  epochPrompts,
  microBatches,
  microStep,
  planBatches,
  shuffleCompletions,
  tokensInUpdate,
  totalUpdates,
} from '../../../src/papo/batches.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';

const settings: BatchSettings = {
  per_device_train_batch_size: 6,
  gradient_accumulation_steps: 2,
  steps_per_generation: 4,
  num_generations: 2,
  num_iterations: 1,
};
const random = (): (() => number) => {
  const stream = new RandomStream(3, Purpose.test, 1);
  return () => stream.next();
};

describe('a plan', () => {
  it("is the one of TRL's figure (grpo_trainer.py:1085-1097, both processes as one)", () => {
    const plan = planBatches(settings);
    expect(plan.completionsPerGeneration).toBe(24);
    expect(plan.promptsPerGeneration).toBe(12);
    const steps = Array.from({ length: 6 }, (_, step) => microStep(plan, step));
    expect(steps.map((s) => s.generates)).toEqual([true, false, false, false, true, false]);
    expect(steps.map((s) => s.update)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(steps.map((s) => s.updates)).toEqual([false, true, false, true, false, true]);
    expect(steps.map((s) => s.microBatch)).toEqual([0, 1, 2, 3, 0, 1]);
    expect(steps.map((s) => s.generation)).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('goes over a generation num_iterations times', () => {
    const plan = planBatches({ ...settings, steps_per_generation: 2, num_iterations: 2 });
    const steps = Array.from({ length: 5 }, (_, step) => microStep(plan, step));
    expect(steps.map((s) => [s.generation, s.iteration, s.microBatch])).toEqual([
      [0, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
  });

  it('needs old log-probs exactly where the weights move while a generation is in use', () => {
    for (const accumulation of [1, 2, 3, 4, 6, 8]) {
      for (const steps of [1, 2, 3, 4]) {
        for (const iterations of [1, 2, 3]) {
          const plan = planBatches({
            ...settings,
            gradient_accumulation_steps: accumulation,
            steps_per_generation: steps,
            num_iterations: iterations,
          });
          // Walk over a whole period: does any update end before its generation does?
          let stale = false;
          for (let step = 0; step < accumulation * plan.generateEvery; step++) {
            const now = microStep(plan, step);
            if (now.updates && microStep(plan, step + 1).generation === now.generation) stale = true;
          }
          expect(plan.needsOldLogps, `${accumulation} ${steps} ${iterations}`).toBe(stale);
        }
      }
    }
  });

  it('refuses broken groups', () => {
    expect(() => planBatches({ ...settings, num_generations: 5 })).toThrow(/24 completions .* groups of 5/);
  });
});

describe('shuffling', () => {
  it('uses every completion once, and keeps groups whole when they are the unit', () => {
    const plan = planBatches(settings);
    for (const unit of [1, 2]) {
      const order = shuffleCompletions(24, unit, random());
      expect(order).not.toEqual(Array.from({ length: 24 }, (_, i) => i));
      const batches = microBatches(plan, order);
      expect(batches.map((batch) => batch.length)).toEqual([6, 6, 6, 6]);
      expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    }
    const groups = microBatches(plan, shuffleCompletions(24, 2, random()));
    for (const batch of groups) {
      const prompts = new Set(batch.map((i) => Math.floor(i / 2)));
      expect(prompts.size).toBe(3);
    }
  });

  it('reaches every order evenly', () => {
    const next = random();
    const counts = new Map<string, number>();
    const draws = 6000;
    for (let i = 0; i < draws; i++) {
      const key = shuffleCompletions(3, 1, next).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let chi = 0;
    for (const count of counts.values()) chi += (count - draws / 6) ** 2 / (draws / 6);
    expect(counts.size).toBe(6);
    // The 99.9 % point of chi-square with 5 degrees of freedom.
    expect(chi).toBeLessThan(20.52);
  });
});

describe('the dapo normaliser', () => {
  it('makes the weights of all tokens of an update sum to one, however the update is cut', () => {
    const lengths = Array.from({ length: 24 }, (_, i) => 1 + ((i * 7) % 11));
    for (const [size, accumulation] of [
      [24, 1],
      [12, 2],
      [6, 4],
      [4, 6],
    ]) {
      const plan = planBatches({
        per_device_train_batch_size: size,
        gradient_accumulation_steps: accumulation,
        steps_per_generation: accumulation,
        num_generations: 2,
        num_iterations: 1,
      });
      const batches = microBatches(plan, shuffleCompletions(24, 2, random()));
      const tokens = (step: number): number =>
        batches[microStep(plan, step).microBatch].reduce((sum, i) => sum + lengths[i], 0);
      expect(tokensInUpdate(plan, 0, tokens)).toBe(lengths.reduce((a, b) => a + b));
    }
  });

  it("covers an update's own micro-steps where a generation feeds several updates", () => {
    const plan = planBatches(settings);
    expect(tokensInUpdate(plan, 0, (step) => 10 ** step)).toBe(11);
    expect(tokensInUpdate(plan, 1, (step) => 10 ** step)).toBe(1100);
  });
});

describe('prompts', () => {
  const plan = planBatches({ ...settings, per_device_train_batch_size: 3, steps_per_generation: 2 });
  it("follow TRL's sampler: whole generations, the rest left out", () => {
    expect(epochPrompts(7, plan, null)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const shuffledPrompts = epochPrompts(7, plan, random()).flat();
    expect(new Set(shuffledPrompts).size).toBe(6);
    expect(shuffledPrompts).not.toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('make as many updates as the Trainer would', () => {
    // 7 prompts: 2 generations × 2 micro-steps = 4, 2 updates a pass.
    expect(totalUpdates({ max_steps: -1, num_train_epochs: 3 }, plan, 7)).toBe(6);
    expect(totalUpdates({ max_steps: -1, num_train_epochs: 1.25 }, plan, 7)).toBe(3);
    expect(totalUpdates({ max_steps: 5, num_train_epochs: 3 }, plan, 7)).toBe(5);
    expect(totalUpdates({ max_steps: -1, num_train_epochs: 3 }, plan, 2)).toBe(0);
  });
});
