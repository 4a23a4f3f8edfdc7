// A Hugging Face model folder as files on their way out: what transformers' save_pretrained and TRL's save_model write.
import { UserError } from '../errors.ts';
import { checkFileName, dtypeKeys, indexFile, weightsFile, withDtype } from '../store/hf-folder.ts';
import { isJsonObject, type JsonObject } from '../store/json.ts';
import { bytesFile, type OutFile, type TensorSource } from './out-file.ts';
import { checkOutFiles } from './out-stream.ts';
import { weightFiles } from './safetensors-out.ts';

export interface ModelFolderParts {
  /** config.json, parsed. */
  readonly config: JsonObject;
  /** Tokenizer, chat template and processor files by name, kept as they are; config.json and weights are left out. */
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
  /** null: the folder has no model.safetensors, and what holds the weights is in `extra`. */
  readonly tensors: TensorSource | null;
  /** How the weights are stored; default float32. */
  readonly dtype?: 'float32' | 'bfloat16';
  /** Default 2 GB. */
  readonly maxShardBytes?: number;
  /** Added to the weight files' metadata. */
  readonly metadata?: Record<string, string>;
  /** training_args.json. */
  readonly trainingArgs?: JsonObject | null;
  /** README.md. */
  readonly card?: string | null;
  /** The image that the card shows. */
  readonly curve?: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> } | null;
  /** Whatever else goes along: ONNX files, metrics, completions. */
  readonly extra?: readonly OutFile[];
}

const tokenIds = ['bos_token_id', 'eos_token_id', 'pad_token_id', 'decoder_start_token_id'];

/** What transformers' GenerationConfig.from_model_config keeps: the token ids, the decoder's where the model has none. */
function generationConfig(config: JsonObject): JsonObject {
  const text = isJsonObject(config.text_config) ? config.text_config : {};
  const out: JsonObject = { _from_model_config: true };
  for (const key of tokenIds) {
    const id = config[key] ?? text[key];
    if (id !== undefined && id !== null) out[key] = id;
  }
  return out;
}

export const jsonFile = (name: string, value: JsonObject) =>
  bytesFile(name, `${JSON.stringify(value, null, 2)}\n`);

/** The files with what tells of them first: a reader that gets them in order knows the model before its weights. */
export function modelFolderFiles(parts: ModelFolderParts): OutFile[] {
  const { config, sideFiles, tensors, dtype = 'float32', trainingArgs, card, curve, extra = [] } = parts;
  const stored = withDtype(config, dtype);
  // transformers before 4.56 knows only the older key; later ones know both.
  if (!dtypeKeys.some((key) => typeof stored[key] === 'string')) stored.torch_dtype = dtype;
  const own = [
    ...(card == null ? [] : [bytesFile('README.md', card)]),
    ...(curve == null ? [] : [bytesFile(curve.name, curve.bytes)]),
    jsonFile('config.json', stored),
    ...(sideFiles.has('generation_config.json')
      ? []
      : [jsonFile('generation_config.json', generationConfig(config))]),
    ...(trainingArgs == null ? [] : [jsonFile('training_args.json', trainingArgs)]),
  ];
  const made = new Set([...own, ...extra].map((file) => file.name));
  const kept: OutFile[] = [];
  for (const [name, bytes] of sideFiles) {
    checkFileName(name, 'The model folder');
    const isWeights = name === weightsFile || name === indexFile || name.endsWith('.safetensors');
    if (!made.has(name) && !isWeights) kept.push(bytesFile(name, new Uint8Array(bytes)));
  }
  if (tensors?.shapes.size === 0) throw new UserError('There are no weights to save.');
  const weights = tensors
    ? weightFiles(tensors, {
        dtype: dtype === 'float32' ? 'F32' : 'BF16',
        metadata: parts.metadata,
        maxShardBytes: parts.maxShardBytes,
      })
    : [];
  const files = [...own, ...kept, ...weights, ...extra];
  checkOutFiles(files);
  return files;
}

/** What the weights of a config are stored as unless told otherwise: bfloat16 where the original is, else float32. */
export function savedDtype(config: JsonObject): 'float32' | 'bfloat16' {
  const text = isJsonObject(config.text_config) ? config.text_config : {};
  const stated = [config, text].flatMap((part) => dtypeKeys.map((key) => part[key]));
  return stated.find((dtype) => typeof dtype === 'string') === 'bfloat16' ? 'bfloat16' : 'float32';
}

/** Tensors that are in memory, as a source. */
export function memorySource(
  weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): TensorSource {
  return {
    shapes: new Map(Array.from(weights, ([name, { shape }]) => [name, shape])),
    async read(name) {
      const weight = weights.get(name);
      if (!weight) throw new UserError(`There is no tensor "${name}".`);
      return weight.data;
    },
  };
}
