// `npm run train` in this process, on the tiny papo-nano in a temporary folder.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/train.ts';
import { type Row, worldDataset } from '../../../src/data/dataset.ts';
import { UserError } from '../../../src/errors.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles, saveModelFolder } from '../../../src/store/node-files.ts';
import { startFakeHub } from '../../fake-hub.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { unchanged } from '../../trainer-harness.ts';

let directory: string;
let model: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-train-'));
  model = join(directory, 'model');
  await saveModelFolder(model, await tinyNano());
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const small = (...args: string[]) => [
  ...['--model', model, '--reward', 'format', '--num_generations', '4', '--num_eval_samples', '4'],
  ...['--per_device_train_batch_size', '8', '--max_completion_length', '4', '--learning_rate', '1e-3'],
  ...args,
];

/** Runs main with what it prints caught. */
async function run(args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void out.push(line));
  vi.spyOn(console, 'error').mockImplementation((line: string) => void err.push(line));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0);
  return { code: await main(args), out, err };
}

describe('mistakes are named before anything starts', () => {
  it.each<[string, string[], RegExp]>([
    [
      'an unknown setting',
      ['--lerning_rate', '1'],
      /lerning_rate: there is no such setting.*"learning_rate"/,
    ],
    ['a value out of range', ['--mask_ratio', '2'], /mask_ratio: expected a number.*got 2/],
    ['settings at odds', ['--num_generations', '5'], /num_generations: expected a divisor/],
    ['an unknown preset', ['--preset', 'papo'], /preset: expected one of .*got "papo"/],
    ['an unknown device', ['--device', 'cuda'], /--device: "cuda"; expected cpu, webgpu/],
    ['a missing folder', ['--model', '/no/such/model'], /There is no folder \/no\/such\/model/],
    ['an unknown task', ['--task', 'poetry'], /poetry/],
    ['an unknown reward', ['--reward', 'beauty'], /unknown reward function "beauty"; expected one of/],
    ['an option without its value', ['--steps'], /--steps needs a value/],
    ['a number that is none', ['--steps', 'many'], /--steps: expected a number, got "many"/],
    ['no steps', ['--steps', '0'], /max_steps: expected .*got 0/],
    ['a word that is no option', ['fast'], /unexpected argument "fast"/],
    ['a flag with a value', ['--json=no'], /--json takes no value, got "no"/],
    ['epochs over prompts without end', ['--preset', 'papo-g-3b'], /max_steps: expected at least 1/],
  ])('%s', async (_, args, message) => {
    // --steps from `small` would hide what the last cases are about, so it is not there.
    const given = args[0] === '--preset' ? ['--model', model, ...args] : small(...args);
    const error = await run(given).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  });

  it('leaves no folder behind', async () => {
    await run(small('--out', join(directory, 'never'), '--reward_weights', '[1,2]')).catch(() => {});
    expect(await readdir(directory)).toEqual(['model']);
  });
});

it('--help says how', async () => {
  const { code, out } = await run(['--help']);
  expect(code).toBe(0);
  expect(out.join('\n')).toMatch(/--preset NAME[\s\S]*--json/);
});

describe('a run', () => {
  it('--json prints one object a step and nothing else; --out holds the model and the same lines', async () => {
    const target = join(directory, 'trained');
    const { code, out } = await run(small('--json', '--steps', '2', '--seed', '5', '--out', target));
    expect(code).toBe(0);
    const lines = out.map((line) => JSON.parse(line) as Record<string, number>);
    expect(lines.map((l) => l.step)).toEqual([0, 1, 2]);
    expect(lines[0].eval_accuracy).toBeGreaterThanOrEqual(0);
    expect(lines[2].eval_accuracy).toBeGreaterThanOrEqual(0);
    for (const line of lines.slice(1, 3))
      for (const name of ['loss', 'reward', 'grad_norm', 'perception_kl', 'rewards/format/mean'])
        expect(line[name], name).toSatisfy(Number.isFinite);

    const written = (await readFile(join(target, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    const rows = written.map((line) => JSON.parse(line) as Record<string, number | string>);
    expect(rows.map(({ step, kind }) => `${kind} ${step}`)).toEqual([
      'evaluation 0',
      'step 1',
      'step 2',
      'evaluation 2',
    ]);
    const { kind: _, ...last } = { ...rows[2], ...rows[3] };
    expect(lines[2]).toEqual(last);
    // 2 updates of 8 completions, in TRL's table and as JSONL.
    const completions = (await readFile(join(target, 'completions.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(completions.length).toBe(16);
    expect(await readdir(join(target, 'completions'))).toEqual([
      'completions_00001.parquet',
      'completions_00002.parquet',
    ]);
    expect(await readFile(join(target, 'README.md'), 'utf8')).toMatch(/^---\nlibrary_name: transformers\n/);
    const settings = JSON.parse(await readFile(join(target, 'training_args.json'), 'utf8'));
    expect(settings).toMatchObject({ max_steps: 2, seed: 5, num_generations: 4, learning_rate: 1e-3 });
    const before = await loadModelFolder(nodeFiles(model));
    const after = await loadModelFolder(nodeFiles(target));
    expect([...after.weights.keys()]).toEqual([...before.weights.keys()]);
    expect(unchanged(after.weights, before.weights).length).toBeLessThan(before.weights.size);
    expect(after.files.get('tokenizer.json')).toEqual(before.files.get('tokenizer.json'));
  });

  it('the same seed prints the same numbers', async () => {
    const numbers = async () => {
      const { out } = await run(small('--json', '--steps', '1', '--seed=9'));
      return out.map((line) => ({ ...JSON.parse(line), step_time: 0, eval_runtime: 0 }));
    };
    expect(await numbers()).toEqual(await numbers());
  });

  it('without --json it speaks to people', async () => {
    const { out } = await run(small('--steps', '1'));
    const text = out.join('\n');
    expect(text).toMatch(/step 1\/1 {2}reward \d\.\d{3} {2}loss -?\d+\.\d{4}/);
    expect(text).toMatch(/held-out accuracy [\d.]+ % ± [\d.]+ %/);
  });
});

describe('a kept run', () => {
  const settings = (...args: string[]) => small('--json', '--seed', '5', '--save_steps', '1', ...args);
  /** Weights and numbers of a finished run, without what a clock says. */
  const result = async (target: string) => {
    const rows = (await readFile(join(target, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    return {
      rows: rows.map((line) => ({ ...JSON.parse(line), step_time: 0, eval_runtime: 0 })),
      weights: (await loadModelFolder(nodeFiles(target))).weights,
    };
  };

  it('cut off by the system at any moment and resumed, it ends as the unbroken one, bit for bit', async () => {
    const whole = join(directory, 'whole');
    const broken = join(directory, 'broken');
    await run(settings('--steps', '6', '--out', whole));
    const args = settings('--steps', '6', '--out', broken);
    const script = ['scripts/run.mjs', 'src/cli/train.ts'];
    let lives = 0;
    for (const saves of [1, 2]) {
      const child = spawn(process.execPath, [...script, ...args, ...(lives++ > 0 ? ['--resume'] : [])]);
      let told = '';
      child.stderr.on('data', (data) => {
        told += data;
        // In the midst of what comes after a save.
        if (told.split('saved checkpoint').length > saves) child.kill('SIGKILL');
      });
      const [, signal] = await once(child, 'close');
      expect(signal, told).toBe('SIGKILL');
    }
    const { err } = await run(settings('--out', broken, '--resume'));
    expect(err.join('\n')).toMatch(/going on from step [1-6]/);
    const [a, b] = [await result(whole), await result(broken)];
    expect(b.rows).toEqual(a.rows);
    expect(unchanged(b.weights, a.weights)).toEqual([...a.weights.keys()]);
  }, 120_000);

  it('remembers its settings, model, task and rewards; the command line may change some', async () => {
    const target = join(directory, 'remembered');
    await run(settings('--steps', '1', '--task', 'counting', '--out', target));
    const { err } = await run(['--json', '--out', target, '--resume', '--steps', '2']);
    expect(err.join('\n')).toMatch(/task counting, 2 steps/);
    const info = JSON.parse(await readFile(join(target, 'run.json'), 'utf8'));
    expect(info).toMatchObject({
      state: 'finished',
      step: 2,
      settings: { num_generations: 4, max_steps: 2 },
      origin: { task: 'counting', rewards: ['format'] },
    });
  });

  it('is not written over, and what cannot be resumed says why', async () => {
    const target = join(directory, 'remembered');
    await expect(run(settings('--steps', '1', '--out', target))).rejects.toThrow(
      /holds a run already: go on with it \(resume_from_checkpoint\)/,
    );
    await expect(run(['--resume'])).rejects.toThrow(/--resume: expected --out DIR/);
    await expect(run(['--resume', '--out', directory])).rejects.toThrow(/--resume: there is no run in/);
  });
});

describe('what the user brings', () => {
  it('a dataset: bad rows are told by row, the others trained on, other columns handed to a reward of the user', async () => {
    const folder = join(directory, 'data');
    await mkdir(folder);
    const row = worldDataset('shapes', 'train', 1).row(0) as Row;
    const { width, height, data } = row.image;
    await writeFile(join(folder, 'a.png'), encode({ width, height, data, channels: 3 }));
    const good = { prompt: row.prompt, image: 'a.png', answer: row.answer, bonus: 2 };
    const rows = [...Array(9).fill(good), { prompt: 'add @0 @1', image: 'missing.png' }, { image: 'a.png' }];
    await writeFile(join(folder, 'rows.jsonl'), rows.map((r) => JSON.stringify(r)).join('\n'));
    await writeFile(
      join(folder, 'bonus.js'),
      'export function reward({ completions, bonus }) { return completions.map((c, i) => bonus[i] + c.length % 3); }',
    );
    const args = small('--json', '--steps', '1', '--dataset', join(folder, 'rows.jsonl'));
    args.splice(args.indexOf('format'), 1, join(folder, 'bonus.js'));
    const { out, err } = await run(args);
    const told = err.join('\n');
    expect(told).toMatch(/rows\.jsonl, row 10, image: .*missing\.png/);
    expect(told).toMatch(/rows\.jsonl, row 11.*prompt/);
    expect(told).toMatch(/2 of 11 rows are left out/);
    const last = JSON.parse(out.at(-1)!);
    expect(last['rewards/bonus/mean']).toBeGreaterThanOrEqual(2);
    expect(last['rewards/bonus/mean']).toBeLessThanOrEqual(4);
    await expect(run([...args, '--strict'])).rejects.toThrow(/row 10/);
  }, 60_000);

  it('a push at the end: the folder arrives, the token stands in no file and no line', async () => {
    const hub = await startFakeHub({ token: 'hf_secret', user: 'someone' });
    vi.stubEnv('HF_TOKEN', 'hf_secret');
    vi.stubEnv('HF_ENDPOINT', hub.url);
    try {
      const target = join(directory, 'pushed');
      const { out, err } = await run(
        small('--json', '--steps', '1', '--out', target, '--push', 'someone/tiny-papo'),
      );
      expect(err.join('\n')).toMatch(/pushed to .*someone\/tiny-papo/);
      const files = hub.files('someone/tiny-papo');
      expect([...files.keys()]).toEqual(
        expect.arrayContaining(['README.md', 'config.json', 'model.safetensors', 'training_args.json']),
      );
      expect(new Uint8Array(files.get('model.safetensors')!)).toEqual(
        new Uint8Array(await readFile(join(target, 'model.safetensors'))),
      );
      const said = [...out, ...err].join('\n');
      expect(said).not.toContain('hf_secret');
      // Nor does the machine's own folder go to the Hub.
      for (const [name, bytes] of files) {
        const text = Buffer.from(bytes).toString('latin1');
        expect(text.includes('hf_secret') || text.includes(directory), name).toBe(false);
      }
    } finally {
      vi.unstubAllEnvs();
      await hub.close();
    }
  });

  it('reward code that does not load is told with its line', async () => {
    const file = join(directory, 'broken.js');
    await writeFile(file, 'function reward({ completions }) {\n  return completions.map(\n}');
    const args = small('--steps', '1');
    args.splice(args.indexOf('format'), 1, file);
    await expect(run(args)).rejects.toThrow(/reward "broken", line 3/);
  });
});
