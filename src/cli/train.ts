/**
 * Trains without a page, in Node, on the CPU device (or on WebGPU through the optional npm package `webgpu`).
 *   npm run train -- --preset papo-nano --steps 100 --seed 1 --out runs/one [--json] [--any_setting value]
 */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Evaluation, evaluate } from '../data/evaluate.ts';
import { generateExample, resolveMix } from '../data/examples.ts';
import type { TaskName } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import { configToJson, parseConfig } from '../papo/config.ts';
import { Trainer } from '../papo/trainer.ts';
import { Policy } from '../policy/policy.ts';
import { rewardFunction } from '../rewards/rewards.ts';
import { loadModelFolder } from '../store/hf-folder.ts';
import { nodeFiles, saveModelFolder } from '../store/node-files.ts';
import { openDevice } from './device.ts';

const usage = `npm run train -- [options] [--<setting> <value> …]
  --preset NAME    grpo, dapo, papo-g-3b, papo-g-7b, papo-d, trl-defaults, papo-nano (default)
  --model DIR      a Hugging Face folder (default public/models/papo-nano)
  --task NAME      shapes (default), counting, comparing, reasoning, all
  --reward NAME    boxed_answer (default), exact_match, numeric, format; may be given more than once
  --steps N        updates (max_steps)
  --seed S         seed
  --device NAME    cpu (default), webgpu
  --out DIR        where the trained model and metrics.jsonl go; without it nothing is written
  --json           one JSON object a step instead of a progress line (step 0: held-out accuracy before training)
Any setting of TRL's PAPOConfig by its name, such as --learning_rate 1e-4 --perception_loss_weight 0.01`;

const ours = {
  preset: { type: 'string', default: 'papo-nano' },
  model: { type: 'string', default: 'public/models/papo-nano' },
  task: { type: 'string', default: 'shapes' },
  reward: { type: 'string', multiple: true, default: ['boxed_answer'] as string[] },
  steps: { type: 'string' },
  seed: { type: 'string' },
  device: { type: 'string', default: 'cpu' },
  out: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

export async function main(args: string[]): Promise<number> {
  const { values, settings } = readArguments(args);
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const config = parseConfig(settings, values.preset);
  const task = values.task as TaskName;
  resolveMix(task);
  const reward_funcs = Object.fromEntries(values.reward.map((name) => [name, rewardFunction(name)]));
  const say = (line: string) => (values.json ? console.error(line) : console.log(line));
  for (const warning of config.warnings) say(`note: ${warning}`);

  const device = await openDevice(values.device);
  const folder = await loadModelFolder(nodeFiles(values.model));
  const policy = Policy.create(device, folder);
  say(`${values.model} on ${device.label}; preset ${values.preset}, task ${task}, ${config.max_steps} steps`);
  const trainer = await Trainer.create({
    policy,
    config,
    reward_funcs,
    examples: (index) => generateExample(config.seed, 'train', index, task),
  });

  const metricsFile = values.out && join(values.out, 'metrics.jsonl');
  if (values.out && metricsFile) {
    await mkdir(values.out, { recursive: true });
    await writeFile(metricsFile, '');
    await writeFile(
      join(values.out, 'training_args.json'),
      `${JSON.stringify(configToJson(config), null, 2)}\n`,
    );
  }
  const record = async (entry: Record<string, unknown>) => {
    const line = JSON.stringify(entry);
    if (values.json) console.log(line);
    if (metricsFile) await appendFile(metricsFile, `${line}\n`);
  };

  const examples = config.num_eval_samples;
  const measure = async (step: number): Promise<Record<string, number>> => {
    const options = { task, examples, seed: config.seed, maxTokens: config.max_completion_length };
    const e = await evaluate(policy, { ...options, temperature: config.temperature });
    say(
      `\rstep ${step}: held-out accuracy ${percent(e.accuracy)} ± ${percent(e.accuracyError)}  (${examples} examples)   `,
    );
    return evaluationMetrics(e);
  };
  await record({ step: 0, ...(await measure(0)) });
  const started = performance.now();
  for (let step = 1; step <= config.max_steps; step++) {
    const { metrics } = await trainer.update();
    if (!values.json) progress(step, config.max_steps, started, metrics);
    const evaluates = step === config.max_steps || (config.eval_steps && step % config.eval_steps === 0);
    // One object a step: what is held out is measured after the update, and stands in the same object.
    await record({ step, ...metrics, ...(evaluates ? await measure(step) : {}) });
  }
  if (!values.json) process.stdout.write('\n');
  say(`${config.max_steps} steps in ${((performance.now() - started) / 1000).toFixed(1)} s`);

  if (values.out) {
    await saveModelFolder(values.out, {
      ...folder,
      weights: (await policy.readWeights()) as typeof folder.weights,
    });
    say(`saved to ${values.out}`);
  }
  trainer.dispose();
  policy.dispose();
  device.dispose();
  return 0;
}

/** `--name value` pairs that are not ours are settings; parseConfig judges them. */
function readArguments(args: string[]) {
  const rest: Record<string, unknown> = {};
  const known: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const name = args[i].startsWith('--') ? args[i].slice(2).split('=')[0] : '';
    if (!name) throw new UserError(`unexpected argument "${args[i]}"\n${usage}`);
    const inline = args[i].includes('=') ? args[i].slice(args[i].indexOf('=') + 1) : undefined;
    const flag = name === 'json' || name === 'help';
    if (flag && inline !== undefined) throw new UserError(`--${name} takes no value, got "${inline}"`);
    if (!flag && inline === undefined && args[i + 1] === undefined)
      throw new UserError(`--${name} needs a value`);
    const value = flag ? undefined : (inline ?? args[++i]);
    if (Object.hasOwn(ours, name)) known.push(`--${name}`, ...(value === undefined ? [] : [value]));
    else rest[name] = parseValue(value!);
  }
  const { values } = parseArgs({ args: known, options: ours });
  const number = (text: string, name: string) => {
    if (text.trim() === '' || Number.isNaN(Number(text)))
      throw new UserError(`--${name}: expected a number, got "${text}"`);
    return Number(text);
  };
  if (values.steps !== undefined) rest.max_steps = number(values.steps, 'steps');
  if (values.seed !== undefined) rest.seed = number(values.seed, 'seed');
  return { values, settings: rest };
}

/** Numbers, booleans, null and lists as JSON; everything else is text. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function evaluationMetrics(e: Evaluation): Record<string, number> {
  return {
    eval_accuracy: e.accuracy,
    eval_accuracy_error: e.accuracyError,
    'eval_errors/perception': e.perceptionErrors,
    'eval_errors/reasoning': e.reasoningErrors,
    'eval_errors/format': e.formatErrors,
    ...Object.fromEntries(Object.entries(e.byKind).map(([kind, value]) => [`eval_accuracy/${kind}`, value])),
  };
}

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

function progress(step: number, total: number, started: number, metrics: Record<string, number>): void {
  const elapsed = (performance.now() - started) / 1000;
  const left = Math.round((elapsed / step) * (total - step));
  const line =
    `step ${step}/${total}  reward ${metrics.reward.toFixed(3)}  loss ${metrics.loss.toFixed(4)}  ` +
    `grad norm ${metrics.grad_norm.toFixed(3)}  ${(step / elapsed).toFixed(2)} steps/s  ${left} s left`;
  if (process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(100)}`);
  else if (step % 10 === 0 || step === total) console.log(line);
}
