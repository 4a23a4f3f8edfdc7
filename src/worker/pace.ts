/** How fast a run goes, and how long it still takes. */
import type { Progress } from './protocol.ts';

/** Steps that the speed is averaged over. */
const remembered = 20;

export class Pace {
  private readonly steps: { seconds: number; tokens: number }[] = [];
  private lastTokens = 0;
  /** Seconds of the last evaluation; null before the first. */
  evaluation: number | null = null;
  /** Bytes that the run holds. */
  memory: number | null = null;

  /** One update: its seconds, and the tokens of all updates so far. The first one compiles, so it does not count. */
  add(step: number, seconds: number, totalTokens: number): void {
    if (step > 1) this.steps.push({ seconds, tokens: totalTokens - this.lastTokens });
    if (this.steps.length > remembered) this.steps.shift();
    this.lastTokens = totalTokens;
  }

  progress(step: number, totalSteps: number, evaluationsLeft: number): Progress {
    const seconds = this.steps.reduce((sum, s) => sum + s.seconds, 0);
    const tokens = this.steps.reduce((sum, s) => sum + s.tokens, 0);
    const known = seconds > 0;
    const stepsPerSecond = known ? this.steps.length / seconds : null;
    return {
      step,
      totalSteps,
      stepsPerSecond,
      tokensPerSecond: known ? tokens / seconds : null,
      secondsLeft: stepsPerSecond
        ? (totalSteps - step) / stepsPerSecond + evaluationsLeft * (this.evaluation ?? 0)
        : null,
      memory: this.memory,
    };
  }
}
