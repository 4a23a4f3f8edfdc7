/** What page and worker say to each other about rewards that are tried before anything is trained with them. */
import type { RunRequest } from './protocol.ts';

export interface RewardTrialRequest {
  /** Its settings and rewards; `rewardCode` is what was typed, whether it may run or not. */
  readonly run: RunRequest;
  /** The visitor agreed to run the code. Else it is only read: its syntax errors are found, and it does nothing. */
  readonly mayRun: boolean;
  /** On the completions of the last step, where there are some. */
  readonly onLastStep: boolean;
}

/** What one completion was made to show; null where the model wrote it. */
export type SampleKind = 'right' | 'wrong' | 'unformatted';

export interface TriedCompletion {
  readonly text: string;
  readonly made: SampleKind | null;
  /** By reward function; a text says what came instead of a reward. */
  readonly rewards: readonly (number | null | string)[];
  /** The weighted sum; null where no function gave a reward. */
  readonly total: number | null;
}

export interface TriedGroup {
  readonly id: string;
  readonly prompt: string;
  readonly answer: string | null;
  readonly completions: readonly TriedCompletion[];
  /** All its sums are equal: nothing can be learned from it. */
  readonly isFlat: boolean;
}

/** What is wrong with reward code; `line` counts from 1. */
export interface RewardCodeProblem {
  readonly message: string;
  readonly line: number | null;
}

export interface RewardTrial {
  /** The step whose completions these are; null where they were made up from the task. */
  readonly step: number | null;
  readonly names: readonly string[];
  readonly weights: readonly number[];
  readonly groups: readonly TriedGroup[];
  /** What the functions are called with. */
  readonly columns: readonly string[];
  /** What went wrong with the visitor's code. */
  readonly problem?: RewardCodeProblem;
  /** The code ran: how long it took, and what it gave to console.log. */
  readonly ran?: { readonly ms: number; readonly logs: readonly string[] };
}

export interface RewardService {
  tryRewards(request: RewardTrialRequest): Promise<RewardTrial>;
}
