/**
 * Keeps a run while it goes on: rows of its log as they come, checkpoints beside the training, and of these no more
 * than save_total_limit with the best one never dropped. Storage that fails costs history or a checkpoint, never the
 * run: it is told through `warn`, and what was committed before stays.
 */
import {
  type Checkpoint,
  type CheckpointInfo,
  type LogRow,
  type RunInfo,
  type RunStore,
  StorageFullError,
} from '../store/run-store.ts';

export interface RecorderOptions {
  readonly store: RunStore;
  readonly save_total_limit: number | null;
  readonly warn: (message: string) => void;
  readonly onSaved: (checkpoint: CheckpointInfo) => void;
}

/** An update is held by a save for no longer than this and the copying. */
const givenWayMs = 30;

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export class Recorder {
  /** Rows that storage has not taken yet. */
  private pending: LogRow[] = [];
  /** Ends with what is being written. One thing at a time, in order. */
  private writing: Promise<void> = Promise.resolve();
  /** How many things are being written, or wait for it. */
  private tasks = 0;
  private isLogFull = false;
  /** The last best one that was saved. */
  private savedBest: number | null = null;

  constructor(private readonly options: RecorderOptions) {}

  log(row: LogRow): void {
    this.pending.push(row);
    this.enqueue(() => this.writeLog());
  }

  writeInfo(info: RunInfo): void {
    this.enqueue(() => this.options.store.writeInfo(info));
  }

  /**
   * Commits in the background; resolves at once unless an earlier save still goes on. Nobody may change the
   * checkpoint's arrays. Rows logged before it are committed before it.
   */
  async save(checkpoint: Checkpoint, best: number | null): Promise<void> {
    await this.settled();
    this.enqueue(async () => {
      await this.writeLog();
      const { store, onSaved, warn } = this.options;
      const bytes = [...checkpoint.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
      const space = await store.space();
      // Room is made only where there is too little: until the new one is committed, the last one must stay.
      if (space && space.free < bytes) await this.drop(1, best);
      const left = await store.space();
      if (left && left.free < bytes) {
        warn(
          `The checkpoint of step ${checkpoint.step} was not saved: it takes ${mebibytes(bytes)}, and ${store.where} ` +
            `has ${mebibytes(left.free)} left. Training goes on; the last checkpoint is kept. Free some space, for ` +
            'instance by deleting old runs.',
        );
        return;
      }
      try {
        await store.saveCheckpoint(checkpoint);
      } catch (error) {
        if (!(error instanceof StorageFullError)) throw error;
        await this.drop(1, best);
        warn(
          `The checkpoint of step ${checkpoint.step} was not saved, because ${store.where} is full ` +
            `(${mebibytes(bytes)} are needed). Training goes on; the last checkpoint is kept.`,
        );
        return;
      }
      await this.drop(this.options.save_total_limit ?? Number.POSITIVE_INFINITY, best);
      const saved = (await store.checkpoints()).find(({ step }) => step === checkpoint.step);
      if (saved) onSaved(saved);
    });
  }

  /**
   * Lets a save that goes on have the thread for a moment: a loop that computes without a pause would leave it a turn an
   * update, and a tab that is killed meanwhile would lose more.
   */
  async giveWay(): Promise<void> {
    if (this.tasks === 0) return;
    const enough = new Promise<void>((resolve) => setTimeout(resolve, givenWayMs));
    await Promise.race([this.writing, enough]);
  }

  /** Waits for everything that is being written. */
  async settled(): Promise<void> {
    await this.writing;
  }

  /**
   * Keeps `limit` checkpoints: the last, the best, and the newest of the others; the first two whatever the limit
   * (transformers' rotate_checkpoints).
   */
  private async drop(limit: number, best: number | null): Promise<void> {
    const { store } = this.options;
    const steps = (await store.checkpoints()).map(({ step }) => step);
    // A best that could not be saved protects nothing; the one before it still does.
    if (best !== null && steps.includes(best)) this.savedBest = best;
    const first = [steps.at(-1), this.savedBest].filter((step) => steps.includes(step as number));
    const kept = [...new Set([...first, ...steps.toReversed()])].slice(
      0,
      Math.max(limit, new Set(first).size),
    );
    for (const step of steps) if (!kept.includes(step)) await store.deleteCheckpoint(step);
  }

  private async writeLog(): Promise<void> {
    const rows = this.pending;
    if (rows.length === 0) return;
    this.pending = [];
    try {
      await this.options.store.appendLog(rows);
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
      // Kept in memory, and tried again with the next row.
      this.pending = [...rows, ...this.pending];
      if (!this.isLogFull)
        this.options.warn(
          `${this.options.store.where} is full: the history of the run is kept in memory only until there is room. Training goes on.`,
        );
      this.isLogFull = true;
    }
  }

  private enqueue(work: () => Promise<void>): void {
    this.tasks++;
    this.writing = this.writing
      .then(work)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.options.warn(`The run could not be written to ${this.options.store.where}: ${reason}`);
      })
      .finally(() => this.tasks--);
  }
}
