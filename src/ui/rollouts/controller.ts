/** Which step of which run is looked at, and how: asks the worker for what is not there. */
import type { GroupView, RolloutSteps } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { Store } from '../store.ts';
import type { Colouring } from './colouring.ts';
import type { Filter, Order } from './selection.ts';

/** A run, null for the one at hand where it is not kept. */
export type Source = string | null;

export interface RolloutsState {
  /** A kept run that was chosen; undefined: the run at hand. */
  readonly run?: string;
  /** undefined: the newest, whichever that is. */
  readonly step?: number;
  readonly steps: RolloutSteps;
  /** What the worker gave, and for what. */
  readonly loaded?: { readonly source: Source; readonly step: number; readonly groups: readonly GroupView[] };
  readonly isLoading: boolean;
  readonly error?: string;
  readonly colouring: Colouring;
  readonly filter: Filter;
  readonly order: Order;
  readonly showsAll: boolean;
  readonly showsDifference: boolean;
}

const none: RolloutSteps = { steps: [], stride: 1 };

export class RolloutsView {
  readonly store = new Store<RolloutsState>({
    steps: none,
    isLoading: false,
    colouring: 'kl',
    filter: 'all',
    order: 'drawn',
    showsAll: false,
    showsDifference: false,
  });
  /** What is asked for next, while the worker answers an earlier question. */
  private wanted?: { readonly source: Source; readonly step: number };
  private isAsking = false;
  private listed?: Source;

  constructor(private readonly core: Core) {}

  set(change: Partial<RolloutsState>): void {
    this.store.set(change);
  }

  /** Looks at another run: its newest step first. */
  chooseRun(run: string | undefined): void {
    this.set({ run, step: undefined, error: undefined });
  }

  /** Steps that there are. Called again when one more was made. */
  async list(source: Source): Promise<void> {
    if (source !== this.listed) this.set({ steps: none });
    this.listed = source;
    try {
      const steps = await this.core.service.rolloutSteps(source);
      if (source === this.listed) this.set({ steps, error: undefined });
    } catch (error) {
      if (source === this.listed) this.set({ steps: none, error: messageOf(error) });
    }
  }

  /** Gets a step's rollout. Of several that are asked for meanwhile, only the last one is. */
  async load(source: Source, step: number): Promise<void> {
    const { loaded } = this.store.snapshot();
    this.wanted = { source, step };
    if (this.isAsking) return;
    if (loaded?.source === source && loaded.step === step) {
      this.wanted = undefined;
      return;
    }
    this.isAsking = true;
    this.set({ isLoading: true });
    try {
      while (this.wanted) {
        const { source, step }: { source: Source; step: number } = this.wanted;
        this.wanted = undefined;
        try {
          const groups = await this.core.service.rollout(source, step);
          this.set({ loaded: { source, step, groups }, error: undefined });
        } catch (error) {
          this.set({ error: messageOf(error) });
        }
      }
    } finally {
      this.isAsking = false;
      this.set({ isLoading: false });
    }
  }
}
