// The adapter and the merged weights as they leave, against PEFT's own numbers.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { adapterConfig, targetPattern } from '../../../src/export/lora/adapter-config.ts';
import { adapterFiles } from '../../../src/export/lora/adapter-files.ts';
import { mergedSource } from '../../../src/export/lora/merge.ts';
import { memorySource, modelFolderFiles, savedDtype } from '../../../src/export/model-folder.ts';
import type { TensorSource } from '../../../src/export/out-file.ts';
import { parseVlmConfig } from '../../../src/policy/config.ts';
import { loraModules, loraTowers } from '../../../src/policy/lora.ts';
import { parameterShapes } from '../../../src/policy/parameters.ts';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../../src/store/dtypes.ts';
import { readSafetensors, type StoredTensor, toFloat32 } from '../../../src/store/safetensors.ts';
import { relativeError } from '../../parity.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { bytesOf, textOf } from './files.ts';
import { loraCase, loraCases } from './lora.ts';

const base = { name: 'owner/smolvlm-tiny', revision: 'main' };

describe.each(loraCases)('%s', async (name) => {
  const { folder, base: weights, adapter, expected, modules } = await loraCase(name);
  const config = parseVlmConfig(folder.config);

  it('merges as PEFT does, and leaves all else as it is', async () => {
    const merged = mergedSource(folder.config, weights, adapter);
    expect([...merged.shapes.keys()]).toEqual([...weights.shapes.keys()]);
    let changed = 0;
    for (const tensor of merged.shapes.keys()) {
      const found = await merged.read(tensor);
      const theirs = expected.get(`merged.${tensor}`);
      if (!theirs) {
        expect(found, tensor).toEqual(folder.weights.get(tensor)!.data);
        continue;
      }
      changed++;
      expect(relativeError(found, toFloat32(theirs)), tensor).toBeLessThan(1e-7);
      expect(relativeError(found, folder.weights.get(tensor)!.data), tensor).toBeGreaterThan(0.01);
    }
    expect(changed).toBe(modules.length);
  });

  it('names the modules that PEFT chose, and no others', () => {
    const { target_modules } = adapterConfig(folder.config, adapter.lora, base);
    const pattern = new RegExp(`^(?:${target_modules})$`);
    const all = [...parameterShapes(config).keys()].flatMap((key) => /^(.+)\.weight$/.exec(key)?.[1] ?? []);
    expect(all.filter((module) => pattern.test(module)).sort()).toEqual(modules);
    expect([...loraModules(config, adapter.lora).keys()].sort()).toEqual(modules);
  });

  it("leaves with PEFT's names and the numbers that it came with", async () => {
    const files = adapterFiles({ config: folder.config, sideFiles: folder.files, adapter, base });
    expect(files.map((file) => file.name)).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const written = readSafetensors(await bytesOf(files[1]));
    expect(written.size).toBe(2 * modules.length);
    for (const [key, tensor] of written) {
      const ours = expected.get(key.replace('base_model.model.', 'before.'))!;
      expect(tensor.shape).toEqual(ours.shape);
      expect(toFloat32(tensor)).toEqual(toFloat32(ours));
    }
  });
});

describe('adapter_config.json', async () => {
  const { folder, adapter } = await loraCase('all-rslora');

  it('says what PEFT needs to know', () => {
    expect(adapterConfig(folder.config, adapter.lora, base)).toMatchObject({
      peft_type: 'LORA',
      task_type: null,
      r: 3,
      lora_alpha: 5,
      use_rslora: true,
      bias: 'none',
      base_model_name_or_path: 'owner/smolvlm-tiny',
      revision: 'main',
      auto_mapping: {
        base_model_class: 'SmolVLMForConditionalGeneration',
        parent_library: 'transformers.models.smolvlm.modeling_smolvlm',
      },
    });
  });

  it('tells towers apart that have modules of the same name', () => {
    const config = parseVlmConfig(folder.config);
    for (const tower of loraTowers) {
      const lora = { ...adapter.lora, towers: [tower] };
      const pattern = new RegExp(`^(?:${targetPattern(loraModules(config, lora).keys())})$`);
      const every = loraModules(config, { ...adapter.lora, towers: loraTowers });
      const matched = [...every.keys()].filter((module) => pattern.test(module));
      expect(matched).toEqual([...loraModules(config, lora).keys()]);
    }
  });

  it('counts layers of two digits', () => {
    const names = Array.from({ length: 12 }, (_, i) => `model.text_model.layers.${i}.mlp.up_proj`);
    expect(targetPattern(names)).toBe('model\\.text_model\\.layers\\.\\d+\\.mlp\\.up_proj');
  });
});

describe('what does not fit', async () => {
  const { folder, base: weights, adapter } = await loraCase('text');
  const without = (source: TensorSource, name: string): TensorSource => ({
    ...source,
    shapes: new Map([...source.shapes].filter(([key]) => key !== name)),
  });
  const module = 'model.text_model.layers.1.mlp.up_proj';

  it('is refused before a file is begun', () => {
    const lost = { ...adapter, tensors: without(adapter.tensors, `${module}.lora_B.weight`) };
    const refused = (broken: typeof adapter) => () => mergedSource(folder.config, weights, broken);
    expect(refused(lost)).toThrow(UserError);
    expect(refused(lost)).toThrow(`${module}.lora_B.weight is missing; its settings ask for [96,4]`);
    expect(refused({ ...adapter, lora: { ...adapter.lora, r: 5 } })).toThrow(
      '[4,48]; its settings ask for [5,48]',
    );
    const fewer = { ...adapter, lora: { ...adapter.lora, target_modules: ['q_proj'] } };
    expect(refused(fewer)).toThrow('which its settings do not ask for');
    expect(() => mergedSource(folder.config, without(weights, `${module}.weight`), adapter)).toThrow(
      `${module}.weight is missing; expected [96,48]`,
    );
    expect(() =>
      adapterFiles({ config: folder.config, sideFiles: folder.files, adapter: lost, base }),
    ).toThrow(UserError);
  });
});

describe('a base model in bfloat16', async () => {
  const { folder, adapter, modules } = await loraCase('text');
  // With values that float16 holds only roughly, or not at all.
  const stored = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of folder.weights) {
    const bits = float32ToBfloat16(data);
    if (bits.length > 8 && !modules.includes(name.replace(/\.weight$/, '')))
      bits.set([0x0001, 0x8000, 0x7f7f, 0x3380, 0x7fc1], 1);
    stored.set(name, { name, dtype: 'BF16', shape, bytes: new Uint8Array(bits.buffer) });
  }
  const floats = memorySource(
    new Map(Array.from(stored, ([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }])),
  );
  const parts = async (source: TensorSource) => {
    const config = { ...folder.config, dtype: 'bfloat16' };
    const tensors = mergedSource(folder.config, source, adapter);
    const files = modelFolderFiles({ config, sideFiles: folder.files, tensors, dtype: savedDtype(config) });
    return readSafetensors(await bytesOf(files.find(({ name }) => name === 'model.safetensors')!));
  };

  it('keeps the bits of what has no adapter, through float32', async () => {
    const written = await parts(floats);
    for (const [name, { bytes }] of stored) {
      if (modules.includes(name.replace(/\.weight$/, ''))) continue;
      expect(Buffer.compare(written.get(name)!.bytes, bytes), name).toBe(0);
    }
  });

  it('keeps them where the run holds other numbers, from the original file', async () => {
    const held: TensorSource = {
      shapes: floats.shapes,
      read: async (name) =>
        (await floats.read(name)).map((x) => (modules.some((m) => name.startsWith(m)) ? x : 0)),
      original: async (name) => stored.get(name)!,
    };
    const written = await parts(held);
    let merged = 0;
    for (const [name, { bytes }] of stored) {
      const isSame = Buffer.compare(written.get(name)!.bytes, bytes) === 0;
      expect(isSame, name).toBe(!modules.includes(name.replace(/\.weight$/, '')));
      if (!isSame) merged++;
    }
    expect(merged).toBe(modules.length);
  });

  it('rounds once: the sum, in float32', async () => {
    const written = await parts(floats);
    const name = `${modules[0]}.weight`;
    const exact = await mergedSource(folder.config, floats, adapter).read(name);
    const bits = new Uint16Array(new Uint8Array(written.get(name)!.bytes).buffer);
    expect(bits).toEqual(float32ToBfloat16(exact));
    expect(relativeError(bfloat16ToFloat32(bits), exact)).toBeLessThan(2 ** -8);
  });

  it('is refused where the file says another size', async () => {
    const short: TensorSource = {
      ...floats,
      original: async (name) => ({ dtype: 'BF16', bytes: stored.get(name)!.bytes.subarray(2) }),
    };
    await expect(parts(short)).rejects.toThrow(/bytes in its file, but BF16/);
  });
});

it('the adapter folder has tokenizer and processor, and nothing that makes it look like a whole model', async () => {
  const { adapter, folder } = await loraCase('text');
  const nano = await tinyNano();
  const sideFiles = new Map([...nano.files, ['model.safetensors.index.json', new Uint8Array(2)]]);
  const parts = { config: folder.config, sideFiles, adapter, base, card: '# x', trainingArgs: { seed: 1 } };
  const names = adapterFiles(parts).map(({ name }) => name);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'processor_config.json', 'README.md'])
    if (nano.files.has(name) || name === 'README.md') expect(names).toContain(name);
  for (const name of ['config.json', 'generation_config.json', 'model.safetensors.index.json'])
    expect(names).not.toContain(name);
  expect(JSON.parse(await textOf(adapterFiles(parts).find((f) => f.name === 'training_args.json')!))).toEqual(
    {
      seed: 1,
    },
  );
});
