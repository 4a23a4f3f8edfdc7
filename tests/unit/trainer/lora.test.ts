import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import type { OutFile } from '../../../src/export/out-file.ts';
import { PAPOTrainer } from '../../../src/index.node.ts';
import { loraModules, loraOf, loraShapes } from '../../../src/policy/lora.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { openFromMemory } from '../../../src/store/open-folder.ts';
import { readSafetensors, toFloat32 } from '../../../src/store/safetensors.ts';
import { MemoryRunStore } from '../../memory-run-store.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { lengthReward, smallSettings } from '../../trainer-harness.ts';

const device = new CpuDevice({ threads: 1 });
const folder = await tinyNano();
const lora = { use_peft: true, lora_r: 2, lora_alpha: 4, lora_towers: 'text' } as const;

function trainer(settings: object = {}, options: object = {}): PAPOTrainer {
  return new PAPOTrainer({
    model: folder,
    reward_funcs: lengthReward.length,
    args: { objective: 'paper', loss_type: 'grpo', ...smallSettings, ...lora, ...settings },
    train_dataset: 'shapes',
    eval_dataset: null,
    device,
    ...options,
  });
}

const steps = (run: PAPOTrainer) => run.history.filter(({ kind }) => kind === 'step');

async function adapterOf(run: PAPOTrainer): Promise<Map<string, Float32Array>> {
  const { adapter } = await run.policy();
  return adapter!.readMany(adapter!.names);
}

async function bytesOf(file: OutFile): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of file.chunks()) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

describe('training an adapter', () => {
  it('moves the adapter and leaves every weight as it was', async () => {
    const run = trainer();
    await run.train();
    const policy = await run.policy();
    for (const [name, { data }] of await policy.readWeights())
      expect(data, name).toEqual(folder.weights.get(name)!.data);
    const shapes = loraShapes(policy.config, loraOf(run.args)!);
    const adapter = await adapterOf(run);
    expect([...adapter.keys()]).toEqual([...shapes.keys()]);
    for (const [name, data] of adapter)
      if (name.endsWith('lora_B.weight'))
        expect(
          data.some((x) => x !== 0),
          name,
        ).toBe(true);
    await run.dispose();
  });

  it('has the model without it as its reference', async () => {
    const run = trainer({ beta: 0.1, learning_rate: 0.05 });
    await run.train();
    const kl = steps(run).map(({ metrics }) => metrics.kl);
    // B begins with zeros, so that the first step is the reference itself.
    expect(Math.abs(kl[0])).toBeLessThan(1e-7);
    expect(kl.at(-1)).toBeGreaterThan(1e-4);
    await run.dispose();
  });

  it('keeps the adapter alone in its checkpoints, and goes on from one bit for bit', async () => {
    const settings = { save_steps: 2, beta: 0.1, num_iterations: 2 };
    const whole = new MemoryRunStore();
    const unbroken = trainer(settings, { store: whole });
    await unbroken.train();
    const kinds = [...whole.kept.get(2)!.checkpoint.tensors.keys()].map((name) => name.split('/')[0]);
    expect(kinds).toEqual(expect.arrayContaining(['adapter', 'optimizer', 'files']));
    expect(kinds).not.toContain('weights');
    expect(kinds).not.toContain('reference');

    const part = new MemoryRunStore();
    const first = trainer(settings, { store: part });
    first.add_callback({
      on_save: (_args, _state, control) => {
        control.should_training_stop = true;
      },
    });
    await first.train();
    await first.dispose();
    const second = trainer(settings, { store: part });
    await second.train({ resume_from_checkpoint: true });
    expect(await adapterOf(second)).toEqual(await adapterOf(unbroken));
    await unbroken.dispose();
    await second.dispose();
  });

  it('says what is wrong with a checkpoint of another adapter', async () => {
    const store = new MemoryRunStore();
    const first = trainer({ save_steps: 2, max_steps: 2 }, { store });
    await first.train();
    await first.dispose();
    const other = trainer({ save_steps: 2, lora_r: 3 }, { store });
    await expect(other.train({ resume_from_checkpoint: true })).rejects.toThrow(
      /adapter\/.*lora_A\.weight is \[2,32\], the model's is \[3,32\]/,
    );
    await other.dispose();
  });

  it("leaves as the merged model, W + s·B·A, and as PEFT's folder", async () => {
    const run = trainer();
    await run.train();
    const files = await run.modelFiles({ dtype: 'float32' });
    const merged = readSafetensors(
      await bytesOf(files.find(({ name }) => name === 'model.safetensors')!),
      'merged',
    );
    const adapter = await adapterOf(run);
    const { config } = await run.policy();
    const modules = loraModules(config, loraOf(run.args)!);
    expect(modules.size).toBe(7);
    for (const [name, { data, shape }] of folder.weights) {
      const module = name.replace(/\.weight$/, '');
      const expected = Float64Array.from(data);
      if (modules.has(module)) {
        const [a, b] = ['A', 'B'].map((part) => adapter.get(`${module}.lora_${part}.weight`)!);
        const [rows, columns] = shape;
        for (let o = 0; o < rows; o++)
          for (let i = 0; i < columns; i++)
            for (let k = 0; k < 2; k++) expected[o * columns + i] += 2 * b[o * 2 + k] * a[k * columns + i];
      }
      const found = toFloat32(merged.get(name)!);
      expected.forEach((x, i) => {
        if (Math.abs(found[i] - x) > 1e-6 * Math.max(1, Math.abs(x)))
          throw new Error(`${name}[${i}]: ${found[i]}, ${x}`);
      });
    }
    const alone = await run.modelFiles({ what: 'adapter' });
    expect(alone.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['adapter_config.json', 'adapter_model.safetensors', 'README.md']),
    );
    const tensors = readSafetensors(
      await bytesOf(alone.find(({ name }) => name.startsWith('adapter_model'))!),
      'adapter',
    );
    for (const [name, data] of adapter)
      expect(toFloat32(tensors.get(`base_model.model.${name}`)!)).toEqual(data);
    await run.dispose();
  });
});

describe('a policy that several share', () => {
  it('gets adapters that know nothing of each other, and outlives them', async () => {
    const base = await Policy.open(device, openFromMemory(folder));
    const one = trainer({ seed: 1 }, { model: base });
    const two = trainer({ seed: 2 }, { model: base });
    await one.train();
    await two.train();
    const alone = trainer({ seed: 1 });
    await alone.train();
    expect(await adapterOf(one)).toEqual(await adapterOf(alone));
    expect(await adapterOf(two)).not.toEqual(await adapterOf(one));
    for (const run of [one, two, alone]) await run.dispose();
    expect((await base.readWeights()).size).toBe(folder.weights.size);
    base.dispose();
  });

  it('is not trained itself', async () => {
    const base = Policy.create(device, folder);
    expect(() => trainer({ use_peft: false }, { model: base })).toThrow(/only adapters can be trained on it/);
    base.dispose();
  });
});

it("takes PEFT's LoraConfig", async () => {
  const run = trainer(
    { use_peft: false, max_steps: 1 },
    { peft_config: { r: 3, target_modules: ['q_proj'] } },
  );
  await run.train();
  const adapter = await adapterOf(run);
  expect([...adapter.keys()]).toEqual([
    'model.text_model.layers.0.self_attn.q_proj.lora_A.weight',
    'model.text_model.layers.0.self_attn.q_proj.lora_B.weight',
  ]);
  await run.dispose();
});
