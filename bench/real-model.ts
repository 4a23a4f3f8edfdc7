/**
 * Whole PAPO steps of a model folder, with LoRA r = 8: one prompt × 4 generations × 32 tokens, both views. Prints the
 * memory plan, what is really held, and the time of each step and its parts.
 *   npm run make:random -- --like smolvlm-256m --out DIR
 *   node scripts/run.mjs bench/real-model.ts --model DIR [--device cpu|webgpu] [--core-limits] [--full] [--steps 2]
 * WebGPU in Node is Dawn (npm package webgpu); VK_ICD_FILENAMES chooses the driver, SwiftShader's for instance.
 * --full: all weights, or with --freeze-vision-tower all but the tower's. --recompute: layer by layer, wanted or not.
 * --pass-only: a training pass alone, without the rollout before it: what a software adapter does in minutes.
 * --core-limits: stay within WebGPU's default limits (bindings of 128 MiB) even where the adapter offers more.
 */
import { parseArgs } from 'node:util';
import { generateExample } from '../src/data/examples.ts';
import { CpuDevice } from '../src/device/cpu/cpu-device.ts';
import { type Device, mebibytes } from '../src/device/device.ts';
import { WebgpuDevice } from '../src/device/webgpu/webgpu-device.ts';
import { PAPOConfig, PAPOTrainer } from '../src/index.node.ts';
import { openModelPath } from '../src/models/open-model-node.ts';
import { parseConfig } from '../src/papo/config.ts';
import { layout, roundUp } from '../src/policy/layout.ts';
import { loraOf } from '../src/policy/lora.ts';
import { Optimizer } from '../src/policy/optimizer.ts';
import { passCounts, trainingGraph } from '../src/policy/papo-pass.ts';
import { Policy } from '../src/policy/policy.ts';
import { openDawn } from './device.ts';

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      'core-limits': { type: 'boolean', default: false },
      steps: { type: 'string', default: '2' },
      generations: { type: 'string', default: '4' },
      tokens: { type: 'string', default: '32' },
      full: { type: 'boolean', default: false },
      'freeze-vision-tower': { type: 'boolean', default: false },
      recompute: { type: 'boolean', default: false },
      'pass-only': { type: 'boolean', default: false },
    },
  });
  if (!values.model) throw new Error('--model: expected a folder, such as make:random writes');
  const device =
    values.device === 'webgpu'
      ? await WebgpuDevice.create({ gpu: await openDawn(), coreLimits: values['core-limits'] })
      : new CpuDevice({ threads: 2 });
  const generations = Number(values.generations);
  const config = new PAPOConfig(
    {
      num_generations: generations,
      per_device_train_batch_size: generations,
      gradient_accumulation_steps: 1,
      max_completion_length: Number(values.tokens),
      max_steps: Number(values.steps),
      format_prompt: 'none',
      use_peft: !values.full,
      freeze_vision_tower: values['freeze-vision-tower'],
      ...(values.recompute && { gradient_checkpointing: true }),
    },
    'smolvlm-lora',
  );
  const print = (value: object) => console.log(JSON.stringify(value));
  if (values['pass-only']) return onePass(values.model, device, config, print);
  let opened = performance.now();
  const trainer = new PAPOTrainer({
    model: values.model,
    reward_funcs: 'boxed_answer',
    args: config,
    train_dataset: 'shapes',
    eval_dataset: null,
    device,
    callbacks: [
      {
        on_train_begin: () => {
          const { total, parts, choices } = trainer.plan!;
          print({ loadSeconds: (performance.now() - opened) / 1000, plan: total, choices });
          print(Object.fromEntries(parts.map(({ kind, bytes }) => [kind, mebibytes(bytes)])));
          opened = performance.now();
        },
        on_step_end: (_args, _state, _control, { report }) => {
          const { timing, step, metrics } = report!;
          const held = device instanceof WebgpuDevice ? device.allocatedBytes : undefined;
          print({
            ...{ step, timing, loss: metrics.loss, grad_norm: metrics.grad_norm, tokens: metrics.num_tokens },
            ...(held !== undefined && { held, againstPlan: held / trainer.plan!.total }),
            maxRss: process.resourceUsage().maxRSS * 1024,
          });
        },
      },
    ],
  });
  print({ device: device.label });
  await trainer.train();
  await trainer.dispose();
  device.dispose();
  return 0;
}

type Print = (value: object) => void;

/** Both views, forward and backward, of one prompt and its completions, made up. */
async function onePass(model: string, device: Device, config: PAPOConfig, print: Print): Promise<number> {
  const base = await Policy.open(device, await openModelPath(model), { trains: () => false });
  const policy = base.adapt(loraOf(config)!, config.seed);
  const optimizer = await Optimizer.create(device, policy.trained, policy.trainable(), {
    ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxNorm: 1 },
  });
  const { prompt, image } = generateExample(config.seed, 'train', 0, 'shapes');
  const input = policy.prompt(prompt, image);
  const [G, T, L] = [config.num_generations, config.max_completion_length, roundUp(input.ids.length, 32)];
  const shape = { prompts: 1, prefixLength: L, group: G, completionLength: T, views: 2 as const };
  const options = { trainable: [...policy.trainable().keys()], hasOldLogps: false, hasRefLogps: true };
  const graph = trainingGraph(
    { ...policy.config, hasBlocks: config.gradient_checkpointing ?? false },
    shape,
    parseConfig(config.to_dict()),
    { ...options, accumulate: false },
  );
  const compiled = performance.now();
  const program = await device.compile(graph, [...policy.stores, optimizer.store]);
  const started = performance.now();
  const ids = Int32Array.from({ length: G * T }, (_, i) => 100 + ((i * 7919) % 40_000));
  const masked = { ...input, pixelValues: input.pixelValues.map((x, i) => (i % 5 < 3 ? -1 : x)) };
  const one = (x: number) => Float32Array.of(x);
  const { loss } = await program.run({
    ...layout(policy.config, passCounts(shape), [input, masked], 2, Int32Array.from([...ids, ...ids])),
    ...{ targets: ids, temperature: one(1), completion_mask: new Float32Array(G * T).fill(1) },
    advantages: Float32Array.from({ length: G }, (_, g) => (g % 2 ? 1 : -1)),
    ref_per_token_logps: new Float32Array(G * T).fill(-10),
    ...{ num_items_in_batch: one(G * T), perception_loss_weight: one(0.01), beta: one(0.01) },
    ...{ der_loss_weight1: one(0.03), der_loss_weight2: one(0.03), annealing_discount: one(1) },
  });
  const seconds = (performance.now() - started) / 1000;
  const norm = await optimizer.update(0);
  print({
    ...{ compileSeconds: (started - compiled) / 1000, passSeconds: seconds, loss: loss[0], grad_norm: norm },
    ...(device instanceof WebgpuDevice && { held: mebibytes(device.allocatedBytes), limits: device.limits }),
    maxRss: mebibytes(process.resourceUsage().maxRSS * 1024),
  });
  for (const made of [program, optimizer, policy, base, device]) made.dispose();
  return 0;
}
