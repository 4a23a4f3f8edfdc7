/** The page's own model. It is small and kept for use without a network: its files are fetched whole. */
import { sameOriginUrl } from '../import/same-origin.ts';
import { loadModelFolder, type ModelFiles, urlFiles } from '../store/hf-folder.ts';
import { type OpenModel, openFromMemory } from '../store/open-folder.ts';
import type { LoadProgress, ModelSource } from './model-protocol.ts';

export interface Opened {
  readonly folder: OpenModel;
  readonly name: string;
  readonly source: ModelSource;
}

/** Files that a folder of this project has; only for the share that has been read. */
const usualFiles = 9;

export async function openBuiltIn(
  source: Extract<ModelSource, { kind: 'built-in' }>,
  onProgress: (progress: LoadProgress) => void,
): Promise<Opened> {
  const base = globalThis.location.href;
  const files = urlFiles(sameOriginUrl(source.url, base));
  const folder = openFromMemory(await loadModelFolder(watched(files, onProgress)));
  return { folder, name: lastName(source.url, base), source };
}

export const lastName = (url: string, base: string) =>
  new URL(url, base).pathname.split('/').filter(Boolean).at(-1) ?? url;

/** The same files, with word of each as it is read. */
function watched(files: ModelFiles, onProgress: (progress: LoadProgress) => void): ModelFiles {
  let read = 0;
  return {
    where: files.where,
    read: (name) => {
      onProgress({ message: `Loading ${name}`, fraction: Math.min(0.9, (0.9 * read++) / usualFiles) });
      return files.read(name);
    },
  };
}
