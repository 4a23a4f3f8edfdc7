/** The same for the command line: models in folders and zips on disk, and downloads that are kept in a folder. */
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { modelFiles } from '../import/model-files.ts';
import { openPath } from '../import/node-source.ts';
import { nodeFiles } from '../store/node-files.ts';
import { type OpenModel, openModelFolder } from '../store/open-folder.ts';
import { cacheFolder, ModelCache } from './cache.ts';
import { checkModelType } from './check-model.ts';
import { nodeDisk, nodeIndex } from './node-cache.ts';
import type { ModelProgress } from './progress.ts';

/** Opens a model's folder, or a zip of one. Throws UserError, or the signal's reason. */
export async function openModelPath(path: string, signal?: AbortSignal): Promise<OpenModel> {
  const found = await stat(path).catch(() => null);
  // A zip is looked into; what is not there at all nodeFiles says best.
  const files = found?.isFile() ? modelFiles((await openPath(path)).blobs) : nodeFiles(path);
  const model = await openModelFolder(files, signal);
  checkModelType(model.config, files.where);
  return model;
}

export interface NamedModelOptions {
  readonly onProgress?: (progress: ModelProgress) => void;
  readonly onNotice?: (sentence: string) => void;
}

/**
 * A folder or a zip, or where there is none of that name a model of the Hub, `owner/name` or `owner/name@revision`. What is
 * downloaded is kept in PAPO_WEB_CACHE, by default .cache/papo-web in the home folder; HF_TOKEN opens gated models, and
 * HF_ENDPOINT is another Hub, as for huggingface's own tools.
 */
export async function openNamedModel(where: string, options: NamedModelOptions = {}): Promise<OpenModel> {
  const isThere = await stat(where).then(
    () => true,
    () => false,
  );
  if (isThere || !/^[^/\\.~][^/\\]*\/[^/\\]+$/.test(where)) return openModelPath(where);
  const { PAPO_WEB_CACHE, HF_TOKEN, HF_ENDPOINT } = process.env;
  const cache = openNodeCache(PAPO_WEB_CACHE ?? join(homedir(), '.cache', 'papo-web'));
  const { openModel } = await import('./open-model.ts');
  return openModel(
    { kind: 'hub', id: where },
    { ...options, cache, ...(HF_TOKEN && { token: HF_TOKEN }), ...(HF_ENDPOINT && { hubUrl: HF_ENDPOINT }) },
  );
}

/** Downloads kept in the folder `root`, for `openModel`'s `cache`. Two processes at once are not kept apart. */
export function openNodeCache(root: string): ModelCache {
  return new ModelCache(nodeDisk(root), nodeIndex(root, cacheFolder));
}
