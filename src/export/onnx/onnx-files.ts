/** A model as the ONNX files that @huggingface/transformers loads in JavaScript, and what it needs beside them. */
import { UserError } from '../../errors.ts';
import { parseVlmConfig, type VlmConfig } from '../../policy/config.ts';
import { parameterShapes } from '../../policy/parameters.ts';
import type { ModelFolder } from '../../store/hf-folder.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../store/json.ts';
import type { OutFile, TensorSource } from '../out-file.ts';
import { decoderModel } from './decoder.ts';
import { embedTokens } from './embed.ts';
import { type OnnxDType, OnnxModel } from './model.ts';
import { visionEncoder } from './vision.ts';

const models: Record<string, (m: OnnxModel, config: VlmConfig) => void> = {
  vision_encoder: visionEncoder,
  embed_tokens: embedTokens,
  decoder_model_merged: decoderModel,
};
/** What transformers.js adds to a file's name. */
const suffixes: Record<OnnxDType, string> = { fp32: '', fp16: '_fp16' };

/**
 * The three models of a SmolVLM folder, onnx/*.onnx (fp16: onnx/*_fp16.onnx); weights are read from `tensors`, under
 * Hugging Face's names, when a file's bytes are asked for. Throws UserError for a config that cannot be built, for tensors that do not fit it, and
 * for a model whose file would pass 2 GB.
 */
export function onnxFiles(config: JsonObject, tensors: TensorSource, dtype: OnnxDType = 'fp32'): OutFile[] {
  const parsed = parseVlmConfig(config);
  for (const [name, shape] of parameterShapes(parsed)) {
    const found = tensors.shapes.get(name);
    if (String(found) !== String(shape))
      throw new UserError(
        `ONNX export: ${name} is ${found ? `[${found}]` : 'missing'}; config.json asks for [${shape}]`,
      );
  }
  return Object.entries(models).map(([name, write]) => {
    const model = new OnnxModel(tensors, dtype);
    write(model, parsed);
    return model.file(`onnx/${name}${suffixes[dtype]}.onnx`);
  });
}

/**
 * The folder with what transformers.js needs in addition: the chat template inside tokenizer_config.json (it does not
 * read chat_template.jinja for this model), and in config.json which ONNX files to take unless told otherwise (in a
 * browser it would look for quantized ones).
 */
export function forTransformersJs(
  folder: Pick<ModelFolder, 'config' | 'files' | 'chatTemplate'>,
  dtype: OnnxDType = 'fp32',
): Pick<ModelFolder, 'config' | 'files'> {
  const known = folder.config['transformers.js_config'];
  // By file: a plain string would be taken for the weights' dtype where the folder is packed.
  const dtypes = Object.fromEntries(Object.keys(models).map((model) => [model, dtype]));
  const config: JsonObject = {
    ...folder.config,
    'transformers.js_config': { ...(isJsonObject(known) ? withoutOthersFiles(known) : {}), dtype: dtypes },
  };
  const files = new Map(folder.files);
  const name = 'tokenizer_config.json';
  const bytes = files.get(name);
  if (bytes && folder.chatTemplate !== null) {
    const tokenizer = { ...parseJsonObject(bytes, name), chat_template: folder.chatTemplate };
    files.set(name, new TextEncoder().encode(`${JSON.stringify(tokenizer, null, 2)}\n`));
  }
  return { config, files };
}

/**
 * What a base model's config says of the ONNX files of its own repository: half-float caches, data in files beside
 * them, other files for some devices. It is not so of ours.
 */
const ofOtherFiles = new Set(['kv_cache_dtype', 'use_external_data_format', 'device_config']);

const withoutOthersFiles = (known: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(known).filter(([key]) => !ofOtherFiles.has(key)));
