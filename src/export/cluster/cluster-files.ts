/** One download with which the authors' PAPO code goes on where this run ends. */
import type { Dataset } from '../../data/dataset.ts';
import { papoInstruction } from '../../data/format-prompt.ts';
import { UserError } from '../../errors.ts';
import type { ResolvedConfig } from '../../papo/config.ts';
import { parseVlmConfig } from '../../policy/config.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../store/json.ts';
import type { Adapter } from '../lora/merge.ts';
import { mergedSource } from '../lora/merge.ts';
import { modelFolderFiles, savedDtype } from '../model-folder.ts';
import { bytesFile, type OutFile, type TensorSource } from '../out-file.ts';
import { checkOutFiles } from '../out-stream.ts';
import { clusterReadme } from './readme.ts';
import rewardPy from './reward.py?raw';
import { translateRewards } from './rewards.ts';
import { rowFiles } from './rows-out.ts';
import startSh from './start.sh?raw';
import { promptFile, translateSettings } from './translate.ts';
import { yamlOf } from './yaml-out.ts';

export interface ClusterParts {
  /** The run's name. */
  readonly name: string;
  readonly settings: ResolvedConfig;
  /** config.json, parsed, and every other file of the model folder but the weights. */
  readonly config: JsonObject;
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
  /** The model's weights; with `adapter`, the base model's. */
  readonly tensors: TensorSource;
  readonly adapter?: Adapter;
  /** Whether `tensors` went through float16; it is said where they have no `original`. */
  readonly heldAs?: 'float16';
  /** Default: bfloat16 where config.json says so, else float32. */
  readonly dtype?: 'float32' | 'bfloat16';
  /** Rows as the data have them: without the instruction of the setting format_prompt, which that code adds itself. */
  readonly train: Dataset;
  readonly heldOut: Dataset;
  /** Rows to write where the training data have no end; default 4,096. */
  readonly endlessRows?: number;
  /** Names of the run's reward functions, in the order of reward_weights. */
  readonly rewards: readonly string[];
}

/** The authors' math_perception.jinja, in our copy: their checkout need not lie beside the download. */
const promptTemplate = `{{ content | trim }}\n\n${papoInstruction}`;

/** Throws UserError for data that cannot go along, and for an adapter that does not fit the model. */
export async function clusterFiles(parts: ClusterParts): Promise<OutFile[]> {
  const { settings, config, train, heldOut, tensors, adapter } = parts;
  const trainRows = Number.isFinite(train.size) ? train.size : (train.epochSize ?? parts.endlessRows ?? 4096);
  const heldOutRows = Math.min(heldOut.size, settings.num_eval_samples);
  if (trainRows < 1 || heldOutRows < 1)
    throw new UserError(
      `For the cluster there must be rows to train on and held-out ones; there are ${trainRows} and ${heldOutRows}.`,
    );
  const rewards = translateRewards(parts.rewards, settings.reward_weights);
  const translation = translateSettings(settings, {
    trainRows,
    maxPositions: parseVlmConfig(config).text.maxPositions,
    rewardWeights: rewards.weights,
    name: settings.run_name ?? parts.name,
  });
  const readme = clusterReadme({
    name: parts.name,
    translation,
    trainRows,
    heldOutRows,
    rewards,
    modelType: String(config.model_type),
    isMerged: adapter !== undefined,
    hasPrompt: settings.format_prompt === 'papo',
    isRounded: parts.heldAs === 'float16' && !tensors.original,
  });
  const model = modelFolderFiles({
    config,
    sideFiles: withoutSplitting(parts.sideFiles),
    tensors: adapter ? mergedSource(config, tensors, adapter) : tensors,
    dtype: parts.dtype ?? savedDtype(config),
  });
  const files = [
    bytesFile('README.md', readme),
    bytesFile('papo.yaml', yamlOf(translation.translated)),
    bytesFile('start.sh', startSh),
    bytesFile('reward.py', rewardPy),
    ...(settings.format_prompt === 'papo' ? [bytesFile(promptFile, promptTemplate)] : []),
    ...model.map((file): OutFile => ({ ...file, name: `model/${file.name}` })),
    ...(await rowFiles(train, trainRows, 'data/train')),
    ...(await rowFiles(heldOut, heldOutRows, 'data/val')),
  ];
  checkOutFiles(files);
  return files;
}

/**
 * The processor's files with image splitting off, as images were trained on here: that code puts the tensors of
 * several images under one another, which needs as many parts of each.
 */
function withoutSplitting(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const out = new Map(files);
  for (const name of ['preprocessor_config.json', 'processor_config.json']) {
    const bytes = files.get(name);
    if (!bytes) continue;
    const json = parseJsonObject(bytes, name);
    const sections = [json, json.image_processor].filter((part) => part !== undefined && isJsonObject(part));
    const splitting = sections.filter((part) => (part as JsonObject).do_image_splitting === true);
    if (splitting.length === 0) continue;
    for (const part of splitting) (part as JsonObject).do_image_splitting = false;
    out.set(name, new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`));
  }
  return out;
}
