/** The command line of `npm run train`. */
import { parseArgs } from 'node:util';
import { UserError } from '../errors.ts';
import { splitArguments } from './settings-arguments.ts';

export const usage = `npm run train -- [options] [--<setting> <value> …]
  --preset NAME    grpo, dapo, papo-g-3b, papo-g-7b, papo-d, trl-defaults, papo-nano (default),
                   smolvlm-lora
  --model WHERE    a Hugging Face folder or a zip of one (default public/models/papo-nano), or a model of the Hub,
                   owner/name or owner/name@revision, such as HuggingFaceTB/SmolVLM-256M-Instruct
  --task NAME      shapes (default), counting, comparing, reasoning, emoji, all
  --dataset PATH   your own data: JSONL or Parquet with images, a folder or a zip of these (then no --task)
  --strict         end at the first row of the dataset that has a problem, instead of leaving it out
  --reward NAME    boxed_answer (default), exact_match, numeric, format, number_answer, relaxed_accuracy, choice_letter,
                   short_text, text_contains, answer_match, think_format, papo_math, papo_accuracy, papo_format, or a
                   .js or .ts file that defines reward(); may be given more than once
  --steps N        updates (max_steps)
  --seed S         seed
  --device NAME    cpu (default), webgpu
  --out DIR        where the run is kept: checkpoints as it goes, at the end the model with its card, metrics and
                   completions; without it nothing is written
  --resume         go on with the run in --out, from its last whole checkpoint
  --dtype NAME     how the model is stored at the end: float32 (default), bfloat16; with LoRA, whose adapter is merged
                   in (and lies in OUT/adapter for PEFT), the default is what the model came in
  --onnx           also write ONNX files that transformers.js loads
  --cluster        also write OUT/cluster, with which the authors' code goes on: model, data, settings, start script
  --push USER/NAME upload the model at the end, with --out; the token is read from the environment variable HF_TOKEN
                   (another Hub than the usual: HF_ENDPOINT)
  --json           one JSON object a step instead of a progress line (step 0: held-out accuracy before training)
Any setting of TRL's PAPOConfig by its name, such as --learning_rate 1e-4 --save_steps 20 --save_total_limit 2`;

const ours = {
  preset: { type: 'string' },
  model: { type: 'string' },
  task: { type: 'string' },
  dataset: { type: 'string' },
  strict: { type: 'boolean', default: false },
  reward: { type: 'string', multiple: true },
  steps: { type: 'string' },
  seed: { type: 'string' },
  device: { type: 'string', default: 'cpu' },
  out: { type: 'string' },
  resume: { type: 'boolean', default: false },
  dtype: { type: 'string' },
  onnx: { type: 'boolean', default: false },
  cluster: { type: 'boolean', default: false },
  push: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** `--name value` pairs that are not ours are settings; parseConfig judges them. */
export function readArguments(args: string[]) {
  const { known, settings } = splitArguments(args, ours, usage);
  const { values } = parseArgs({ args: known, options: ours });
  if (values.steps !== undefined) settings.max_steps = number(values.steps, 'steps');
  if (values.seed !== undefined) settings.seed = number(values.seed, 'seed');
  if (values.dataset !== undefined && values.task !== undefined)
    throw new UserError('--dataset and --task exclude each other: the prompts come from one of them.');
  if (values.dtype !== undefined && values.dtype !== 'float32' && values.dtype !== 'bfloat16')
    throw new UserError(`--dtype: expected float32 or bfloat16, got "${values.dtype}"`);
  return { ...values, dtype: values.dtype as 'float32' | 'bfloat16' | undefined, settings };
}

function number(text: string, name: string): number {
  if (text.trim() === '' || Number.isNaN(Number(text)))
    throw new UserError(`--${name}: expected a number, got "${text}"`);
  return Number(text);
}
