/** Which kept runs are drawn over the run at hand, and how all curves are looked at. */
import type { HeldOut, RunSummary } from '../../worker/protocol.ts';
import type { Core } from '../core.ts';
import { Store } from '../store.ts';
import { text } from '../text.ts';
import { COLORS, type DrawnRun } from './drawn-run.ts';
import { historyOf } from './history.ts';
import { ChartsView } from './view.ts';

export interface OverlaidRun extends DrawnRun {
  readonly heldOut: readonly HeldOut[];
  /** As far as the run had come when its numbers were read. */
  readonly step: number;
}

/** The run at hand has the first colour. */
const mostKept = COLORS - 1;

export class Overlay {
  readonly store = new Store<{
    shown: readonly OverlaidRun[];
    /** The name of a run whose numbers are on their way. */
    reading?: string;
  }>({ shown: [] });
  readonly view = new ChartsView();

  constructor(private readonly core: Core) {}

  has(id: string): boolean {
    return this.store.snapshot().shown.some((run) => run.id === id);
  }

  async toggle(id: string): Promise<void> {
    if (this.has(id)) this.remove(id);
    else await this.core.guarded(() => this.add(id));
  }

  remove(id: string): void {
    this.store.set({ shown: this.store.snapshot().shown.filter((run) => run.id !== id) });
  }

  /** The list of kept runs changed: what was deleted goes, names are as they are now, what went on is read again. */
  follow(runs: readonly RunSummary[]): void {
    const { shown } = this.store.snapshot();
    if (shown.length === 0) return;
    this.store.set({
      shown: shown.flatMap((run) => {
        const summary = runs.find(({ id }) => id === run.id);
        return summary ? [{ ...run, name: summary.name }] : [];
      }),
    });
    // The run at hand is drawn from its own numbers.
    for (const { id, step } of this.store.snapshot().shown)
      if (id !== this.core.state.keptId && runs.find((run) => run.id === id)!.step !== step)
        void this.core.guarded(() => this.add(id, () => this.has(id)));
  }

  /** Reads a run's numbers and shows them; one that is shown already keeps its place. */
  private async add(id: string, isWanted = () => true): Promise<void> {
    const summary = this.core.state.runs.find((run) => run.id === id);
    const name = summary?.name ?? id;
    this.store.set({ reading: name });
    const { rows, heldOut } = await this.core.service
      .history(id)
      .finally(() => this.store.set({ reading: undefined }));
    // Somebody may have taken it off meanwhile.
    if (!isWanted()) return;
    const { shown } = this.store.snapshot();
    const at = shown.findIndex((run) => run.id === id);
    const taken = shown.map((run) => run.color);
    const free = Array.from({ length: mostKept }, (_, i) => i + 1).find((color) => !taken.includes(color));
    if (at < 0 && free === undefined) throw new Error(text.curves.tooMany(mostKept));
    const run: OverlaidRun = {
      id,
      name,
      history: historyOf(rows),
      heldOut,
      step: summary?.step ?? 0,
      color: at < 0 ? free! : shown[at].color,
    };
    this.store.set({ shown: at < 0 ? [...shown, run] : shown.with(at, run) });
  }
}
