/** The settings of a run under TRL's names, checked. */
import { configToJson, parseConfig, type ResolvedConfig } from '../papo/config.ts';
import type { Settings } from '../papo/settings.ts';

/**
 * TRL's `PAPOConfig`: `new PAPOConfig({ learning_rate: 1e-4 })`, with every field of TRL's that has a meaning here,
 * and fields of our own (docs/api.md lists all). A preset's values lie between the defaults and those given.
 *
 * Throws a UserError that names every field that is unknown, out of range or at odds with another.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns every field of the interface
export class PAPOConfig {
  constructor(settings: Partial<Settings> | Record<string, unknown> = {}, preset?: string) {
    Object.assign(this, parseConfig(settings, preset));
  }

  /** The settings alone, as JSON; the constructor takes them back. */
  to_dict(): Settings {
    return configToJson(this);
  }
}

// The fields themselves: one declaration in the table of settings serves the class too.
export interface PAPOConfig extends ResolvedConfig {}
