// Ctrl+C at `npm run train`, in a process of its own, and what is kept of a run that was stopped.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/train.ts';
import { saveModelFolder } from '../../../src/store/node-files.ts';
import { tinyNano } from '../../tiny-nano.ts';

let directory: string;
let model: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-interrupt-'));
  model = join(directory, 'tiny');
  await saveModelFolder(model, await tinyNano());
});
afterAll(() => rm(directory, { recursive: true }));

const small = [
  ...['--json', '--reward', 'format', '--num_generations', '4', '--num_eval_samples', '4'],
  ...['--per_device_train_batch_size', '8', '--max_completion_length', '4', '--eval_steps', '1000'],
];

/** Runs the command line; `stopAt` in what it prints sends Ctrl+C. */
async function train(args: string[], stopAt?: string) {
  const child = spawn(process.execPath, ['scripts/run.mjs', 'src/cli/train.ts', ...args], {
    env: { ...process.env, HF_TOKEN: 'hf_none' },
  });
  let told = '';
  let isSent = false;
  const hear = (data: Buffer) => {
    told += data;
    if (stopAt && !isSent && told.includes(stopAt)) isSent = child.kill('SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const [code] = await once(child, 'close');
  return { code, told };
}

const json = async (...path: string[]) => JSON.parse(await readFile(join(directory, ...path), 'utf8'));

it('ends in order: a checkpoint, the model, no push; the run can go on from any of its checkpoints', async () => {
  const out = join(directory, 'stopped');
  const first = ['--model', model, ...small, '--steps', '1000', '--out', out, '--push', 'somebody/model'];
  const { code, told } = await train(first, '"step":2');
  expect(code, told).toBe(130);
  expect(told).toMatch(/Stopping after this step[\s\S]*saved checkpoint-\d+[\s\S]*Not pushed/);
  const { state, step } = await json('stopped', 'run.json');
  expect(state).toBe('stopped');
  expect(await readdir(out)).toEqual(expect.arrayContaining([`checkpoint-${step}`, 'model.safetensors']));
  expect((await readdir(out)).filter((name) => name.endsWith('.lock'))).toEqual([]);
  const card = await readFile(join(out, 'README.md'), 'utf8');
  expect(card).toMatch(/^model_name: "stopped"$/m);
  expect(card).toMatch(/^base_model: "tiny"$/m);
  expect(card).toMatch(/^This is tiny, trained on the built-in task shapes with PAPO/m);
  expect(card).toContain('on CPU');
  // Held-out questions before training; nothing was measured of the model as it is.
  expect(card).toMatch(/^\| reward \| .* \| – \| 4 \|$/m);

  const later = ['--out', out, '--json', '--steps', String(step + 1)];
  const wrong = await train([...later, '--resume_from_checkpoint', 'checkpoint-999']);
  expect(wrong.code).toBe(1);
  expect(wrong.told).toMatch(/has no checkpoint "checkpoint-999"; it has checkpoint-/);
  const again = await train([...later, '--resume_from_checkpoint', `checkpoint-${step}`]);
  expect(again.code, again.told).toBe(0);
  expect(again.told).toContain(`going on from step ${step}`);
  expect(await json('stopped', 'run.json')).toMatchObject({ state: 'finished', step: step + 1 });
}, 120_000);

it('--push without a token, or without a folder where the model stays, is refused before training', async () => {
  vi.stubEnv('HF_TOKEN', '');
  await expect(main(['--model', model, '--push', 'somebody/model'])).rejects.toThrow(
    /--push: set .*HF_TOKEN/,
  );
  vi.stubEnv('HF_TOKEN', 'hf_none');
  await expect(main(['--model', model, '--push', 'somebody/model'])).rejects.toThrow(
    /--push: expected --out/,
  );
  vi.unstubAllEnvs();
});

it('before the first step it ends too', async () => {
  const out = join(directory, 'early');
  const args = ['--model', model, ...small, '--steps', '1000', '--out', out];
  const { code, told } = await train(args, 'preset papo-nano');
  expect(code, told).toBe(130);
  const { state, step } = await json('early', 'run.json');
  expect(state).toBe('stopped');
  expect(step).toBeLessThanOrEqual(1);
}, 60_000);
