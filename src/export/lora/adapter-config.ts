/** adapter_config.json: our adapter in the words of peft.LoraConfig. */
import { parseVlmConfig } from '../../policy/config.ts';
import { type LoraConfig, loraModules } from '../../policy/lora.ts';
import type { JsonObject } from '../../store/json.ts';

/** The model that an adapter belongs to: a Hub id, or the name of a folder. */
export interface BaseModel {
  readonly name: string | null;
  /** A branch, tag or commit on the Hub; null: its main one. */
  readonly revision: string | null;
}

/**
 * Modules as one regular expression, which PEFT matches against whole names: last names alone, PEFT's other form, would
 * also reach the towers that have no adapter. Layers are all of a tower's, so that any number stands for theirs.
 */
export function targetPattern(modules: Iterable<string>): string {
  const patterns = new Set(
    Array.from(modules, (name) => name.replaceAll('.', '\\.').replace(/\\\.\d+\\\./g, '\\.\\d+\\.')),
  );
  return [...patterns].join('|');
}

const architectures: Record<string, string> = {
  smolvlm: 'SmolVLMForConditionalGeneration',
  idefics3: 'Idefics3ForConditionalGeneration',
};

/**
 * The fields that PEFT writes and every version since 0.10 reads; what is left out has its default. `auto_mapping`
 * names the model's class, which AutoPeftModel needs where there is no task_type: PEFT has none for images with text.
 */
export function adapterConfig(config: JsonObject, lora: LoraConfig, base: BaseModel): JsonObject {
  const type = String(config.model_type);
  return {
    alpha_pattern: {},
    auto_mapping: {
      base_model_class: architectures[type],
      parent_library: `transformers.models.${type}.modeling_${type}`,
    },
    base_model_name_or_path: base.name,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: lora.lora_alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: lora.r,
    rank_pattern: {},
    revision: base.revision,
    target_modules: targetPattern(loraModules(parseVlmConfig(config), lora).keys()),
    task_type: null,
    use_dora: false,
    use_rslora: lora.use_rslora,
  };
}
