/** A model from where the visitor wants it: the site, the Hub, files. Loaded when the first of them is asked for. */

import { parseHubModel } from '../models/model-id.ts';
import { cachedModels, deleteCachedModel, openModel } from '../models/open-model.ts';
import type { ModelProgress } from '../models/progress.ts';
import { lastName, type Opened } from './built-in-model.ts';
import type { CachedModelView, LoadProgress, ModelChoice } from './model-protocol.ts';

export { deleteCachedModel };

export interface OpenOptions {
  readonly onProgress: (progress: LoadProgress) => void;
  readonly onNotice: (sentence: string) => void;
  readonly signal: AbortSignal;
  readonly token?: string;
}

export async function openChoice(
  choice: Exclude<ModelChoice, { kind: 'built-in' }>,
  options: OpenOptions,
): Promise<Opened> {
  const base = globalThis.location.href;
  const { onNotice, signal, token } = options;
  const onProgress = (progress: ModelProgress) => options.onProgress(shownProgress(progress));
  if (choice.kind === 'files') {
    const first = choice.files[0]?.path ?? 'nothing';
    const name = first.includes('/') ? first.split('/')[0] : first.replace(/\.zip$/i, '');
    const folder = await openModel({ kind: 'files', files: choice.files }, { signal });
    return { folder, name, source: { kind: 'files' } };
  }
  if (choice.kind === 'site') {
    const folder = await openModel({ kind: 'site', url: choice.url }, { onProgress, onNotice, signal });
    return { folder, name: lastName(choice.url, base), source: choice };
  }
  const { id, revision } = parseHubModel(choice.id, choice.commit ?? choice.revision);
  const folder = await openModel({ kind: 'hub', id, revision }, { onProgress, onNotice, signal, token });
  // The one that was just used.
  const kept = (await cachedModels()).find((one) => one.kind === 'hub' && one.name === id);
  const asked = choice.revision ?? parseHubModel(choice.id).revision;
  const source = { kind: 'hub', id, revision: asked, ...(kept?.commit && { commit: kept.commit }) } as const;
  return { folder, name: id, source };
}

export async function keptModels(): Promise<CachedModelView[]> {
  return (await cachedModels()).map(({ key, kind, name, revision, commit, ...sizes }) => ({
    key,
    name,
    source:
      kind === 'hub'
        ? { kind, id: name, ...(revision && { revision }), ...(commit && { commit }) }
        : { kind, url: name },
    bytes: sizes.bytes,
    totalBytes: sizes.totalBytes,
    isWhole: sizes.isWhole,
  }));
}

function shownProgress({ phase, file, loadedBytes, totalBytes, ...pace }: ModelProgress): LoadProgress {
  return {
    message: phase === 'verifying' ? `Checking what is kept of ${file}` : `Downloading ${file}`,
    fraction: totalBytes > 0 ? loadedBytes / totalBytes : 0,
    bytes: {
      loaded: loadedBytes,
      total: totalBytes,
      perSecond: pace.bytesPerSecond,
      secondsLeft: pace.secondsLeft,
    },
  };
}
