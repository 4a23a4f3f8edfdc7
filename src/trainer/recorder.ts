/**
 * Keeps a run while it goes on: rows of its log and rollouts as they come, checkpoints beside the training, and of these no more
 * than save_total_limit with the best one never dropped. Storage that fails costs history or a checkpoint, never the
 * run: it is told through `warn`, and what was committed before stays.
 */
import { type KeptRollout, writeRollout } from '../store/rollout-file.ts';
import { rolloutBudget, strideOf, thin } from '../store/rollout-thinning.ts';
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
  /** That rollouts may take; default: rolloutBudget. */
  readonly rolloutBytes?: number;
  readonly warn: (message: string) => void;
  readonly onSaved: (checkpoint: CheckpointInfo) => void;
}

/** An update is held by a save for no longer than this and the copying. */
const givenWayMs = 30;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
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
  /** Bytes of the rollouts that are kept, by step, as far as known. */
  private rollouts?: { readonly sizes: Map<number, number>; stride: number };
  private lacksRollouts = false;

  constructor(private readonly options: RecorderOptions) {}

  log(row: LogRow): void {
    this.pending.push(row);
    this.enqueue(() => this.writeLog());
  }

  writeInfo(info: RunInfo): void {
    this.enqueue(() => this.options.store.writeInfo(info));
  }

  /** Older rollouts are thinned out where they take too much. One that cannot be kept is told once. */
  keepRollout(rollout: KeptRollout): void {
    this.enqueue(async () => {
      try {
        await this.writeKept(rollout);
      } catch (error) {
        this.rollouts = undefined;
        if (this.lacksRollouts) return;
        this.lacksRollouts = true;
        const { store, warn } = this.options;
        warn(
          `The rollout of step ${rollout.step} could not be kept in ${store.where}: ${messageOf(error)}. Training goes ` +
            'on; steps that are missing cannot be looked at later.',
        );
      }
    });
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

  private async writeKept(rollout: KeptRollout): Promise<void> {
    const { store, rolloutBytes = rolloutBudget } = this.options;
    const { step } = rollout;
    // A run that went back to an earlier checkpoint has fewer than it had.
    if (!this.rollouts || [...this.rollouts.sizes.keys()].some((known) => known >= step)) {
      const kept = await store.rollouts();
      const stride = strideOf(kept.map((info) => info.step));
      this.rollouts = { sizes: new Map(kept.map((info) => [info.step, info.bytes])), stride };
    }
    const bytes = writeRollout(rollout);
    const { sizes } = this.rollouts;
    sizes.set(step, bytes.byteLength);
    const { stride, dropped } = thin(sizes, this.rollouts.stride, rolloutBytes);
    await store.keepRollout(step, bytes, dropped);
    for (const old of dropped) sizes.delete(old);
    this.rollouts.stride = stride;
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
        this.options.warn(
          `The run could not be written to ${this.options.store.where}: ${messageOf(error)} Training goes on; what was ` +
            'saved before is kept.',
        );
      })
      .finally(() => this.tasks--);
  }
}
