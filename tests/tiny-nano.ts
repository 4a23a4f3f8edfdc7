/** papo-nano in small: its tokenizer and processors, 32 features, two layers of vision and one of text, random weights. Node only. */
import { readFile } from 'node:fs/promises';
import { parseVlmConfig } from '../src/policy/config.ts';
import { embeddingName, initialWeights } from '../src/policy/parameters.ts';
import type { ModelFolder } from '../src/store/hf-folder.ts';
import type { JsonObject } from '../src/store/json.ts';

const directory = 'public/models/papo-nano';
const sideFiles = [
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
];

export interface TinyNanoOptions {
  readonly seed?: number;
  /** How much likelier than others the end token is: about its logit's surplus. */
  readonly endScore?: number;
}

export async function tinyNano({ seed = 1, endScore = 2 }: TinyNanoOptions = {}): Promise<ModelFolder> {
  const read = async (name: string): Promise<Uint8Array> => readFile(`${directory}/${name}`);
  const files = new Map<string, Uint8Array>();
  const json = new Map<string, JsonObject>();
  for (const name of ['config.json', ...sideFiles]) {
    const bytes = await read(name);
    files.set(name, bytes);
    if (name.endsWith('.json')) json.set(name, JSON.parse(new TextDecoder().decode(bytes)));
  }
  const nano = json.get('config.json')!;
  const small = { hidden_size: 32, intermediate_size: 48, num_hidden_layers: 1, num_attention_heads: 2 };
  const config: JsonObject = {
    ...nano,
    text_config: { ...(nano.text_config as JsonObject), ...small, num_key_value_heads: 1, head_dim: 16 },
    vision_config: { ...(nano.vision_config as JsonObject), ...small, num_hidden_layers: 2, patch_size: 16 },
  };
  json.set('config.json', config);
  files.set('config.json', new TextEncoder().encode(JSON.stringify(config)));

  const vlm = parseVlmConfig(config);
  const weights = new Map(
    [...initialWeights(vlm, seed)].map(([name, { shape, data }]) => [name, { shape: [...shape], data }]),
  );
  // A larger table makes tokens differ in likelihood, as a trained model's do. Feature 0 of every embedding is 1, the end token's more:
  // its score is higher wherever text comes before it.
  const table = weights.get(embeddingName)!.data;
  const d = vlm.text.hiddenSize;
  for (let i = 0; i < table.length; i++) table[i] = i % d === 0 ? 1 : 8 * table[i];
  table[(nano.eos_token_id as number) * d] += endScore;
  return { config, weights, skipped: [], json, chatTemplate: null, files };
}
