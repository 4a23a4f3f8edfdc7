/**
 * Everything that a run hands over, as one Hugging Face folder: the model of a checkpoint (or of the trainer as it is),
 * its card, its settings, its metrics, and where wanted every completion and ONNX files for transformers.js.
 */
import packageJson from '../../package.json';
import { configToJson, parseConfig } from '../papo/config.ts';
import type { JsonObject } from '../store/json.ts';
import type { LogRow, RunInfo } from '../store/run-store.ts';
import type { CheckpointModel } from './checkpoint-model.ts';
import { completionsFile, completionTables, metricsFile } from './completions-out.ts';
import { curveSvg, trainingCurve } from './curve.ts';
import { lastPart } from './last-part.ts';
import { type HeldOutResult, modelCard } from './model-card.ts';
import { modelFolderFiles } from './model-folder.ts';
import { forTransformersJs, onnxFiles } from './onnx/onnx-files.ts';
import type { OutFile } from './out-file.ts';

export interface RunFilesOptions {
  /** How the weights are stored; default float32. */
  readonly dtype?: 'float32' | 'bfloat16';
  /** Also the layout that transformers.js loads; default false. */
  readonly onnx?: boolean;
  /** Also every sampled completion, as JSONL and in TRL's Parquet tables; default false. */
  readonly completions?: boolean;
  readonly maxShardBytes?: number;
  /** An SVG as PNG bytes; without it the card has no curve. */
  readonly drawPng?: (svg: string) => Promise<Uint8Array<ArrayBuffer>>;
}

export interface RunContents extends CheckpointModel {
  readonly info: RunInfo;
  readonly rows: readonly LogRow[];
}

/** Updates after this step are not this model's. */
export async function runFiles(
  { config, sideFiles, tensors, info: kept, rows: allRows }: RunContents,
  options: RunFilesOptions = {},
): Promise<OutFile[]> {
  // A path of this machine says nothing elsewhere, and may say too much.
  const name = kept.name === kept.settings.output_dir ? lastPart(kept.name) : kept.name;
  const info = { ...kept, name, settings: { ...kept.settings, output_dir: null } };
  const rows = allRows.filter(({ step }) => step <= info.step);
  const plot = options.drawPng && trainingCurve(rows, info.name);
  const curve = plot ? { name: 'curve.png', bytes: await options.drawPng!(curveSvg(plot)) } : null;
  const chatTemplate = sideFiles.get('chat_template.jinja');
  const folder = { config, files: new Map(sideFiles) };
  const parts = options.onnx
    ? forTransformersJs({
        ...folder,
        chatTemplate: chatTemplate ? new TextDecoder().decode(chatTemplate) : null,
      })
    : folder;
  return modelFolderFiles({
    config: parts.config,
    sideFiles: parts.files,
    tensors,
    dtype: options.dtype,
    maxShardBytes: options.maxShardBytes,
    trainingArgs: info.settings,
    card: card(info, rows, curve?.name ?? null),
    curve,
    extra: [
      metricsFile(rows),
      ...(options.completions ? [completionsFile(rows), ...completionTables(rows)] : []),
      ...(options.onnx ? onnxFiles(config, tensors) : []),
    ],
  });
}

function card(info: RunInfo, rows: readonly LogRow[], curve: string | null): string {
  const { origin } = info;
  const text = (key: string) => (typeof origin[key] === 'string' ? (origin[key] as string) : undefined);
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
    base_model: text('model_name') ?? text('model') ?? null,
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

/** Where things lie on somebody's disk is nobody else's to know. */

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
