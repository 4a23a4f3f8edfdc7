/**
 * Prints the memory plan of a run, without starting it.
 *   npm run plan -- --model DIR|CONFIG.json --preset NAME [--any_setting value] [--device webgpu|cpu] [--memory 8GiB]
 */
import { readFile, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { evaluationPromptsPerRun } from '../data/evaluate.ts';
import { readSmolvlmSize, smolvlmConfig } from '../data/smolvlm-files.ts';
import { wasmBytes } from '../device/cpu/cpu-device.ts';
import type { Device } from '../device/device.ts';
import { uniformChoice } from '../device/webgpu/gemm.ts';
import { UserError } from '../errors.ts';
import { parseConfig } from '../papo/config.ts';
import { PRESET_NAMES } from '../papo/presets.ts';
import { parseVlmConfig, type VlmConfig } from '../policy/config.ts';
import { roundUp } from '../policy/layout.ts';
import { usualPromptTokens } from '../policy/memory.ts';
import { planRun } from '../policy/plan.ts';
import { planTable } from '../policy/plan-text.ts';
import { isJsonObject, type JsonObject } from '../store/json.ts';
import { splitArguments } from './settings-arguments.ts';

export const usage = `npm run plan -- [options] [--<setting> <value> …]
  --model PATH         a Hugging Face folder, its config.json alone, or smolvlm-256m or smolvlm-500m
                       (default public/models/papo-nano)
  --preset NAME        ${PRESET_NAMES.slice(0, 5).join(', ')},
                       ${PRESET_NAMES.slice(5).join(', ')} (default papo-nano)
  --device NAME        webgpu (default; on the limits that every WebGPU has: 128 MiB a tensor) or cpu
  --memory SIZE        what there is, such as 8GiB or 900MiB; default: unknown on webgpu, this machine's on cpu
  --prompt-tokens N    the longest prompt, image included; default: the model's image and 64 tokens
  --no-evaluation      the run answers no held-out prompts
  --json               the plan as JSON
Any setting of TRL's PAPOConfig by its name, such as --use_peft true --num_generations 4
Exit code 0 where the run fits, 1 where it does not.`;

const options = {
  model: { type: 'string', default: 'public/models/papo-nano' },
  preset: { type: 'string', default: 'papo-nano' },
  device: { type: 'string', default: 'webgpu' },
  memory: { type: 'string' },
  'prompt-tokens': { type: 'string' },
  'no-evaluation': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** What every WebGPU device has without asking (https://www.w3.org/TR/webgpu/#limits). */
const defaultWebgpu = {
  largestTensor: 2 ** 27,
  webgpu: {
    lowering: { maxWorkgroupsPerDimension: 65_535, maxBindingBytes: 2 ** 27, workgroupMemory: 16_384 },
    gemm: uniformChoice({ variant: 'register', splitTo: 0 }),
  },
} as const;

export async function main(args: string[]): Promise<number> {
  const { known, settings } = splitArguments(args, options, usage);
  const { values } = parseArgs({ args: known, options });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const config = await readModel(values.model);
  const resolved = parseConfig(settings, values.preset);
  const tokens = readTokens(values['prompt-tokens'], config);
  const run = {
    prefixLengths: [roundUp(tokens, resolved.pad_to_multiple_of ?? 8)],
    ...(!values['no-evaluation'] && {
      evaluation: {
        prompts: Math.min(evaluationPromptsPerRun, resolved.num_eval_samples),
        group: 1,
        maxTokens: resolved.max_completion_length,
      },
    }),
  };
  const plan = planRun(config, resolved, run, readDevice(values.device, values.memory));
  console.log(values.json ? JSON.stringify(plan, null, 2) : planTable(plan));
  return plan.fits ? 0 : 1;
}

async function readModel(path: string): Promise<VlmConfig> {
  if (path.startsWith('smolvlm-') && !(await exists(path)))
    return parseVlmConfig(smolvlmConfig(readSmolvlmSize(path)));
  if (!(await exists(path))) throw new UserError(`--model: there is no ${path}.`);
  const file = (await stat(path)).isDirectory() ? join(path, 'config.json') : path;
  if (!(await exists(file))) throw new UserError(`--model: ${path} has no config.json.`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UserError(`--model: ${file} is no JSON: ${error instanceof Error ? error.message : error}.`);
  }
  if (!isJsonObject(json as JsonObject)) throw new UserError(`--model: ${file} holds no JSON object.`);
  return parseVlmConfig(json as JsonObject);
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

function readDevice(name: string, memory: string | undefined): Pick<Device, 'kind' | 'limits'> {
  const bytes = memory === undefined ? undefined : readBytes(memory);
  if (name === 'webgpu') return { kind: 'webgpu', limits: { ...defaultWebgpu, memory: bytes } };
  if (name === 'cpu') {
    const limits = { largestTensor: wasmBytes, wasm: wasmBytes, memory: bytes ?? totalmem() };
    return { kind: 'cpu', limits };
  }
  throw new UserError(`--device: expected webgpu or cpu, got "${name}".`);
}

const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, KB: 1e3, MB: 1e6, GB: 1e9 };

function readBytes(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMG]i?B)$/.exec(text) ?? [];
  if (!number || !(Number(number) > 0))
    throw new UserError(`--memory: expected a size such as 8GiB or 900MiB, got "${text}".`);
  return Math.floor(Number(number) * units[unit]);
}

function readTokens(text: string | undefined, config: VlmConfig): number {
  if (text === undefined) return usualPromptTokens(config);
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new UserError(`--prompt-tokens: expected a whole number of 1 or more, got "${text}".`);
  return count;
}
