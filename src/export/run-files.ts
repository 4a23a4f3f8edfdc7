/**
 * Everything that a run hands over. As a Hugging Face folder: the model of a checkpoint (or of the trainer as it is) with
 * its adapter merged in, or the adapter alone, with card, settings, metrics, and where wanted every completion and ONNX
 * files for transformers.js. Or what the authors' code goes on with on a cluster.
 */
import packageJson from '../../package.json';
import { UserError } from '../errors.ts';
import { configToJson, parseConfig } from '../papo/config.ts';
import type { JsonObject } from '../store/json.ts';
import type { LogRow, RunInfo } from '../store/run-store.ts';
import type { CheckpointModel } from './checkpoint-model.ts';
import { type ClusterParts, clusterFiles } from './cluster/cluster-files.ts';
import { completionsFile, completionTables, metricsFile } from './completions-out.ts';
import { curveSvg, trainingCurve } from './curve.ts';
import { lastPart } from './last-part.ts';
import type { BaseModel } from './lora/adapter-config.ts';
import { adapterFiles } from './lora/adapter-files.ts';
import { type Adapter, mergedSource } from './lora/merge.ts';
import { repositoryId } from './markdown.ts';
import { type HeldOutResult, modelCard } from './model-card.ts';
import { modelFolderFiles, savedDtype } from './model-folder.ts';
import type { OnnxDType } from './onnx/model.ts';
import { forTransformersJs, onnxFiles } from './onnx/onnx-files.ts';
import type { OutFile } from './out-file.ts';

/** What leaves: a whole model, a LoRA adapter for PEFT, a model for transformers.js alone, or all for a cluster. */
export type RunProduct = 'model' | 'adapter' | 'onnx' | 'cluster';

export interface RunFilesOptions {
  /** Default: model. */
  readonly what?: RunProduct;
  /** How the weights are stored; default float32, and with an adapter as the base model's config says. */
  readonly dtype?: 'float32' | 'bfloat16';
  /** With `model`: also the layout that transformers.js loads, in float32; default false. */
  readonly onnx?: boolean;
  /** With `onnx`: how the weights are stored; default fp16. */
  readonly onnxDtype?: OnnxDType;
  /** Also every sampled completion, as JSONL and in TRL's Parquet tables; default false. */
  readonly completions?: boolean;
  readonly maxShardBytes?: number;
  /** An SVG as PNG bytes; without it the card has no curve. */
  readonly drawPng?: (svg: string) => Promise<Uint8Array<ArrayBuffer>>;
  /** With `cluster`: the data that the run was trained and evaluated on, and its rewards by name. */
  readonly cluster?: Pick<ClusterParts, 'train' | 'heldOut' | 'endlessRows' | 'rewards'>;
}

export interface RunContents extends CheckpointModel {
  /** With it, `tensors` are the base model's. */
  readonly adapter?: Adapter;
  /** Whether `tensors` went through float16 on a device; it is said where they have no `original`. */
  readonly heldAs?: 'float16';
  readonly info: RunInfo;
  readonly rows: readonly LogRow[];
}

/**
 * Updates after this step are not this model's. Throws UserError for an adapter of a run that has none, for one that
 * does not fit the model, and for a cluster without data.
 */
export async function runFiles(contents: RunContents, options: RunFilesOptions = {}): Promise<OutFile[]> {
  const { config, sideFiles, adapter, heldAs } = contents;
  const { what = 'model' } = options;
  const info = named(contents.info);
  if (what === 'cluster') return toCluster({ ...contents, info }, options);

  const rows = contents.rows.filter(({ step }) => step <= info.step);
  const plot = options.drawPng && trainingCurve(rows, info.name);
  const curve = plot ? { name: 'curve.png', bytes: await options.drawPng!(curveSvg(plot)) } : null;
  const base = baseModel(info);
  const isRounded = what === 'model' && heldAs === 'float16' && !contents.tensors.original;
  const shared = {
    trainingArgs: info.settings,
    card: card(info, rows, curve?.name ?? null, what, base, isRounded),
    curve,
  };
  const logs = [
    metricsFile(rows),
    ...(options.completions ? [completionsFile(rows), ...completionTables(rows)] : []),
  ];
  if (what === 'adapter') {
    if (!adapter) throw new UserError(`${info.name} trained all weights: it has no adapter.`);
    return adapterFiles({ config, sideFiles, adapter, base, ...shared, extra: logs });
  }
  const tensors = adapter ? mergedSource(config, contents.tensors, adapter) : contents.tensors;
  const onnxDtype = what === 'onnx' ? (options.onnxDtype ?? 'fp16') : options.onnx ? 'fp32' : null;
  const chatTemplate = sideFiles.get('chat_template.jinja');
  const folder = { config, files: new Map(sideFiles) };
  const parts = onnxDtype
    ? forTransformersJs(
        { ...folder, chatTemplate: chatTemplate ? new TextDecoder().decode(chatTemplate) : null },
        onnxDtype,
      )
    : folder;
  return modelFolderFiles({
    config: parts.config,
    sideFiles: parts.files,
    tensors: what === 'onnx' ? null : tensors,
    dtype: options.dtype ?? (adapter ? savedDtype(config) : 'float32'),
    maxShardBytes: options.maxShardBytes,
    ...shared,
    extra: [...logs, ...(onnxDtype ? onnxFiles(config, tensors, onnxDtype) : [])],
  });
}

/** A path of this machine says nothing elsewhere, and may say too much. */
function named(info: RunInfo): RunInfo {
  const name = info.name === info.settings.output_dir ? lastPart(info.name) : info.name;
  return { ...info, name, settings: { ...info.settings, output_dir: null } };
}

const textOf = ({ origin }: RunInfo, key: string) =>
  typeof origin[key] === 'string' ? (origin[key] as string) : undefined;

/** The model that the run began with: its Hub id and revision, or what its folder is called. */
function baseModel(info: RunInfo): BaseModel {
  const name = textOf(info, 'model_name') ?? textOf(info, 'model') ?? null;
  return {
    name: name === null || repositoryId(name) ? name : lastPart(name),
    revision: textOf(info, 'model_revision') ?? null,
  };
}

function toCluster(contents: RunContents, { cluster, dtype }: RunFilesOptions): Promise<OutFile[]> {
  const { config, sideFiles, tensors, adapter, heldAs, info } = contents;
  if (!cluster) throw new UserError(`${info.name}: the data of the run must go along to a cluster.`);
  const settings = parseConfig(info.settings);
  return clusterFiles({
    ...cluster,
    name: info.name,
    settings,
    config,
    sideFiles,
    tensors,
    adapter,
    heldAs,
    dtype,
  });
}

function card(
  info: RunInfo,
  rows: readonly LogRow[],
  curve: string | null,
  what: RunProduct,
  base: BaseModel,
  isRounded: boolean,
): string {
  const text = (key: string) => textOf(info, key);
  // In a page `dataset` is a key of the browser's storage.
  const named = text('dataset_name');
  const data = named === undefined ? text('dataset') : `the dataset ${named}`;
  const task = text('task');
  const seconds = rows.reduce((sum, { metrics }) => sum + (metrics.step_time ?? 0), 0);
  const first = rows.find((row) => row.kind === 'step');
  const rewards = Object.keys(first?.metrics ?? {}).flatMap(
    (name) => /^rewards\/(.+)\/mean$/.exec(name)?.[1] ?? [],
  );
  return modelCard({
    // A run without a name is called as its folder.
    model_name: info.name,
    base_model: base.name,
    adapter: what === 'adapter' ? { revision: base.revision } : undefined,
    isForTransformersJs: what === 'onnx',
    isRounded,
    datasets: data ? [data] : task ? [`the built-in task ${task}`] : [],
    data: text('data'),
    rewards,
    steps: info.step,
    device: text('device'),
    seconds,
    notes: text('notes'),
    curve,
    heldOut: heldOut(info, rows),
    settings: info.settings,
    defaults: configToJson(parseConfig({})) as unknown as JsonObject,
    versions: { 'papo-web': packageJson.version, ...plain(packageJson.dependencies, ['onnxruntime-web']) },
  });
}

const plain = (all: Record<string, string>, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, all[name].replace('^', '')]));

/** Before training and at this model's step, where both were measured. */
function heldOut(info: RunInfo, rows: readonly LogRow[]): HeldOutResult[] {
  const evaluations = rows.filter((row) => row.kind === 'evaluation');
  const before = evaluations.find((row) => row.step === 0);
  const after = evaluations.findLast((row) => row.step > 0 && row.step === info.step);
  const names = Object.keys((after ?? before)?.metrics ?? {}).filter(
    (name) =>
      name.startsWith('eval_') &&
      !['eval_runtime', 'eval_samples'].includes(name) &&
      !name.endsWith('_error'),
  );
  const measured = (row: LogRow | undefined, name: string) =>
    row && Number.isFinite(row.metrics[name])
      ? { value: row.metrics[name], error: row.metrics[`${name}_error`] ?? null }
      : null;
  return names.map((name) => ({
    metric: name.slice('eval_'.length).replaceAll('/', ' '),
    isShare: /^eval_(accuracy|errors)/.test(name),
    before: measured(before, name),
    after: measured(after, name),
    questions: (after ?? before)?.metrics.eval_samples ?? Number(info.settings.num_eval_samples),
  }));
}
