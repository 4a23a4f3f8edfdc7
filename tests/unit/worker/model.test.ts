/** The worker's loaded model: one base on the device, adapters of kept checkpoints on it, and what does not go with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { baseTensors } from '../../../src/export/base-tensors.ts';
import { mergedSource } from '../../../src/export/lora/merge.ts';
import { toNodeFolder } from '../../../src/export/to-node-folder.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { initialLora } from '../../../src/policy/lora.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { openFromMemory, openModelFolder } from '../../../src/store/open-folder.ts';
import type { CheckpointTensor, StoredCheckpoint } from '../../../src/store/run-store.ts';
import { PAPOConfig } from '../../../src/trainer/papo-config.ts';
import { adapterOnItsWay, checkpointAdapter } from '../../../src/worker/checkpoint-folder.ts';
import { LoadedModel } from '../../../src/worker/model.ts';
import { checkBase, modelOfRun, originOfModel } from '../../../src/worker/run-request.ts';
import { Subjects } from '../../../src/worker/subjects.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { tinySmolvlm } from '../../tiny-smolvlm.ts';

const device = new CpuDevice({ threads: 1 });
let folder: string;
let large: LoadedModel;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'papo-web-tiny-smolvlm-'));
  await toNodeFolder(tinySmolvlm(), folder);
  const source = { kind: 'hub', id: 'own/tiny', revision: 'main', commit: 'c'.repeat(40) } as const;
  large = await LoadedModel.of(await openModelFolder(nodeFiles(folder)), 'own/tiny', source);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const nano = async (seed?: number) =>
  LoadedModel.of(openFromMemory(await tinyNano({ seed })), 'tiny', { kind: 'files' });

describe('a loaded model', () => {
  it('is large by its parameters, and is on the device once, in half floats', async () => {
    expect(large.isLarge).toBe(true);
    const told: number[] = [];
    const policy = await large.base(device, ({ fraction }) => told.push(fraction));
    expect(await large.base(device)).toBe(policy);
    expect(policy.weights.dtype('model.text_model.embed_tokens.weight')).toBe('f16');
    expect(told.at(-1)).toBe(1);
    large.leaveDevice();
    expect(await large.base(device)).not.toBe(policy);
  });

  it('can be stopped on its way onto the device, and goes there the next time', async () => {
    large.leaveDevice();
    const stop = new AbortController();
    const going = large.base(device, () => stop.abort(new Error('enough')), stop.signal);
    await expect(going).rejects.toThrow('enough');
    await expect(large.base(device)).resolves.toBeDefined();
  });

  it('is known by its weights, whatever it is called', async () => {
    const [one, same, other] = [await nano(1), await nano(1), await nano(2)];
    expect(one.mark).toBe(same.mark);
    expect(one.mark).not.toBe(other.mark);
    expect(one.isLarge).toBe(false);
  });

  it('names settings that do not go with it', async () => {
    const settings = (more: Record<string, unknown>) => parseConfig({ use_peft: true, ...more }, 'papo-nano');
    expect(large.problems(settings({}))).toEqual([]);
    const [problem] = large.problems(settings({ lora_target_modules: ['q_proj', 'query'] }));
    expect(problem.field).toBe('lora_target_modules');
    expect(problem.message).toMatch(/query is no linear module.*there are q_proj/);
    const [long] = large.problems(settings({ max_completion_length: 9000 }));
    expect(long).toMatchObject({ field: 'max_completion_length' });
    expect(long.message).toContain('8192');
  });
});

describe('a run', () => {
  const infoOf = (model: LoadedModel) => ({ name: 'my run', origin: { ...originOfModel(model) } });

  it('remembers its model, and goes on with that one alone', async () => {
    const [one, other] = [await nano(1), await nano(2)];
    expect(modelOfRun(infoOf(large))).toEqual({ name: 'own/tiny', source: large.source, mark: large.mark });
    expect(infoOf(large).origin.model_revision).toBe('c'.repeat(40));
    expect(() => checkBase(infoOf(one), one)).not.toThrow();
    expect(() => checkBase(infoOf(one), undefined)).toThrow(/no model is loaded: load tiny first/);
    expect(() => checkBase(infoOf(one), other)).toThrow(/has other weights: load tiny first/);
    expect(() => checkBase(infoOf(one), large)).toThrow(/own\/tiny is loaded: load tiny first/);
  });

  it('of an earlier page is known by its name', async () => {
    const old = { name: 'old', origin: { model: 'tiny', model_url: 'https://own.test/models/tiny/' } };
    expect(modelOfRun(old).source).toEqual({ kind: 'built-in', url: 'https://own.test/models/tiny/' });
    const model = await nano();
    expect(() => checkBase(old, model)).not.toThrow();
    expect(() => checkBase(old, large)).toThrow(/load tiny first/);
  });
});

describe('a checkpoint of an adapter', () => {
  /** B is zero at first, so that the adapter's doing is seen only where it is not. */
  function checkpoint(model: LoadedModel, bias: number): StoredCheckpoint {
    const settings = new PAPOConfig({ use_peft: true, lora_r: 2, seed: 3, max_steps: 1 });
    const lora = { r: 2, lora_alpha: settings.lora_alpha, use_rslora: false, towers: ['text'] } as const;
    const initial = initialLora(model.config, { ...lora, target_modules: 'all-linear' }, 3);
    const tensors = new Map<string, CheckpointTensor>();
    for (const [name, { shape, data }] of initial)
      tensors.set(`adapter/${name}`, {
        shape: [...shape],
        data: name.includes('lora_B') ? data.fill(bias) : data,
      });
    return {
      step: 1,
      savedAt: 0,
      bytes: 0,
      state: { settings: settings.to_dict() as never },
      tensors: new Map([...tensors].map(([name, { shape }]) => [name, { shape, bytes: 0 }])),
      read: async (name) => tensors.get(name)!,
    };
  }

  const prompt = async (policy: Awaited<ReturnType<LoadedModel['base']>>) => {
    const image = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(90) };
    const prompts = [policy.prompt('add @3 @7', image)];
    const options = { group: 1, maxTokens: 6, temperature: 1, greedy: true, topK: 0, topP: 1, minP: 0 };
    return Array.from((await policy.generate(prompts, { ...options, uniform: () => 0 })).ids);
  };

  it('answers on the base that is there, which stays as it is', async () => {
    const model = await nano();
    let bases = 0;
    const subjects = new Subjects(() => ({
      device,
      model,
      openCheckpoint: async (_, step) => checkpoint(model, step === 0 ? 0 : 0.5),
      checkBase: async () => void bases++,
    }));
    const base = await subjects.with({ kind: 'base' }, prompt);
    expect(await subjects.with({ kind: 'run', run: 'r', step: 0 }, prompt)).toEqual(base);
    expect(await subjects.with({ kind: 'run', run: 'r', step: 1 }, prompt)).not.toEqual(base);
    expect(await subjects.with({ kind: 'base' }, prompt)).toEqual(base);
    expect(bases).toBe(2);
  });

  it('leaves merged into its base: what it answered with is what goes out', async () => {
    const model = await nano();
    const { lora, seed, tensors } = adapterOnItsWay(checkpoint(model, 0.5));
    expect(lora).toMatchObject({ r: 2, target_modules: 'all-linear' });
    expect(seed).toBe(3);
    const base = baseTensors(model.folder);
    const merged = mergedSource(model.folder.config, base, { lora, tensors });
    const weights = new Map<string, { shape: number[]; data: Float32Array }>();
    for (const [name, shape] of merged.shapes)
      weights.set(name, { shape: [...shape], data: await merged.read(name) });
    const folder = { ...(await tinyNano({ seed: 1 })), weights };
    const whole = await LoadedModel.of(openFromMemory(folder), 'merged', { kind: 'files' });
    const adapted = (await model.base(device)).adapt(
      lora,
      seed,
      (await checkpointAdapter(checkpoint(model, 0.5))).tensors,
    );
    expect(await prompt(await whole.base(device))).toEqual(await prompt(adapted));
    // What has no adapter leaves with the bytes that it came with.
    const name = 'model.text_model.norm.weight';
    expect((await merged.original!(name))!.bytes).toEqual(await model.folder.tensors.get(name)!.read());
    expect(await merged.original!('model.text_model.layers.0.self_attn.q_proj.weight')).toBeNull();
  });

  it('is refused where its base is not loaded', async () => {
    const model = await nano();
    const subjects = new Subjects(() => ({
      device,
      model,
      openCheckpoint: async () => checkpoint(model, 0),
      checkBase: async () => checkBase({ name: 'r', origin: { ...originOfModel(large) } }, model),
    }));
    const asked = subjects.with({ kind: 'run', run: 'r', step: 1 }, async () => 'asked');
    await expect(asked).rejects.toThrow(/goes on with the weights of own\/tiny.*load own\/tiny first/);
  });
});
