/**
 * What passes between the trainer's worker and the sandbox, over one MessagePort. Whoever holds the other end of the
 * port may terminate the code, so these are plain values, and both sides check what they get.
 */

/** One evaluation of reward code. `args` is the JSON of RewardArgs; null only checks that the code loads. */
export interface SandboxRequest {
  readonly id: number;
  readonly code: string;
  readonly args: string | null;
  readonly count: number;
  readonly timeLimitMs: number;
  readonly memoryLimitBytes: number;
}

/** `load`: the code itself is at fault, before it was given any completion. */
export type FailureKind = 'load' | 'throw' | 'time' | 'memory' | 'result';

export interface SandboxFailure {
  readonly kind: FailureKind;
  readonly message: string;
  /** In the user's code, from 1. */
  readonly line: number | null;
}

/** A returned value: a number (NaN and infinities too), a boolean, null, or the description of anything else. */
export type SandboxValue = number | boolean | null | { readonly junk: string };

export interface SandboxReply {
  readonly id: number;
  readonly logs: string[];
  readonly values?: SandboxValue[];
  readonly failure?: SandboxFailure;
}

/** The worker says this once its interpreter is loaded. */
export const READY = 'ready';
/** The trainer says this to the frame (or the Node host), which then terminates the worker and starts another. */
export const RESTART = 'restart';

/** An open sandbox, in the page or in Node. */
export interface Sandbox {
  /** For sandboxedReward, in this thread or, transferred, in another. */
  readonly port: MessagePort;
  close(): void;
}
