/**
 * Trains without a page, in Node, on the CPU device (or on WebGPU through the optional npm package `webgpu`).
 *   npm run train -- --preset papo-nano --steps 100 --seed 1 --out runs/one [--json] [--any_setting value]
 *   npm run train -- --out runs/one --resume
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { lastPart } from '../export/last-part.ts';
import { PAPOConfig, PAPOTrainer } from '../index.node.ts';
import { openNamedModel } from '../models/open-model-node.ts';
import { isRunFolder, readFolderRun } from '../store/folder-runs.ts';
import type { JsonObject } from '../store/json.ts';
import { type DatasetLike, toDataset } from '../trainer/inputs.ts';
import { openUserDataset } from './datasets.ts';
import { openRewards } from './rewards.ts';
import { readArguments, usage } from './train-arguments.ts';
import { Reporter } from './train-reporter.ts';

export async function main(args: string[]): Promise<number> {
  const given = readArguments(args);
  if (given.help) {
    console.log(usage);
    return 0;
  }
  // Before training, because after it a push that fails would lose everything.
  if (given.push && !process.env.HF_TOKEN)
    throw new UserError('--push: set the environment variable HF_TOKEN to a token that may write.');
  if (given.push && !given.out)
    throw new UserError('--push: expected --out DIR too, where the model stays if the push fails.');
  // A resumed run is what it was, but for what the command line says anew.
  const from = (given.settings.resume_from_checkpoint as string | boolean | undefined) ?? given.resume;
  const kept = from ? await keptRun(given.out) : undefined;
  const origin = (kept?.origin ?? {}) as Partial<Record<string, string>>;
  const preset = given.preset ?? origin.preset ?? 'papo-nano';
  const task = given.task ?? origin.task ?? 'shapes';
  const model = given.model ?? origin.model ?? 'public/models/papo-nano';
  const rewardNames = given.reward ?? (kept?.origin.rewards as string[] | undefined) ?? ['boxed_answer'];
  const dataset = given.dataset ?? origin.dataset;
  const config = new PAPOConfig(
    { ...kept?.settings, resume_from_checkpoint: null, ...given.settings, output_dir: given.out ?? null },
    preset,
  );

  const reporter = new Reporter(given.json);
  const data = dataset
    ? await openUserDataset(dataset, config, (line) => reporter.say(line), given.strict)
    : undefined;
  const rewards = await openRewards(rewardNames, config.reward_timeout * 1000);
  const trainer = new PAPOTrainer({
    model: await openNamedModel(model, {
      onProgress: (progress) => reporter.downloading(progress),
      onNotice: (sentence) => reporter.say(sentence),
    }),
    reward_funcs: rewards.functions,
    args: config,
    train_dataset: data?.train ?? (task as never),
    ...(data && { eval_dataset: data.heldOut }),
    callbacks: [reporter],
    device: given.device,
    origin: {
      preset,
      model,
      ...modelNames(model),
      rewards: rewardNames,
      ...(dataset ? { dataset, dataset_name: lastPart(dataset) } : { task }),
    },
  });
  // The first Ctrl+C ends the run in order, with a checkpoint where there is an --out; the second at once.
  let interrupted = false;
  const onInterrupt = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    reporter.say('Stopping after this step (Ctrl+C again: at once).');
    trainer.control.should_training_stop = true;
  };
  // One that came while the model was loading.
  trainer.add_callback({
    on_train_begin: (_, __, control) => {
      control.should_training_stop ||= interrupted;
    },
  });
  process.on('SIGINT', onInterrupt);
  try {
    for (const warning of config.warnings) reporter.say(`note: ${warning}`);
    const policy = await trainer.policy();
    reporter.say(
      `${model} on ${policy.device.label}; preset ${preset}, ${dataset ?? `task ${task}`}, ${trainer.state.max_steps} steps`,
    );
    const { metrics, global_step } = await trainer.train({ resume_from_checkpoint: from });
    reporter.finish(`${global_step} steps; ${metrics.train_runtime.toFixed(1)} s`);
    if (given.out) {
      if (global_step < trainer.state.max_steps) await trainer.save_checkpoint();
      const { onnx, dtype } = given;
      await trainer.save_model(given.out, { onnx, completions: true, dtype });
      reporter.say(`saved to ${given.out}`);
      if (config.use_peft) {
        const adapter = join(given.out, 'adapter');
        await trainer.save_model(adapter, { what: 'adapter' });
        reporter.say(`the adapter alone is in ${adapter}`);
      }
      if (given.cluster) {
        const folder = join(given.out, 'cluster');
        const rows = (split: 'train' | 'test', given?: DatasetLike) =>
          toDataset(given ?? (task as never), split, config.seed);
        const cluster = {
          train: rows('train', data?.train),
          heldOut: rows('test', data?.heldOut),
          rewards: rewardNames,
        };
        await trainer.save_model(folder, { what: 'cluster', dtype, cluster });
        reporter.say(`what the authors' code goes on with is in ${folder}`);
      }
    }
    if (interrupted) {
      if (given.push) reporter.say('Not pushed: the run was stopped before its end.');
      return 130;
    }
    if (given.push) {
      const token = process.env.HF_TOKEN ?? '';
      // Where huggingface's own tools look for another Hub too.
      const hub_url = process.env.HF_ENDPOINT;
      const { url } = await trainer.push_to_hub({ repo_id: given.push, token, ...(hub_url && { hub_url }) });
      reporter.say(`pushed to ${url}`);
    }
    return 0;
  } finally {
    process.off('SIGINT', onInterrupt);
    await trainer.dispose();
    await rewards.close();
  }
}

/** How the model is called where the path on this machine says nothing: its id on the Hub, or its folder's name. */
function modelNames(model: string): JsonObject {
  if (existsSync(model)) return { model_name: lastPart(model).replace(/\.zip$/i, '') };
  const [id, revision] = model.split('@');
  return { model_name: id, ...(revision && { model_revision: revision }) };
}

async function keptRun(out: string | undefined): Promise<{ settings: JsonObject; origin: JsonObject }> {
  if (!out) throw new UserError('--resume: expected --out DIR, the folder of the run to go on with.');
  if (!(await isRunFolder(out))) throw new UserError(`--resume: there is no run in ${out}.`);
  const info = await readFolderRun(out).info();
  if (!info) throw new UserError(`--resume: ${out} has no run.json that could be read.`);
  return info;
}
