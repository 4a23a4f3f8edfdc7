/** A SmolVLM with the published one's tokenizer size and a small body, random weights: a large vocabulary over few layers. */
import { smolvlmConfig, smolvlmFiles } from '../src/data/smolvlm-files.ts';
import { sizeOf } from '../src/ops/graph.ts';
import { parseVlmConfig } from '../src/policy/config.ts';
import { parameterShapes } from '../src/policy/parameters.ts';
import type { ModelFolder } from '../src/store/hf-folder.ts';
import type { JsonObject } from '../src/store/json.ts';

/** 64 features: 6.5 million parameters. 352: 36 million, which is a large model (see precision.ts). */
export function midSizeConfig(hidden = 64): JsonObject {
  const whole = smolvlmConfig('smolvlm-256m');
  return {
    ...whole,
    scale_factor: 2,
    text_config: {
      ...(whole.text_config as JsonObject),
      ...{ hidden_size: hidden, intermediate_size: 128, num_hidden_layers: 4 },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16 },
    },
    vision_config: {
      ...(whole.vision_config as JsonObject),
      ...{ hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4 },
      image_size: 64,
    },
  };
}

export function midSize(hidden = 64): ModelFolder {
  const config = midSizeConfig(hidden);
  const change = {
    'config.json': config,
    'preprocessor_config.json': { size: { longest_edge: 64 }, max_image_size: { longest_edge: 64 } },
    'processor_config.json': { image_seq_len: 4 },
  };
  const json = new Map<string, JsonObject>();
  const files = new Map<string, Uint8Array>();
  for (const [name, content] of smolvlmFiles('smolvlm-256m')) {
    let text = content;
    if (name.endsWith('.json')) {
      const changed = { ...JSON.parse(content), ...change[name as keyof typeof change] };
      json.set(name, changed);
      text = JSON.stringify(changed);
    }
    files.set(name, new TextEncoder().encode(text));
  }
  const weights = new Map(
    [...parameterShapes(parseVlmConfig(config))].map(([name, shape]) => {
      const data = new Float32Array(sizeOf(shape));
      // What they are does not matter: small, and no two rows alike.
      if (shape.length > 1) for (let i = 0; i < data.length; i++) data[i] = 0.1 * Math.sin(1 + i * 1.7);
      else if (name.endsWith('.weight')) data.fill(1);
      return [name, { shape: [...shape], data }];
    }),
  );
  const template = new TextDecoder().decode(files.get('chat_template.jinja'));
  return { config, weights, skipped: [], json, chatTemplate: template, files };
}
