/** A model as the ONNX files that @huggingface/transformers loads in JavaScript, and what it needs beside them. */
import { UserError } from '../../errors.ts';
import { parseVlmConfig, type VlmConfig } from '../../policy/config.ts';
import { parameterShapes } from '../../policy/parameters.ts';
import type { ModelFolder } from '../../store/hf-folder.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../store/json.ts';
import type { OutFile, TensorSource } from '../out-file.ts';
import { decoderModel } from './decoder.ts';
import { embedTokens } from './embed.ts';
import { OnnxModel } from './model.ts';
import { visionEncoder } from './vision.ts';

const models: Record<string, (m: OnnxModel, config: VlmConfig) => void> = {
  'onnx/vision_encoder.onnx': visionEncoder,
  'onnx/embed_tokens.onnx': embedTokens,
  'onnx/decoder_model_merged.onnx': decoderModel,
};

/**
 * The three float32 models of a SmolVLM folder; weights are read from `tensors`, under Hugging Face's names, when a
 * file's bytes are asked for. Throws UserError for a config that cannot be built, for tensors that do not fit it, and
 * for a model whose file would pass 2 GB.
 */
export function onnxFiles(config: JsonObject, tensors: TensorSource): OutFile[] {
  const parsed = parseVlmConfig(config);
  for (const [name, shape] of parameterShapes(parsed)) {
    const found = tensors.shapes.get(name);
    if (String(found) !== String(shape))
      throw new UserError(
        `ONNX export: ${name} is ${found ? `[${found}]` : 'missing'}; config.json asks for [${shape}]`,
      );
  }
  return Object.entries(models).map(([path, write]) => {
    const model = new OnnxModel(tensors);
    write(model, parsed);
    return model.file(path);
  });
}

/**
 * The folder with what transformers.js needs in addition: the chat template inside tokenizer_config.json (it does not
 * read chat_template.jinja for this model), and in config.json the element type of the ONNX files (in a browser it
 * would look for quantized ones).
 */
export function forTransformersJs(
  folder: Pick<ModelFolder, 'config' | 'files' | 'chatTemplate'>,
): Pick<ModelFolder, 'config' | 'files'> {
  const known = folder.config['transformers.js_config'];
  const config: JsonObject = {
    ...folder.config,
    'transformers.js_config': { ...(isJsonObject(known) ? known : {}), dtype: 'fp32' },
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
