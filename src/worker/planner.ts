/** Plans of runs and needs of models, made beside whatever the worker does. */

import { evaluationPromptsPerRun } from '../data/evaluate.ts';
import { withFormatPrompt } from '../data/format-prompt.ts';
import { smolvlmConfig } from '../data/smolvlm-files.ts';
import { TextProcessor } from '../data/tokenizer.ts';
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { sameOriginUrl } from '../import/same-origin.ts';
import type { DatasetLike } from '../library.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { roundUp } from '../policy/layout.ts';
import { urlFiles } from '../store/hf-folder.ts';
import { type JsonObject, parseJsonObject } from '../store/json.ts';
import { toDataset } from '../trainer/inputs.ts';
import type { LoadedModel } from './model.ts';
import type { KnownModel, ModelNeeds, PlanView } from './model-protocol.ts';
import type { PlanJob, PlannedDevice } from './planning.ts';

/** Prompts of a dataset are taken to be about as long as its first ones. */
const shownRows = 8;

export class Planner {
  private readonly needs = new Map<string, Promise<ModelNeeds>>();
  /** Ends the plan that is being made. */
  private replace?: () => void;

  /** null where a later question came before the answer. Rejects with a UserError where settings and model do not go together. */
  async plan(
    model: LoadedModel,
    settings: ResolvedConfig,
    train: DatasetLike,
    device: Device,
  ): Promise<PlanView | null> {
    this.replace?.();
    const over = new AbortController();
    this.replace = () => over.abort();
    const longest = await prefixLength(model, settings, train);
    const prompts = Math.min(evaluationPromptsPerRun, settings.num_eval_samples);
    const run = {
      prefixLengths: [longest],
      evaluation: { prompts, group: 1, maxTokens: settings.max_completion_length },
    };
    const config = model.folder.config;
    return beside<PlanView>({ kind: 'plan', config, settings, run, device: plain(device) }, over.signal);
  }

  /** Known once a device and a model. */
  needsOf(model: KnownModel | { readonly url: string }, device: Device): Promise<ModelNeeds> {
    const key = `${device.label} ${typeof model === 'string' ? model : model.url}`;
    return this.once(key, device, () =>
      typeof model === 'string' ? smolvlmConfig(model) : configAt(model.url),
    );
  }

  needsOfConfig(config: JsonObject, device: Device): Promise<ModelNeeds> {
    return this.once(`${device.label} ${JSON.stringify(config)}`, device, () => config);
  }

  private once(
    key: string,
    device: Device,
    config: () => JsonObject | Promise<JsonObject>,
  ): Promise<ModelNeeds> {
    const known = this.needs.get(key);
    if (known) return known;
    const made = (async () =>
      (await beside<ModelNeeds>({ kind: 'needs', config: await config(), device: plain(device) }))!)();
    this.needs.set(key, made);
    made.catch(() => this.needs.delete(key));
    return made;
  }
}

const plain = ({ kind, limits }: Device): PlannedDevice => ({ kind, limits });

async function configAt(url: string): Promise<JsonObject> {
  const files = urlFiles(sameOriginUrl(url, globalThis.location.href));
  const bytes = await files.read('config.json');
  if (!bytes) throw new UserError(`${files.where} has no config.json.`);
  return parseJsonObject(bytes, `${files.where}config.json`);
}

/** Tokens that the prompts of a run are padded to. */
export async function prefixLength(
  { folder }: LoadedModel,
  { seed, pad_to_multiple_of, format_prompt }: ResolvedConfig,
  train: DatasetLike,
): Promise<number> {
  const data = withFormatPrompt(toDataset(train, 'train', seed), format_prompt);
  const decoder = new TextDecoder();
  const text = TextProcessor.fromFolder(
    Object.fromEntries([...folder.files].map(([name, bytes]) => [name, decoder.decode(bytes)])),
  );
  const some = Array.from({ length: Math.min(shownRows, data.size) }, (_, i) => data.row(i));
  const rows = await Promise.all(some);
  const longest = Math.max(...rows.map(({ prompt }) => text.buildPrompt(prompt).length));
  return roundUp(longest, pad_to_multiple_of ?? 8);
}

/** A worker for one job. */
function beside<T>(job: PlanJob, signal?: AbortSignal): Promise<T | null> {
  const worker = new Worker(new URL('./planner-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<T | null>((resolve, reject) => {
    signal?.addEventListener('abort', () => resolve(null));
    if (signal?.aborted) resolve(null);
    worker.addEventListener('error', ({ message }) =>
      reject(new Error(`The planner broke down: ${message}`)),
    );
    worker.addEventListener(
      'message',
      ({ data }: MessageEvent<{ value?: T; error?: string; isTheirs?: boolean }>) => {
        if (data.value !== undefined) resolve(data.value);
        else reject(data.isTheirs ? new UserError(data.error) : new Error(data.error));
      },
    );
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}
