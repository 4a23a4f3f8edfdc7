/**
 * Models that were downloaded: fetched file by file, checked, kept, opened again from the disk, listed and deleted.
 * One tab at a time changes a model; another one waits for it.
 */
import { UserError } from '../errors.ts';
import { indexFile, type ModelFiles, readWeightMap, sideFiles, weightsFile } from '../store/hf-folder.ts';
import { parseJsonObject } from '../store/json.ts';
import { StorageFullError } from '../store/run-store.ts';
import { storageSpace } from '../store/storage-space.ts';
import { blobFile } from '../store/tensor-source.ts';
import type { CacheDisk, CacheSlot } from './cache-disk.ts';
import type { CachedFile, CachedModel, CacheIndex } from './cache-index.ts';
import { checkModelType, noWeightsError } from './check-model.ts';
import { sha256 } from './digest.ts';
import { downloadFile, findFault } from './download.ts';
import { withLock } from './lock.ts';
import { type ModelProgress, ProgressMeter } from './progress.ts';
import type { WebOptions } from './web-request.ts';

/** A file as its server lists it. */
export type RemoteFile = Pick<CachedFile, 'name' | 'size' | 'sha256' | 'gitBlob' | 'etag'>;

/** A model on a server, with what is needed to fetch its files. */
export interface RemoteModel {
  readonly key: string;
  readonly kind: 'hub' | 'site';
  readonly name: string;
  readonly revision: string | null;
  readonly commit: string | null;
  /** What a message calls it. */
  readonly where: string;
  /** Every file at its top, or what stands for them: null for a file that is not there. */
  find(name: string): Promise<RemoteFile | null>;
  /** Names of all files, for a message where weights are missing; null where the server does not list them. */
  readonly names: readonly string[] | null;
  url(name: string): URL;
  readonly headers: Record<string, string>;
  readonly token?: string;
  /** A refusal of this server as a sentence. */
  explain(error: unknown): unknown;
}

export interface FetchOptions extends WebOptions {
  readonly onProgress?: (progress: ModelProgress) => void;
  /** Something that happened and was mended: a file that was damaged and had to be loaded again. */
  readonly onNotice?: (sentence: string) => void;
}

/** A model in the list. */
export interface CachedModelInfo extends CachedModel {
  /** On the disk now. */
  readonly bytes: number;
  /** Of all its files, as far as they are known. */
  readonly totalBytes: number;
  readonly isWhole: boolean;
}

/** A name for the folder that no key can leave. */
export async function cacheFolder(key: string): Promise<string> {
  const digest = await sha256();
  digest.update(new TextEncoder().encode(key));
  return digest.hex().slice(0, 40);
}

const lockName = (key: string) => `papo-web/model/${key}`;
const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;

function isFull(error: unknown): boolean {
  const { name, code } = error as { name?: string; code?: unknown };
  return name === 'QuotaExceededError' || code === 'ENOSPC' || code === 'EDQUOT';
}

export class ModelCache {
  constructor(
    private readonly disk: CacheDisk,
    private readonly index: CacheIndex,
  ) {}

  private async slot(key: string, name: string): Promise<CacheSlot> {
    return this.disk.slot(await cacheFolder(key), name);
  }

  /**
   * The model's files on the disk, downloaded as far as they are not there yet, and checked. Throws UserError where the
   * server refuses, the model is none that can be used, or the disk is full (StorageFullError); or the signal's reason.
   * What arrived before stays, to go on with.
   */
  async fetch(remote: RemoteModel, options: FetchOptions = {}): Promise<ModelFiles> {
    const work = async () => {
      try {
        return await new Fetching(remote, this.disk, this.index, options).run();
      } catch (error) {
        const said = isFull(error) ? await this.fullError(remote, error) : remote.explain(error);
        await this.tidy(remote.key).catch(() => {});
        throw said;
      }
    };
    const done = await withLock(lockName(remote.key), 'now', work);
    if (done) return done;
    options.onNotice?.(`${remote.where} is being loaded already, here or in another tab: waiting for that.`);
    return withLock(lockName(remote.key), options.signal, work);
  }

  /** Forgets a model of which no weights have come: one that was refused, or cannot be used. */
  private async tidy(key: string): Promise<void> {
    const { files = [] } = (await this.index.get(key)) ?? {};
    for (const { name } of files)
      if (name.endsWith('.safetensors') && (await (await this.slot(key, name)).size()) > 0) return;
    await this.remove(key);
  }

  /** The entry goes first: files without one are swept, an entry without files is a download to begin. */
  private async remove(key: string): Promise<void> {
    await this.index.delete(key);
    await this.disk.removeFolder(await cacheFolder(key));
  }

  private async fullError(remote: RemoteModel, cause: unknown): Promise<StorageFullError> {
    const model = await this.index.get(remote.key).catch(() => undefined);
    const missing = model ? await this.missingBytes(model) : 0;
    const space = await storageSpace();
    return new StorageFullError(
      `${remote.where} does not fit on the disk: ${missing > 0 ? `${megabytes(missing)} are still missing` : 'there is no room for more'}` +
        `${space ? `, ${megabytes(space.free)} are free` : ''}. Delete models that are kept here or free some space, ` +
        'and load it again: it goes on where it stopped.',
      { cause },
    );
  }

  private async missingBytes({ key, files }: CachedModel): Promise<number> {
    let missing = 0;
    for (const file of files)
      missing += Math.max(0, (file.size ?? 0) - (await (await this.slot(key, file.name)).size()));
    return missing;
  }

  /** The latest whole copy that fits, for when its server cannot be asked. */
  async find(matches: (model: CachedModel) => boolean): Promise<CachedModel | null> {
    const found = (await this.index.all()).filter((model) => isWhole(model) && matches(model));
    return found.sort((a, b) => b.usedAt - a.usedAt)[0] ?? null;
  }

  /** All models of which something is kept, the last used first. */
  async list(): Promise<CachedModelInfo[]> {
    const models = await this.index.all();
    const infos = await Promise.all(
      models.map(async (model) => {
        let bytes = 0;
        // The disk knows best: a killed tab could not write down how far it had come.
        for (const { name } of model.files) bytes += await (await this.slot(model.key, name)).size();
        const totalBytes = model.files.reduce((sum, { size }) => sum + (size ?? 0), 0);
        return { ...model, bytes, totalBytes, isWhole: isWhole(model) && bytes === totalBytes };
      }),
    );
    return infos.sort((a, b) => b.usedAt - a.usedAt);
  }

  /** Nothing happens where there is none. Throws UserError while it is being loaded. */
  async delete(key: string): Promise<void> {
    const isDone = await withLock(lockName(key), 'now', async () => {
      await this.remove(key);
      return true;
    });
    if (!isDone) {
      throw new UserError(
        'This model is being loaded, here or in another tab: stop that first, or wait for it.',
      );
    }
  }

  /** Removes folders that no entry of the index stands for: what a tab left that ended while it deleted. */
  async sweep(): Promise<void> {
    // In this order: a download makes its entry before its folder.
    const folders = await this.disk.folders();
    const known = new Set(await Promise.all((await this.index.all()).map(({ key }) => cacheFolder(key))));
    for (const folder of folders) if (!known.has(folder)) await this.disk.removeFolder(folder);
  }
}

const isWhole = ({ files }: CachedModel) => files.length > 0 && files.every((file) => file.isWhole);

/** One fetch, with the lock held. */
class Fetching {
  private model!: CachedModel;
  /** Names of files that need no second look. */
  private readonly checked = new Set<string>();

  constructor(
    private readonly remote: RemoteModel,
    private readonly disk: CacheDisk,
    private readonly index: CacheIndex,
    private readonly options: FetchOptions,
  ) {}

  async run(): Promise<ModelFiles> {
    const { key, kind, name, revision, commit } = this.remote;
    const now = Date.now();
    this.model = (await this.index.get(key)) ?? {
      key,
      kind,
      name,
      revision,
      commit,
      files: [],
      addedAt: now,
      usedAt: now,
    };
    this.model.usedAt = now;
    // Before there is a folder: see `sweep`.
    await this.save();
    const folder = await cacheFolder(key);
    const slot = (file: string) => this.disk.slot(folder, file);
    await this.plan(slot);
    await this.verify(slot);
    await this.download(this.model.files, slot);
    return filesOf(this.remote.where, this.model.files, slot);
  }

  private save = () => this.index.set(this.model);

  /** Finds out which files are needed, from the small ones that say it; the model itself is judged by them too. */
  private async plan(slot: (file: string) => CacheSlot): Promise<void> {
    const { remote, model } = this;
    const before = new Map(model.files.map((file) => [file.name, file]));
    model.files = [];
    const add = async (name: string): Promise<CachedFile | null> => {
      const listed = await remote.find(name);
      if (!listed) return null;
      const known = before.get(name);
      const isSame = known && isSameVersion(known, listed);
      const file = isSame ? known : { ...listed, isWhole: false };
      if (known && !isSame) await slot(name).remove();
      model.files.push(file);
      return file;
    };
    const read = async (file: CachedFile): Promise<Uint8Array> => {
      const isGood = file.isWhole && (await findFault(file, slot(file.name), this.options)) === null;
      if (isGood) this.checked.add(file.name);
      else await this.download([Object.assign(file, { isWhole: false })], slot, true);
      return new Uint8Array(await (await slot(file.name).blob()).arrayBuffer());
    };
    const config = await add('config.json');
    if (!config)
      throw new UserError(`${remote.where} has no config.json: it is no Hugging Face model folder.`);
    checkModelType(parseJsonObject(await read(config), `${remote.where}: config.json`), remote.where);
    for (const name of sideFiles) await add(name);
    if (!(await add(weightsFile))) {
      const list = await add(indexFile);
      if (!list) throw noWeightsError(remote.where, remote.names);
      const shards = new Set(readWeightMap(await read(list), `${remote.where}: ${indexFile}`).values());
      for (const shard of shards) {
        if (!(await add(shard)))
          throw new UserError(`${remote.where} has no ${shard}, which ${indexFile} names.`);
      }
    }
    await this.save();
    // What an earlier version of the model had.
    for (const name of before.keys())
      if (!model.files.some((file) => file.name === name)) await slot(name).remove();
  }

  /** Reads what is kept as whole, and forgets what is not. */
  private async verify(slot: (file: string) => CacheSlot): Promise<void> {
    const { remote, model, options } = this;
    const kept = model.files.filter((file) => file.isWhole && !this.checked.has(file.name));
    const total = kept.reduce((sum, { size }) => sum + (size ?? 0), 0);
    const meter = new ProgressMeter('verifying', total, options.onProgress);
    for (const file of kept) {
      const onBytes = (bytes: number) => meter.add(file.name, bytes);
      const fault = await findFault(file, slot(file.name), { signal: options.signal, onBytes });
      meter.end(file.name);
      if (fault === null) continue;
      options.onNotice?.(`${remote.where}: ${file.name} was kept damaged (${fault}); it is loaded again.`);
      file.isWhole = false;
      await this.save();
      // What is too short may be right as far as it goes: its checksum will tell.
      if ((await slot(file.name).size()) >= (file.size ?? 0)) await slot(file.name).remove();
    }
  }

  private async download(
    files: readonly CachedFile[],
    slot: (file: string) => CacheSlot,
    isQuiet = false,
  ): Promise<void> {
    const { remote, options } = this;
    const total = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
    const missing = files.filter((file) => !file.isWhole);
    if (missing.length === 0) return;
    await this.checkRoom(missing, slot);
    const meter = new ProgressMeter('downloading', total, isQuiet ? undefined : options.onProgress);
    for (const file of files) if (file.isWhole) meter.skip(file.size ?? 0);
    for (const file of missing) {
      await downloadFile(file, remote.url(file.name), slot(file.name), {
        ...options,
        headers: remote.headers,
        token: remote.token,
        meter,
        where: remote.where,
        save: this.save,
      });
      this.checked.add(file.name);
    }
  }

  /** A download that cannot end well does not begin. */
  private async checkRoom(missing: readonly CachedFile[], slot: (file: string) => CacheSlot): Promise<void> {
    const space = await storageSpace();
    if (!space) return;
    let needed = 0;
    for (const file of missing) needed += Math.max(0, (file.size ?? 0) - (await slot(file.name).size()));
    if (needed > space.free) throw new DOMException('there is not enough room', 'QuotaExceededError');
  }
}

/** Whether what is kept of a file is of the version that the server has now. */
function isSameVersion(kept: CachedFile, listed: RemoteFile): boolean {
  if (listed.sha256) return kept.sha256 === listed.sha256;
  if (listed.gitBlob) return kept.gitBlob === listed.gitBlob;
  // A server that tells no mark may have changed the file without a trace.
  return (
    listed.etag !== undefined &&
    kept.etag === listed.etag &&
    (listed.size === null || kept.size === listed.size)
  );
}

function filesOf(where: string, files: readonly CachedFile[], slot: (file: string) => CacheSlot): ModelFiles {
  const names = new Set(files.map(({ name }) => name));
  return {
    where,
    async read(name) {
      if (!names.has(name)) return null;
      try {
        return new Uint8Array(await (await slot(name).blob()).arrayBuffer());
      } catch (error) {
        throw new UserError(`${where}: ${name} could not be read: ${(error as Error).message}`);
      }
    },
    async open(name) {
      return names.has(name) ? blobFile(await slot(name).blob(), `${where}: ${name}`) : null;
    },
  };
}
