/** The folder that PEFT's PeftModel.from_pretrained opens: the adapter, its config and card, and the processor. */
import { indexFile, weightsFile } from '../../store/hf-folder.ts';
import type { JsonObject } from '../../store/json.ts';
import { jsonFile } from '../model-folder.ts';
import { bytesFile, type OutFile, type TensorSource } from '../out-file.ts';
import { checkOutFiles } from '../out-stream.ts';
import { safetensorsOut } from '../safetensors-out.ts';
import { adapterConfig, type BaseModel } from './adapter-config.ts';
import { type Adapter, checkAdapter } from './merge.ts';

export interface AdapterParts {
  /** The base model's config.json, parsed. */
  readonly config: JsonObject;
  /** The base model's folder but the weights: tokenizer, chat template and processor go along. */
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
  readonly adapter: Adapter;
  readonly base: BaseModel;
  /** README.md. */
  readonly card?: string | null;
  readonly curve?: { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> } | null;
  readonly trainingArgs?: JsonObject | null;
  readonly extra?: readonly OutFile[];
}

const prefix = 'base_model.model.';
/** These describe the base model: a folder with config.json would be taken for a whole model. */
const ofTheBase = new Set(['config.json', 'generation_config.json', weightsFile, indexFile]);

/** Float32 as it was trained; throws UserError for an adapter that does not fit the model. */
export function adapterFiles(parts: AdapterParts): OutFile[] {
  const { config, sideFiles, adapter, base, card, curve, trainingArgs, extra = [] } = parts;
  checkAdapter(config, adapter);
  const own = [
    ...(card == null ? [] : [bytesFile('README.md', card)]),
    ...(curve == null ? [] : [bytesFile(curve.name, curve.bytes)]),
    jsonFile('adapter_config.json', adapterConfig(config, adapter.lora, base)),
    ...(trainingArgs == null ? [] : [jsonFile('training_args.json', trainingArgs)]),
  ];
  const made = new Set([...own, ...extra].map(({ name }) => name));
  const kept = [...sideFiles].filter(
    ([name]) => !made.has(name) && !ofTheBase.has(name) && !name.endsWith('.safetensors'),
  );
  const files = [
    ...own,
    ...kept.map(([name, bytes]) => bytesFile(name, new Uint8Array(bytes))),
    safetensorsOut('adapter_model.safetensors', renamed(adapter.tensors)),
    ...extra,
  ];
  checkOutFiles(files);
  return files;
}

/** The tensors by PEFT's names. */
function renamed(tensors: TensorSource): TensorSource {
  return {
    shapes: new Map(Array.from(tensors.shapes, ([name, shape]) => [prefix + name, shape])),
    read: (name) => tensors.read(name.slice(prefix.length)),
  };
}
