/** The runs that this browser keeps: the list, looking at one, renaming, deleting, and room for more. */
import { askPersistence } from '../../store/storage-space.ts';
import type { RunLabels, RunSummary, StorageView } from '../../worker/protocol.ts';
import type { Core } from '../core.ts';
import { Bin } from './bin.ts';

const lookAgainMs = 2000;

export class Kept {
  readonly bin: Bin;
  /** Tells other tabs that the list changed. */
  private readonly tabs = new BroadcastChannel('papo-web runs');
  private persistence?: StorageView['persistence'];
  private wasAsked = false;
  private refreshing = false;
  private again = false;
  private later?: ReturnType<typeof setTimeout>;

  /** `onList`: told of the list whenever it was read anew. */
  constructor(
    private readonly core: Core,
    private readonly onList: (runs: readonly RunSummary[]) => void,
  ) {
    this.bin = new Bin(core, () => this.changed());
    this.tabs.onmessage = () => void this.refresh();
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.refresh();
    });
  }

  /** The list and the room as they are now. Calls that come meanwhile are served by one more look. */
  async refresh(): Promise<void> {
    this.again = true;
    if (this.refreshing) return;
    this.refreshing = true;
    try {
      while (this.again) {
        this.again = false;
        const { service } = this.core;
        const [runs, storage] = await Promise.all([service.runs(), service.storage()]);
        this.core.set({
          runs,
          storage: { ...storage, persistence: this.persistence ?? storage.persistence },
        });
        this.onList(runs);
        this.lookAgain(runs);
      }
    } catch {
      // Storage is denied: there is nothing to list, and each save says why it cannot be kept.
      this.core.set({ runs: [] });
    } finally {
      this.refreshing = false;
    }
  }

  /** Nobody tells when another tab gives a run back: a closed or reloaded one is gone a moment before its lock is. */
  private lookAgain(runs: readonly RunSummary[]): void {
    clearTimeout(this.later);
    if (!document.hidden && runs.some(({ isOpenElsewhere }) => isOpenElsewhere))
      this.later = setTimeout(() => void this.refresh(), lookAgainMs);
  }

  /** This tab changed the list. */
  async changed(): Promise<void> {
    this.tabs.postMessage(null);
    await this.refresh();
  }

  /** Asks the browser to keep what is stored. Only the page can: in a worker there is nobody to ask. */
  async askToKeep(): Promise<void> {
    this.wasAsked = true;
    this.persistence = await askPersistence();
    await this.refresh();
  }

  /** The first run of a visit asks by itself. */
  async askOnce(): Promise<void> {
    if (!this.wasAsked) await this.askToKeep();
  }

  async label(id: string, labels: RunLabels): Promise<void> {
    await this.core.guarded(async () => {
      await this.core.service.labelRun(id, labels);
      await this.changed();
    });
  }
}
