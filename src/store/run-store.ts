/**
 * Where a run is kept: IndexedDB in the page's worker (idb-runs.ts), a folder on disk for the command line
 * (folder-runs.ts). The trainer knows this interface alone, and both keep the same promises:
 *
 * - A checkpoint is there whole or not at all: payload first, one small commit record last. Whatever ends the process,
 *   the last whole checkpoint stays usable; what an unfinished save or delete left is swept by `open`.
 * - Every tensor carries a checksum, verified when it is read.
 * - One writer at a time: `open` takes the run's lock, and is refused while another tab or process holds it.
 */
import type { JsonObject } from './json.ts';

export type TensorData = Float32Array | Int32Array | Uint8Array;

/** Row-major values of `shape`. */
export interface CheckpointTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/**
 * Everything that a run needs to go on. Tensors by name: `weights/<Hugging Face name>`, `optimizer/m.<name>`,
 * `optimizer/v.<name>`, `reference/<name>`, `generation/<what>`, and `files/<name>`, the model folder's other files.
 */
export interface Checkpoint {
  /** Updates done. */
  readonly step: number;
  /** Positions, random state, trainer state: JSON. */
  readonly state: JsonObject;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/** What is known of a checkpoint without its tensors. */
export interface CheckpointInfo {
  readonly step: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  readonly bytes: number;
}

/** A committed checkpoint. Tensors are read one at a time, so that none needs room beside the others. */
export interface StoredCheckpoint extends CheckpointInfo {
  readonly state: JsonObject;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly bytes: number }>;
  /** Throws a UserError naming tensor and run where the checksum does not agree. */
  read(name: string): Promise<CheckpointTensor>;
}

/** What a list of runs shows, and what is needed to open one again. JSON. */
export interface RunInfo {
  readonly name: string;
  readonly createdAt: number;
  /** Settings as configToJson gives them. */
  readonly settings: JsonObject;
  /** Whatever else the run's owner needs to go on: preset, model, dataset, rewards. Never a token. */
  readonly origin: JsonObject;
  readonly state: 'running' | 'finished' | 'stopped' | 'failed';
  /** Updates done when this was written. */
  readonly step: number;
  readonly bestStep: number | null;
  readonly bestMetric: number | null;
  readonly labels?: RunLabels;
}

/** What a person says of a run. The store keeps it when the run's owner writes the rest anew. */
export interface RunLabels {
  /** In place of the name that the run began with. */
  readonly name?: string;
  readonly notes?: string;
  readonly isStarred?: boolean;
  /** When it was deleted: it is hidden, and can be brought back for a while. null = brought back. */
  readonly deletedAt?: number | null;
}

/** One sampled completion, as TRL's completions table has it. */
export interface SampledCompletion {
  readonly prompt: string;
  readonly completion: string;
  /** By reward function; null where it had nothing to say. */
  readonly rewards: Readonly<Record<string, number | null>>;
  readonly advantage: number;
  /** Further columns: answer, the row's id, … */
  readonly extra: Readonly<Record<string, string | number | boolean | null>>;
}

/** What one update, or one evaluation, left behind. An update's row and an evaluation's may have the same step. */
export interface LogRow {
  readonly step: number;
  readonly kind: 'step' | 'evaluation';
  readonly metrics: Readonly<Record<string, number>>;
  readonly completions: readonly SampledCompletion[];
}

/** A step whose completions are kept, as a file of rollout-file.ts. */
export interface RolloutInfo {
  readonly step: number;
  readonly bytes: number;
}

/** One run as anybody may see it, while somebody else writes it too. */
export interface RunReader {
  /** What a message calls the place. */
  readonly where: string;
  info(): Promise<RunInfo | null>;
  /** All rows, oldest first. */
  readLog(): Promise<LogRow[]>;
  /** Committed ones, oldest step first. */
  checkpoints(): Promise<CheckpointInfo[]>;
  /** Throws a UserError where there is none of that step. */
  openCheckpoint(step: number): Promise<StoredCheckpoint>;
  /** Oldest first. */
  rollouts(): Promise<RolloutInfo[]>;
  /** Throws a UserError where there is none of that step. */
  readRollout(step: number): Promise<Uint8Array>;
  /** Bytes used by everything of this origin or disk, and bytes still free; null where nobody can say. */
  space(): Promise<{ used: number; free: number } | null>;
}

/** One run, opened for writing: its lock is held until `close`. */
export interface RunStore extends RunReader {
  writeInfo(info: RunInfo): Promise<void>;
  /** In the order given, behind what is there. */
  appendLog(rows: readonly LogRow[]): Promise<void>;
  /** Keeps a step's rollout, in place of those of the steps in `dropped`. */
  keepRollout(step: number, bytes: Uint8Array, dropped: readonly number[]): Promise<void>;
  /** Drops rows and rollouts of later steps: a run that goes on from a checkpoint writes them again. */
  truncateLog(lastStep: number): Promise<void>;
  /**
   * Resolves when it is committed; until then nobody may change the checkpoint's arrays, which are not copied first.
   * An older checkpoint of the same step is replaced only then. Where storage is full it throws a StorageFullError,
   * with everything committed before as it was.
   */
  saveCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** Nothing happens where there is none of that step. */
  deleteCheckpoint(step: number): Promise<void>;
  /** Gives the lock back; writing afterwards is an error. */
  close(): Promise<void>;
}

/** The disk, or the browser's share of it, is full. */
export class StorageFullError extends Error {
  override name = 'StorageFullError';
}
