/**
 * Whole PAPO steps of a model folder, with LoRA r = 8: one prompt × 4 generations × 32 tokens, both views. Prints the
 * memory plan, what is really held, and the time of each step and its parts.
 *   npm run make:random -- --like smolvlm-256m --out DIR
 *   node scripts/run.mjs bench/real-model.ts --model DIR [--device cpu|webgpu] [--core-limits] [--full] [--steps 2]
 * WebGPU in Node is Dawn (npm package webgpu); VK_ICD_FILENAMES chooses the driver, SwiftShader's for instance.
 * --full: all weights, or with --freeze-vision-tower all but the tower's. --recompute: layer by layer, wanted or not.
 * --core-limits: stay within WebGPU's default limits (bindings of 128 MiB) even where the adapter offers more.
 */
import { parseArgs } from 'node:util';
import { CpuDevice } from '../src/device/cpu/cpu-device.ts';
import { mebibytes } from '../src/device/device.ts';
import { WebgpuDevice } from '../src/device/webgpu/webgpu-device.ts';
import { PAPOConfig, PAPOTrainer } from '../src/index.node.ts';
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
