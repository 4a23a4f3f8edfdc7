import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main, usage } from '../../../src/cli/plan.ts';
import type { PlanView } from '../../../src/policy/plan.ts';

let printed: string;
let folder: string;
beforeEach(async () => {
  printed = '';
  folder = await mkdtemp(join(tmpdir(), 'plan-'));
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const jsonOf = async (...args: string[]): Promise<PlanView> => {
  printed = '';
  await main([...args, '--json']);
  return JSON.parse(printed);
};

describe('npm run plan', () => {
  it('prints a table for the built-in model, on the limits of a default adapter', async () => {
    expect(await main([])).toBe(0);
    expect(printed).toContain('activations');
    expect(printed).toContain('limit 128.0 MiB');
    expect(printed).toContain('It fits.');
  });

  it('takes a folder, a config.json, a published size; presets and settings', async () => {
    const nano = await jsonOf('--model', 'public/models/papo-nano');
    expect(await jsonOf('--model', 'public/models/papo-nano/config.json')).toEqual(nano);
    const smaller = await jsonOf('--per_device_train_batch_size', '64');
    expect(smaller.total).toBeLessThan(nano.total);
    const lora = await jsonOf('--model', 'smolvlm-256m', '--preset', 'smolvlm-lora', '--memory', '8GiB');
    expect(lora).toMatchObject({ device: 'webgpu', fits: true, limit: 8 * 2 ** 30 });
    const longer = await jsonOf(
      ...['--model', 'smolvlm-256m', '--preset', 'smolvlm-lora', '--prompt-tokens', '1000'],
    );
    expect(longer.keyValueCache).toBeGreaterThan(lora.keyValueCache);
  });

  it('ends with 1 where the run does not fit, and says what would', async () => {
    const args = ['--model', 'smolvlm-500m', '--preset', 'smolvlm-lora', '--use_peft', 'false'];
    expect(await main([...args, '--memory', '8GB'])).toBe(1);
    expect(printed).toContain('This run needs');
    expect(printed).toContain('use_peft true');
  });

  it('plans the CPU device: WebAssembly apart', async () => {
    const args = ['--model', 'smolvlm-256m', '--preset', 'smolvlm-lora', '--device', 'cpu'];
    const plan = await jsonOf(...args, '--memory', '14GB');
    expect(plan).toMatchObject({ device: 'cpu', fits: true, limits: { wasm: 2 ** 32 } });
    expect(plan.wasm).toBeLessThan(2 ** 32);
    expect(plan.choices.recompute).toBe(true);
    const tight = await jsonOf(...args, '--memory', '1GiB');
    expect(tight.fits).toBe(false);
  });

  it('has a help text', async () => {
    expect(await main(['--help'])).toBe(0);
    expect(printed.trim()).toBe(usage);
  });

  it.each([
    [['--model', 'nowhere'], '--model: there is no nowhere.'],
    [['--model', 'src'], '--model: src has no config.json.'],
    [['--model', 'smolvlm-2b'], 'expected smolvlm-256m or smolvlm-500m'],
    [['--preset', 'best'], 'preset: expected one of'],
    [['--device', 'tpu'], '--device: expected webgpu or cpu, got "tpu".'],
    [['--memory', 'lots'], '--memory: expected a size such as 8GiB or 900MiB, got "lots".'],
    [['--memory', '0GiB'], '--memory: expected a size'],
    [['--prompt-tokens', '1.5'], '--prompt-tokens: expected a whole number of 1 or more'],
    [['--learning_rat', '1'], 'Did you mean "learning_rate"?'],
    [['plan'], 'unexpected argument "plan"'],
    [['--use_peft', 'true', '--lora_target_modules', '["nose"]'], 'nose is no linear module'],
  ])('%j is a mistake that is named', async (args, message) => {
    await expect(main(args)).rejects.toThrow(message);
    expect(printed).toBe('');
  });

  it('a config.json that is none is named', async () => {
    const path = join(folder, 'config.json');
    await writeFile(path, '{');
    await expect(main(['--model', folder])).rejects.toThrow(`${path} is no JSON`);
    await writeFile(path, '[]');
    await expect(main(['--model', path])).rejects.toThrow('holds no JSON object');
    await writeFile(path, '{"model_type": "llava"}');
    await expect(main(['--model', path])).rejects.toThrow('model_type is "llava"');
  });
});
