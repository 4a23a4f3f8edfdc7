/** What runs would need in memory, in a worker of its own: graphs of a large model take seconds to build. */

import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { parseConfig, type ResolvedConfig } from '../papo/config.ts';
import { imageTokens, parseVlmConfig, type VlmConfig } from '../policy/config.ts';
import { roundUp } from '../policy/layout.ts';
import type { RunShapes } from '../policy/memory.ts';
import { type PlanView, planRun } from '../policy/plan.ts';
import { parameterCount } from '../policy/precision.ts';
import type { JsonObject } from '../store/json.ts';
import type { ModelNeeds } from './model-protocol.ts';

/** Tokens around an image and its question, where no tokenizer can count them. */
const usualPrompt = 48;

export type PlannedDevice = Pick<Device, 'kind' | 'limits'>;

/** What is asked of the planner; plain data. */
export type PlanJob =
  | {
      readonly kind: 'plan';
      readonly config: JsonObject;
      readonly settings: ResolvedConfig;
      readonly run: Omit<RunShapes, 'dtypeOf'>;
      readonly device: PlannedDevice;
    }
  | { readonly kind: 'needs'; readonly config: JsonObject; readonly device: PlannedDevice };

/** Throws a UserError where the settings do not go with the model. */
export function planJob(job: PlanJob): PlanView | ModelNeeds {
  if (job.kind === 'needs') return needsOf(job.config, job.device);
  return planRun(parseVlmConfig(job.config), job.settings, job.run, job.device);
}

/** Of a model by its configuration alone: with an adapter, and in full, as the preset for SmolVLM trains. */
export function needsOf(config: JsonObject, device: PlannedDevice): ModelNeeds {
  const vlm = parseVlmConfig(config);
  return {
    parameters: parameterCount(vlm),
    lora: needed(vlm, true, device),
    full: needed(vlm, false, device),
    limit: device.limits.memory ?? null,
  };
}

function needed(config: VlmConfig, use_peft: boolean, device: PlannedDevice): ModelNeeds['lora'] {
  const settings = parseConfig({ use_peft, learning_rate: 1e-5 }, 'smolvlm-lora');
  const prefixLengths = [roundUp(imageTokens(config) + usualPrompt, 8)];
  try {
    const { total, fits } = planRun(config, settings, { prefixLengths }, device);
    return { bytes: total, fits };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
