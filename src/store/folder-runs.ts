/**
 * A run as a folder on disk (Node), laid out as TRL lays out output_dir: `checkpoint-<step>/` folders that transformers
 * opens, `run.json`, `log.jsonl`, `rollouts/step-<step>.safetensors`. Names that begin with a dot, or end in .tmp, are work
 * that is not finished.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { parseExact, stringifyExact } from './exact-json.ts';
import { openCheckpointFolder, readCheckpointInfo, writeCheckpointFolder } from './folder-checkpoint.ts';
import { lockFolder } from './folder-lock.ts';
import { isJsonObject } from './json.ts';
import { appendLogFile, filterLogFile, readLogFile, replaceFile, syncLogFile } from './jsonl-log.ts';
import { diskError, isMissing, syncFolder } from './node-files.ts';
import type {
  Checkpoint,
  CheckpointInfo,
  LogRow,
  RolloutInfo,
  RunInfo,
  RunReader,
  RunStore,
  StoredCheckpoint,
} from './run-store.ts';

const infoFile = 'run.json';
const logFile = 'log.jsonl';
const rolloutFolder = 'rollouts';
const rolloutName = /^step-(\d+)\.safetensors$/;
const checkpointName = /^checkpoint-(\d+)$/;
/** `.checkpoint-<step>.<id>.tmp` is not yet committed, `.old` is being replaced, `.deleted` is being deleted. */
const unfinishedName = /^\.checkpoint-(\d+)\.[\w-]+\.(tmp|old|deleted)$/;
const unfinishedFile = /^(run\.json|log\.jsonl)\.[\w-]+\.tmp$|^run\.[\w-]+\.lock\.tmp$/;

export interface FolderRunOptions {
  /** The model folder's files beside the weights, written into every checkpoint so that transformers opens it. */
  readonly sideFiles?: ReadonlyMap<string, Uint8Array>;
}

/**
 * Opens the run in `directory` for writing, made where missing, and sweeps what a crash left. Throws a UserError where
 * another process has it open.
 */
export async function openFolderRun(directory: string, options: FolderRunOptions = {}): Promise<FolderRun> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw diskError(error, directory);
  }
  const release = await lockFolder(directory);
  try {
    await sweepFolder(directory);
  } catch (error) {
    await release();
    throw diskError(error, directory);
  }
  return new FolderRun(directory, options.sideFiles ?? new Map(), release);
}

/** A view that writes nothing and needs no lock. */
export function readFolderRun(directory: string): RunReader {
  return new FolderRunReader(directory);
}

/** What a run folder says of its run, without opening it. Throws a UserError where there is none. */
export async function readRunInfo(directory: string): Promise<RunInfo> {
  const info = await readFolderRun(directory).info();
  if (!info) throw new UserError(`There is no run in ${directory}: it has no ${infoFile}.`);
  return info;
}

/** Whether a run was kept in `directory`. */
export async function isRunFolder(directory: string): Promise<boolean> {
  const found = await stat(join(directory, infoFile)).catch(() => null);
  return found?.isFile() ?? false;
}

/** Puts back what was being replaced when a crash came between, and removes everything unfinished. */
async function sweepFolder(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of await readdir(join(directory, rolloutFolder)).catch(() => []))
    if (name.endsWith('.tmp')) await rm(join(directory, rolloutFolder, name), { force: true });
  for (const name of names) {
    const [, step, kind] = unfinishedName.exec(name) ?? [];
    const path = join(directory, name);
    if (kind === 'old' && !names.includes(`checkpoint-${step}`)) {
      await rename(path, join(directory, `checkpoint-${step}`));
      names.push(`checkpoint-${step}`);
    } else if (kind || unfinishedFile.test(name)) await rm(path, { recursive: true, force: true });
  }
}

class FolderRunReader implements RunReader {
  constructor(readonly where: string) {}

  async info(): Promise<RunInfo | null> {
    const path = this.path(infoFile);
    let info: Partial<RunInfo> | null;
    try {
      info = parseExact(await readFile(path, 'utf8')) as Partial<RunInfo> | null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw new UserError(`${path} could not be read: ${(error as Error).message}`);
    }
    if (typeof info?.name !== 'string' || !isJsonObject(info.settings) || !isJsonObject(info.origin))
      throw new UserError(`${path} is no run's: expected an object with name, settings and origin.`);
    return info as RunInfo;
  }

  readLog(): Promise<LogRow[]> {
    return readLogFile(this.path(logFile));
  }

  async checkpoints(): Promise<CheckpointInfo[]> {
    const found: CheckpointInfo[] = [];
    for (const name of await readdir(this.where).catch(() => [])) {
      const step = Number(checkpointName.exec(name)?.[1] ?? Number.NaN);
      const info = Number.isSafeInteger(step) ? await readCheckpointInfo(this.path(name), step) : null;
      if (info) found.push(info);
    }
    return found.sort((a, b) => a.step - b.step);
  }

  async openCheckpoint(step: number): Promise<StoredCheckpoint> {
    const path = this.path(`checkpoint-${step}`);
    if (!(await stat(path).catch(() => null)))
      throw new UserError(`${this.where} has no checkpoint of step ${step}.`);
    return openCheckpointFolder(path, step);
  }

  async rollouts(): Promise<RolloutInfo[]> {
    const folder = this.path(rolloutFolder);
    const names = await readdir(folder).catch(() => []);
    const found = names.flatMap((name) => {
      const step = rolloutName.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    });
    const infos = await Promise.all(
      found.map(async ({ step, path }) => ({ step, bytes: (await stat(path)).size })),
    );
    return infos.sort((a, b) => a.step - b.step);
  }

  async readRollout(step: number): Promise<Uint8Array> {
    const path = this.rolloutPath(step);
    try {
      return await readFile(path);
    } catch (error) {
      if (isMissing(error)) throw new UserError(`${this.where} has no rollout of step ${step}.`);
      throw new UserError(`${path} could not be read: ${(error as Error).message}`);
    }
  }

  async space(): Promise<{ used: number; free: number } | null> {
    const disk = await statfs(this.where).catch(() => null);
    return disk && { used: (disk.blocks - disk.bfree) * disk.bsize, free: disk.bavail * disk.bsize };
  }

  protected rolloutPath(step: number): string {
    return join(this.path(rolloutFolder), `step-${step}.safetensors`);
  }

  protected path(name: string): string {
    return join(this.where, name);
  }
}

export class FolderRun extends FolderRunReader implements RunStore {
  private isClosed = false;

  constructor(
    directory: string,
    /** See FolderRunOptions; may be set once the model is there. */
    public sideFiles: ReadonlyMap<string, Uint8Array>,
    private readonly release: () => Promise<void>,
  ) {
    super(directory);
  }

  async writeInfo(info: RunInfo): Promise<void> {
    await this.write(infoFile, (path) => replaceFile(path, `${stringifyExact(info)}\n`));
  }

  async appendLog(rows: readonly LogRow[]): Promise<void> {
    if (rows.length > 0) await this.write(logFile, (path) => appendLogFile(path, rows));
  }

  async keepRollout(step: number, bytes: Uint8Array, dropped: readonly number[]): Promise<void> {
    await this.write(rolloutFolder, async (folder) => {
      await mkdir(folder, { recursive: true });
      for (const old of dropped) await rm(this.rolloutPath(old), { force: true });
      await replaceFile(this.rolloutPath(step), bytes);
    });
  }

  async truncateLog(lastStep: number): Promise<void> {
    await this.write(logFile, (path) => filterLogFile(path, ({ step }) => step <= lastStep));
    const later = (await this.rollouts()).filter(({ step }) => step > lastStep);
    await this.write(rolloutFolder, async () => {
      for (const { step } of later) await rm(this.rolloutPath(step), { force: true });
    });
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { step } = checkpoint;
    if (!Number.isSafeInteger(step) || step < 0) throw new UserError(`${step} is no step.`);
    const id = randomUUID();
    const temporary = this.path(`.checkpoint-${step}.${id}.tmp`);
    const old = this.path(`.checkpoint-${step}.${id}.old`);
    await this.write(`checkpoint-${step}`, async (path) => {
      try {
        // A checkpoint's rows are on the disk before it is.
        await syncLogFile(this.path(logFile));
        await writeCheckpointFolder(temporary, checkpoint, this.sideFiles);
        await moveIfThere(path, old);
        await rename(temporary, path);
      } catch (error) {
        // Where even this fails, the next start sweeps.
        await moveIfThere(old, path).catch(() => {});
        await rm(temporary, { recursive: true, force: true }).catch(() => {});
        throw error;
      }
      await syncFolder(this.where);
      // The new one is there: that the old one could not be removed is no failure of the save.
      await rm(old, { recursive: true, force: true }).catch(() => {});
    });
  }

  async deleteCheckpoint(step: number): Promise<void> {
    await this.write(`checkpoint-${step}`, async (path) => {
      const deleted = this.path(`.checkpoint-${step}.${randomUUID()}.deleted`);
      await moveIfThere(path, deleted);
      await rm(deleted, { recursive: true, force: true });
    });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.release();
  }

  private async write(name: string, work: (path: string) => Promise<void>): Promise<void> {
    if (this.isClosed) throw new Error(`The run in ${this.where} is closed.`);
    const path = this.path(name);
    try {
      await work(path);
    } catch (error) {
      throw diskError(error, path);
    }
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
