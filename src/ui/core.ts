/** What the parts of the page's session share: its state, the worker, and one place for errors. */
import type { Client } from '../worker/client.ts';
import type { State } from './state.ts';

export interface Core {
  readonly state: State;
  readonly service: Client['service'];
  set(change: Partial<State>): void;
  /** Runs what a user asked for; what goes wrong is shown. */
  guarded(work: () => Promise<void>): Promise<void>;
}

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
