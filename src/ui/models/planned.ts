/** The plan of the run that the form describes, and about how long its steps take: asked for while somebody looks. */
import type { PlanView, StepEstimate } from '../../worker/model-protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { isGoing, requestOf } from '../state.ts';
import { Store } from '../store.ts';

/** Somebody who types is not interrupted. */
const patience = 400;

export interface PlannedState {
  readonly isOpen: boolean;
  readonly isAsking: boolean;
  readonly plan?: PlanView;
  readonly problem?: string;
  readonly estimate?: StepEstimate;
}

export class Planned {
  readonly store = new Store<PlannedState>({ isOpen: false, isAsking: false });
  private planned?: string;
  private estimated?: string;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(private readonly page: Core & { subscribe(listener: () => void): () => void }) {}

  /** From now on it follows the form. */
  open(): void {
    this.page.subscribe(() => this.look());
  }

  show(isOpen: boolean): void {
    this.store.set({ isOpen });
    this.look();
  }

  private look(): void {
    const { loaded, form, validation } = this.page.state;
    const { isOpen } = this.store.snapshot();
    if (!loaded) {
      this.planned = this.estimated = undefined;
      this.store.set({ isAsking: false, plan: undefined, estimate: undefined, problem: undefined });
      return;
    }
    // A run is planned before it begins; what it was stays on show.
    if (isGoing(this.page.state) || !validation || validation.problems.length > 0) return;
    const key = JSON.stringify([loaded.mark, loaded.device.label, requestOf(form)]);
    if ((!isOpen || key === this.planned) && (!loaded.isLarge || key === this.estimated)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(key), patience);
  }

  private async ask(key: string): Promise<void> {
    const { service, state } = this.page;
    const request = requestOf(state.form);
    const { isOpen } = this.store.snapshot();
    if (isOpen && key !== this.planned) {
      this.planned = key;
      this.store.set({ isAsking: true, problem: undefined });
      try {
        const plan = await service.plan(request);
        if (this.planned === key) this.store.set({ ...(plan && { plan }), isAsking: false });
      } catch (error) {
        if (this.planned === key)
          this.store.set({ problem: messageOf(error), plan: undefined, isAsking: false });
      }
    }
    if (this.page.state.loaded?.isLarge && key !== this.estimated) {
      this.estimated = key;
      const estimate = await service.estimateStep(request).catch(() => null);
      if (this.estimated === key) this.store.set({ estimate: estimate ?? undefined });
    }
  }
}
