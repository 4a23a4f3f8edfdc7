/** The same for the command line: models in folders and zips on disk, and downloads that are kept in a folder. */
import { stat } from 'node:fs/promises';
import { modelFiles } from '../import/model-files.ts';
import { openPath } from '../import/node-source.ts';
import { nodeFiles } from '../store/node-files.ts';
import { type OpenModel, openModelFolder } from '../store/open-folder.ts';
import { cacheFolder, ModelCache } from './cache.ts';
import { checkModelType } from './check-model.ts';
import { nodeDisk, nodeIndex } from './node-cache.ts';

/** Opens a model's folder, or a zip of one. Throws UserError, or the signal's reason. */
export async function openModelPath(path: string, signal?: AbortSignal): Promise<OpenModel> {
  const found = await stat(path).catch(() => null);
  // A zip is looked into; what is not there at all nodeFiles says best.
  const files = found?.isFile() ? modelFiles((await openPath(path)).blobs) : nodeFiles(path);
  const model = await openModelFolder(files, signal);
  checkModelType(model.config, files.where);
  return model;
}

/** Downloads kept in the folder `root`, for `openModel`'s `cache`. Two processes at once are not kept apart. */
export function openNodeCache(root: string): ModelCache {
  return new ModelCache(nodeDisk(root), nodeIndex(root, cacheFolder));
}
