// Which steps' rollouts a run keeps.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { strideOf, thin } from '../../../src/store/rollout-thinning.ts';

/** Keeps steps first … last as the recorder does, going on from what is there. */
function keep(
  sizes: Map<number, number>,
  first: number,
  last: number,
  bytes: (step: number) => number,
  budget: number,
): Map<number, number> {
  let stride = strideOf([...sizes.keys()]);
  for (let step = first; step <= last; step++) {
    sizes.set(step, bytes(step));
    const next = thin(sizes, stride, budget);
    for (const old of next.dropped) sizes.delete(old);
    stride = next.stride;
  }
  return sizes;
}

const steps = (sizes: Map<number, number>) => [...sizes.keys()];

describe('thinning', () => {
  it('keeps everything that fits', () => {
    expect(steps(keep(new Map(), 1, 10, () => 10, 100))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('keeps every second step where more would not fit, and always the newest', () => {
    expect(steps(keep(new Map(), 1, 11, () => 10, 100))).toEqual([1, 3, 5, 7, 9, 11]);
    expect(steps(keep(new Map(), 1, 12, () => 10, 100))).toEqual([1, 3, 5, 7, 9, 11, 12]);
    expect(steps(keep(new Map(), 1, 24, () => 10, 100))).toEqual([1, 5, 9, 13, 17, 21, 24]);
  });

  it('keeps the newest even where nothing fits', () => {
    expect(steps(keep(new Map(), 1, 5, () => 1000, 100)).at(-1)).toBe(5);
  });

  it('never takes more than the budget and the newest, and is even', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 50 }), (last, most) => {
        const bytes = (step: number) => 1 + ((step * 7919) % most);
        const kept = keep(new Map(), 1, last, bytes, 500);
        const all = steps(kept);
        const total = all.slice(0, -1).reduce((sum, step) => sum + bytes(step), 0);
        expect(total).toBeLessThanOrEqual(500);
        const gaps = all.slice(0, -1).map((step, i) => all[i + 1] - step);
        expect(new Set(gaps.slice(0, -1)).size).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('a run that was killed and goes on has what the unbroken run has', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 199 }),
        fc.integer({ min: 0, max: 200 }),
        (killedAt, back, more) => {
          const bytes = (step: number) => 40 + (step % 3);
          const budget = 1000;
          const from = Math.max(0, killedAt - back);
          const broken = keep(new Map(), 1, killedAt, bytes, budget);
          for (const step of steps(broken)) if (step > from) broken.delete(step);
          // A checkpoint from before the second kept step is the one case in which what was there cannot be told.
          fc.pre(broken.size !== 1 || from === 1);
          const last = killedAt + more;
          keep(broken, from + 1, last, bytes, budget);
          expect(steps(broken)).toEqual(steps(keep(new Map(), 1, last, bytes, budget)));
        },
      ),
      { numRuns: 500 },
    );
  });
});
