/**
 * Which steps' rollouts a run keeps: all of them while they fit, then every second, every fourth, …, and always the
 * newest. It depends on the steps and their sizes alone, so that a run which was killed and goes on ends up with the
 * ones that the unbroken run has.
 */

/** Bytes that the rollouts of one run may take. */
export const rolloutBudget = 64 * 2 ** 20;

/** Steps 1, 1 + stride, 1 + 2 · stride, … are kept for good. */
export const isOnStride = (step: number, stride: number): boolean => (step - 1) % stride === 0;

/** The stride of a run that has kept these steps, oldest first: the newest may be off it, and counts where it is alone. */
export function strideOf(steps: readonly number[]): number {
  const divisor = steps.slice(0, -1).reduce((all, step) => gcd(all, step - 1), 0);
  const stride = divisor || (steps.at(-1) ?? 1) - 1;
  // A power of two, whatever steps are missing because they could not be written.
  return Math.max(1, stride & -stride);
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** What to drop once the newest of `sizes` (bytes by step) is there, and the stride from then on. */
export function thin(
  sizes: ReadonlyMap<number, number>,
  stride: number,
  budget: number,
): { stride: number; dropped: number[] } {
  const newest = Math.max(...sizes.keys());
  const bytesOn = (stride: number) =>
    [...sizes].reduce((sum, [step, bytes]) => sum + (isOnStride(step, stride) ? bytes : 0), 0);
  let wider = stride;
  // The first step stays, however large.
  while (bytesOn(wider) > budget && wider < newest) wider *= 2;
  const dropped = [...sizes.keys()].filter((step) => step !== newest && !isOnStride(step, wider));
  return { stride: wider, dropped };
}
