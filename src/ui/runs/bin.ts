/** Deleted runs that can still be brought back. They are hidden at once, and gone when nobody undoes it. */
import type { RunSummary } from '../../worker/protocol.ts';
import type { Core } from '../core.ts';
import { Store } from '../store.ts';

const undoMs = 10_000;

export type DeletedRun = Pick<RunSummary, 'id' | 'name' | 'bytes'>;

export class Bin {
  readonly store = new Store<{ deleted: readonly DeletedRun[] }>({ deleted: [] });
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly core: Core,
    private readonly changed: () => Promise<void>,
  ) {}

  async put({ id, name, bytes }: RunSummary): Promise<void> {
    await this.core.guarded(async () => {
      await this.core.service.labelRun(id, { deletedAt: Date.now() });
      if (this.core.state.keptId === id) this.core.set({ keptId: undefined, canResume: false });
      this.store.set({ deleted: [...this.store.snapshot().deleted, { id, name, bytes }] });
      this.wait(id);
      await this.changed();
    });
  }

  async undo(id: string): Promise<void> {
    this.drop(id);
    // Its button is gone, and nobody at it any more.
    this.goOn();
    await this.core.guarded(async () => {
      await this.core.service.labelRun(id, { deletedAt: null });
      await this.changed();
    });
  }

  /** Somebody is at the button: nothing goes away under their hands. */
  hold(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
  }

  goOn(): void {
    for (const { id } of this.store.snapshot().deleted) this.wait(id);
  }

  private wait(id: string): void {
    clearTimeout(this.timers.get(id));
    this.timers.set(
      id,
      setTimeout(() => void this.forget(id), undoMs),
    );
  }

  /** For good. A tab that closes before leaves it to the next visit. */
  private async forget(id: string): Promise<void> {
    this.drop(id);
    await this.core.guarded(async () => {
      await this.core.service.deleteRun(id);
      await this.changed();
    });
  }

  private drop(id: string): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.store.set({ deleted: this.store.snapshot().deleted.filter((run) => run.id !== id) });
  }
}
