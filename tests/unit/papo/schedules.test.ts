import { describe, expect, it } from 'vitest';
import { annealingDiscount, learningRateFactor, warmupUpdates } from '../../../src/papo/schedules.ts';
import type { Settings } from '../../../src/papo/settings.ts';
import { readFixture } from './fixtures.ts';

interface ScheduleCase {
  lr_scheduler_type: Settings['lr_scheduler_type'];
  warmup_steps: number;
  max_steps: number;
  learning_rate: number;
  learning_rates: number[];
}
const { schedules } = readFixture<{ schedules: ScheduleCase[] }>('optimizer.json');

describe("transformers' learning rates", () => {
  expect(new Set(schedules.map((c) => c.lr_scheduler_type)).size).toBe(4);
  for (const c of schedules) {
    it(`${c.lr_scheduler_type}, warm-up ${c.warmup_steps} of ${c.max_steps}`, () => {
      const warmup = warmupUpdates(c.warmup_steps, c.max_steps);
      c.learning_rates.forEach((want, update) => {
        const factor = learningRateFactor(c.lr_scheduler_type, update, warmup, c.max_steps);
        expect(Math.abs(c.learning_rate * factor - want), `update ${update}`).toBeLessThan(
          1e-14 * c.learning_rate,
        );
      });
    });
  }

  it('stays at 0 after the end, and takes a warm-up longer than the run', () => {
    expect(learningRateFactor('linear', 25, 0, 20)).toBe(0);
    expect(learningRateFactor('cosine', 20, 5, 20)).toBe(0);
    expect(learningRateFactor('linear', 3, 10, 5)).toBe(0.3);
  });
});

describe('warm-up', () => {
  it('is a number of updates, or below 1 a share rounded up', () => {
    expect(warmupUpdates(0, 100)).toBe(0);
    expect(warmupUpdates(7, 100)).toBe(7);
    expect(warmupUpdates(0.03, 110)).toBe(4);
  });
});

describe('annealing', () => {
  const settings = {
    perception_loss_weight: 0.02,
    kl_prcp_annealing_start: null,
    kl_prcp_annealing_end: 0,
    kl_prcp_annealing_ratio: 0.5,
  };
  it('goes linearly to the end over the share of steps and stays there', () => {
    const discounts = [0, 1, 5, 10, 11, 21].map((step) => annealingDiscount(settings, step, 21));
    // int(21 × 0.5) = 10 steps.
    [1, 0.9, 0.5, 0, 0, 0].forEach((want, i) => {
      expect(discounts[i]).toBeCloseTo(want, 14);
    });
  });

  it('is relative to perception_loss_weight', () => {
    const rising = { ...settings, kl_prcp_annealing_start: 0.01, kl_prcp_annealing_end: 0.04 };
    expect(annealingDiscount(rising, 0, 8)).toBeCloseTo(0.5, 14);
    expect(annealingDiscount(rising, 4, 8)).toBeCloseTo(2, 14);
  });

  it('is 1 when off', () => {
    expect(annealingDiscount({ ...settings, kl_prcp_annealing_ratio: null }, 5, 10)).toBe(1);
    expect(annealingDiscount({ ...settings, perception_loss_weight: 0 }, 5, 10)).toBe(1);
  });
});
