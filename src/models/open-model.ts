/** A model from wherever it is, opened: the Hub, files that were picked or dropped, the page's own origin. */
import { UserError } from '../errors.ts';
import { openModelSource, type PickedFile } from '../import/picked-files.ts';
import { sameOriginUrl } from '../import/same-origin.ts';
import type { ModelFiles } from '../store/hf-folder.ts';
import { type OpenModel, openModelFolder } from '../store/open-folder.ts';
import { type CachedModelInfo, type FetchOptions, ModelCache } from './cache.ts';
import { memoryDisk } from './cache-disk.ts';
import { idbIndex, memoryIndex } from './cache-index.ts';
import { checkModelType } from './check-model.ts';
import type { HubOptions } from './hub-source.ts';
import { parseHubModel } from './model-id.ts';
import { opfsDisk } from './opfs-disk.ts';
import { SiteModel } from './site-source.ts';
import { Refused } from './web-request.ts';

export type { CachedModelInfo } from './cache.ts';
export type { ModelProgress } from './progress.ts';

/** Which model, and where it is. */
export type ModelRequest =
  /** `id`: `owner/name`, `owner/name@revision`, or an address on huggingface.co. */
  | { readonly kind: 'hub'; readonly id: string; readonly revision?: string }
  /** One zip, or the files of a folder. */
  | { readonly kind: 'files'; readonly files: readonly (File | PickedFile)[] }
  /**
   * A folder below the page's own origin. Its weights are read where they lie, or are kept like a download: where the
   * server gives no parts of files, or when `keep` asks for it.
   */
  | { readonly kind: 'site'; readonly url: string; readonly keep?: boolean };

export interface OpenModelOptions extends FetchOptions, HubOptions {
  /** Where downloads are kept. Default: the browser's own disk; where it gives none, memory. */
  readonly cache?: ModelCache;
  /** What addresses of the site are seen from. Default: the page's. */
  readonly base?: string | URL;
}

let browserCache: Promise<ModelCache> | undefined;

/** The browser's cache; one in memory where the browser lets nothing be kept. */
export function openCache(): Promise<ModelCache> {
  browserCache ??= opfsDisk().then((disk) => {
    if (!disk || typeof indexedDB === 'undefined') return new ModelCache(memoryDisk(), memoryIndex());
    const cache = new ModelCache(disk, idbIndex());
    void cache.sweep().catch(() => {});
    return cache;
  });
  return browserCache;
}

/** Models that were downloaded, the last used first; also those of which something is still missing. */
export async function cachedModels(cache?: ModelCache): Promise<CachedModelInfo[]> {
  return (cache ?? (await openCache())).list();
}

/** Deletes what is kept of a model. Throws UserError while it is being loaded. */
export async function deleteCachedModel(key: string, cache?: ModelCache): Promise<void> {
  await (cache ?? (await openCache())).delete(key);
}

async function hubFiles(
  request: Extract<ModelRequest, { kind: 'hub' }>,
  options: OpenModelOptions,
): Promise<ModelFiles> {
  const model = parseHubModel(request.id, request.revision);
  const { hubModel, isCommit, keptHubModel, unreachableHub } = await import('./hub-source.ts');
  const cache = options.cache ?? (await openCache());
  const find = () =>
    cache.find(
      ({ kind, name, revision, commit }) =>
        kind === 'hub' && name === model.id && (revision === model.revision || commit === model.revision),
    );
  // A commit never changes: one that is here needs no question.
  const whole = isCommit(model.revision) ? await find() : null;
  if (whole) return cache.fetch(keptHubModel(whole, options), options);
  try {
    return await cache.fetch(await hubModel(model, options), options);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const kept = await find();
    if (!kept) throw unreachableHub(error, model, options);
    options.onNotice?.(
      `The Hub cannot be asked whether ${model.id} has changed; the copy that is kept here is used (${kept.commit?.slice(0, 7)}).`,
    );
    return cache.fetch(keptHubModel(kept, options), options);
  }
}

async function siteFiles(
  request: Extract<ModelRequest, { kind: 'site' }>,
  options: OpenModelOptions,
): Promise<ModelFiles> {
  const base = options.base ?? globalThis.location?.href;
  if (base === undefined) throw new UserError('A model of the site is loaded by a page alone.');
  const site = new SiteModel(sameOriginUrl(request.url, base), options);
  if (!request.keep && (await site.canReadWeights())) return site.files();
  const cache = options.cache ?? (await openCache());
  return cache.fetch(site.remote(), options);
}

/**
 * Opens a model: its configuration, tokenizer and processor are read, its tensors wait to be read one by one, in the
 * order of `tensors`. A model of the Hub is downloaded first, as far as it is not kept in this browser already, at the
 * commit that its revision is now; without a connection the copy that is kept is used.
 *
 * Throws UserError with a sentence that says what to do (StorageFullError where the disk is full), or the signal's
 * reason; a download that ends early goes on from there the next time.
 */
export async function openModel(request: ModelRequest, options: OpenModelOptions = {}): Promise<OpenModel> {
  options.signal?.throwIfAborted();
  let files: ModelFiles;
  if (request.kind === 'hub') files = await hubFiles(request, options);
  else if (request.kind === 'site') files = await siteFiles(request, options);
  else files = await openModelSource(request.files);
  const model = await openModelFolder(files, options.signal);
  checkModelType(model.config, files.where);
  return model;
}
