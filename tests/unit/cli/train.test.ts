// `npm run train` in this process, on the tiny papo-nano in a temporary folder.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/train.ts';
import { UserError } from '../../../src/errors.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles, saveModelFolder } from '../../../src/store/node-files.ts';
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

    const written = await readFile(join(target, 'metrics.jsonl'), 'utf8');
    expect(written.trimEnd().split('\n')).toEqual(out);
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
      return out.map((line) => ({ ...JSON.parse(line), step_time: 0 }));
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
