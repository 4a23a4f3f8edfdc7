/** A run's store in memory, with failures on request: what the trainer does with a store, without one. */
import { UserError } from '../src/errors.ts';
import {
  type Checkpoint,
  type CheckpointInfo,
  type LogRow,
  type RunInfo,
  type RunStore,
  StorageFullError,
  type StoredCheckpoint,
} from '../src/store/run-store.ts';

export class MemoryRunStore implements RunStore {
  readonly where = 'memory';
  runInfo: RunInfo | null = null;
  rows: LogRow[] = [];
  readonly kept = new Map<number, { checkpoint: Checkpoint; info: CheckpointInfo }>();
  readonly keptRollouts = new Map<number, Uint8Array>();
  /** What was done, in order. */
  readonly events: string[] = [];
  /** Bytes that are free, where the store should say. */
  free: number | null = null;
  /** Saves, or rows, that end in a StorageFullError. */
  isFull = false;
  isLogFull = false;
  areRolloutsFull = false;
  /** Checkpoints that cannot be read any more. */
  readonly damaged = new Set<number>();
  isClosed = false;

  async info() {
    return this.runInfo;
  }

  async writeInfo(info: RunInfo) {
    this.runInfo = info;
  }

  async appendLog(rows: readonly LogRow[]) {
    if (this.isLogFull) throw new StorageFullError('no room');
    this.rows.push(...rows);
  }

  async readLog() {
    return [...this.rows];
  }

  async truncateLog(lastStep: number) {
    this.rows = this.rows.filter(({ step }) => step <= lastStep);
    for (const step of this.keptRollouts.keys()) if (step > lastStep) this.keptRollouts.delete(step);
  }

  async keepRollout(step: number, bytes: Uint8Array, dropped: readonly number[]) {
    if (this.areRolloutsFull) throw new StorageFullError('no room');
    this.keptRollouts.set(step, bytes);
    for (const old of dropped) this.keptRollouts.delete(old);
  }

  async rollouts() {
    return [...this.keptRollouts]
      .map(([step, { byteLength: bytes }]) => ({ step, bytes }))
      .sort((a, b) => a.step - b.step);
  }

  async readRollout(step: number) {
    const found = this.keptRollouts.get(step);
    if (!found) throw new UserError(`memory has no rollout of step ${step}`);
    return found;
  }

  async saveCheckpoint(checkpoint: Checkpoint) {
    if (this.isFull) throw new StorageFullError('no room');
    // Everything of a real store is behind an event loop's turn too.
    await new Promise((resolve) => setTimeout(resolve));
    const { step } = checkpoint;
    const bytes = [...checkpoint.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const state = JSON.parse(JSON.stringify(checkpoint.state));
    this.kept.set(step, { checkpoint: { ...checkpoint, state }, info: { step, savedAt: 0, bytes } });
    this.events.push(`saved ${step}`);
  }

  async checkpoints() {
    return [...this.kept.values()].map(({ info }) => info).sort((a, b) => a.step - b.step);
  }

  async openCheckpoint(step: number): Promise<StoredCheckpoint> {
    const found = this.kept.get(step);
    if (!found) throw new UserError(`memory has no checkpoint of step ${step}`);
    const { tensors, state } = found.checkpoint;
    return {
      ...found.info,
      state,
      tensors: new Map(
        [...tensors].map(([name, { shape, data }]) => [name, { shape, bytes: data.byteLength }]),
      ),
      read: async (name) => {
        if (this.damaged.has(step)) throw new UserError(`memory: tensor "${name}" is damaged`);
        return tensors.get(name)!;
      },
    };
  }

  async deleteCheckpoint(step: number) {
    this.kept.delete(step);
    this.events.push(`deleted ${step}`);
  }

  async space() {
    return this.free === null ? null : { used: 0, free: this.free };
  }

  async close() {
    this.isClosed = true;
  }
}
