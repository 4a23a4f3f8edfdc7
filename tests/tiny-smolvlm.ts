/**
 * SmolVLM in small: its configuration, chat template and byte-level tokenizer of 49,280 tokens, few features, random
 * weights in bfloat16. Large enough by its vocabulary that frozen weights are held in half floats. Node only.
 */
import { randomTensor } from '../src/cli/make-random.ts';
import { smolvlmConfig, smolvlmFiles } from '../src/data/smolvlm-files.ts';
import { bytesFile, type OutFile } from '../src/export/out-file.ts';
import { safetensorsOut } from '../src/export/safetensors-out.ts';
import { sizeOf } from '../src/ops/graph.ts';
import { hash, Purpose } from '../src/papo/random.ts';
import { parseVlmConfig } from '../src/policy/config.ts';
import { parameterShapes } from '../src/policy/parameters.ts';
import { weightsFile } from '../src/store/hf-folder.ts';
import type { JsonObject } from '../src/store/json.ts';

const imageSize = 96;

export function tinySmolvlmConfig(): JsonObject {
  const config = smolvlmConfig('smolvlm-256m');
  return {
    ...config,
    scale_factor: 2,
    text_config: {
      ...(config.text_config as JsonObject),
      hidden_size: 320,
      intermediate_size: 320,
      num_hidden_layers: 1,
      num_attention_heads: 5,
      num_key_value_heads: 1,
    },
    vision_config: {
      ...(config.vision_config as JsonObject),
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_size: imageSize,
      patch_size: 16,
    },
  };
}

/** The folder's files, in the order in which they are read. */
export function tinySmolvlm(seed = 1): OutFile[] {
  const config = tinySmolvlmConfig();
  const vlm = parseVlmConfig(config);
  const shapes = parameterShapes(vlm);
  const index = new Map([...shapes.keys()].map((name, i) => [name, i]));
  const read = async (name: string) =>
    randomTensor(name, shapes.get(name)!, vlm.text.layers, hash(seed, Purpose.init, index.get(name)!));
  const files = smolvlmFiles('smolvlm-256m');
  files.set('config.json', JSON.stringify(config));
  const processor = JSON.parse(files.get('preprocessor_config.json')!) as JsonObject;
  files.set(
    'preprocessor_config.json',
    JSON.stringify({ ...processor, max_image_size: { longest_edge: imageSize } }),
  );
  const imageTokens = (imageSize / 16 / 2) ** 2;
  files.set(
    'processor_config.json',
    JSON.stringify({ processor_class: 'Idefics3Processor', image_seq_len: imageTokens }),
  );
  return [
    ...[...files].map(([name, content]) => bytesFile(name, content)),
    safetensorsOut(weightsFile, { shapes, read }, { dtype: 'BF16', metadata: { format: 'pt' } }),
  ];
}

export const tinySmolvlmParameters = (): number =>
  [...parameterShapes(parseVlmConfig(tinySmolvlmConfig())).values()].reduce(
    (sum, shape) => sum + sizeOf(shape),
    0,
  );
