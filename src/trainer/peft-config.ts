/** peft.LoraConfig as people write it, in the settings' terms. */
import { UserError } from '../errors.ts';
import type { Settings } from '../papo/settings.ts';
import { show } from '../store/json.ts';

/** What of peft.LoraConfig is built; any other field is refused unless it has PEFT's default. */
export interface PeftConfig {
  /** Default 8, as PEFT's. */
  readonly r?: number;
  /** Default 8, as PEFT's. */
  readonly lora_alpha?: number;
  readonly target_modules?: readonly string[] | 'all-linear' | null;
  readonly use_rslora?: boolean;
  readonly [other: string]: unknown;
}

const known = new Set(['r', 'lora_alpha', 'target_modules', 'use_rslora']);
/** PEFT's defaults of what is not built, and fields that say nothing here. */
const harmless: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ['LORA'],
  task_type: [null, 'CAUSAL_LM'],
  bias: ['none'],
  lora_dropout: [0],
  fan_in_fan_out: [false],
  init_lora_weights: [true],
  use_dora: [false],
  modules_to_save: [null],
};

/** Throws a UserError that names the field which asks for what is not built. */
export function peftSettings(config: PeftConfig): Partial<Settings> {
  for (const [name, value] of Object.entries(config)) {
    if (known.has(name) || value === undefined || harmless[name]?.includes(value as never)) continue;
    throw new UserError(
      `peft_config: ${name} is ${show(value)}; expected ${harmless[name]?.map((allowed) => show(allowed)).join(' or ') ?? `r, lora_alpha, target_modules and use_rslora alone`}.`,
    );
  }
  return {
    use_peft: true,
    lora_r: config.r ?? 8,
    lora_alpha: config.lora_alpha ?? 8,
    lora_target_modules: (config.target_modules ?? null) as Settings['lora_target_modules'],
    use_rslora: config.use_rslora ?? false,
  };
}
