// What a run hands over, by kind: the model, the adapter, ONNX, and what goes to a cluster.
import { describe, expect, it } from 'vitest';
import { worldDataset } from '../../../src/data/dataset.ts';
import { UserError } from '../../../src/errors.ts';
import type { OutFile } from '../../../src/export/out-file.ts';
import { type RunContents, runFiles } from '../../../src/export/run-files.ts';
import { configToJson, parseConfig } from '../../../src/papo/config.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import type { JsonObject } from '../../../src/store/json.ts';
import type { RunInfo } from '../../../src/store/run-store.ts';
import { readSafetensors, toFloat32 } from '../../../src/store/safetensors.ts';
import { relativeError } from '../../parity.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { bytesOf, filesOf, textOf } from './files.ts';
import { loraCase } from './lora.ts';

const { folder, base, adapter, expected, modules } = await loraCase('all-rslora');
const nano = await tinyNano();
const settings = { use_peft: true, lora_r: 3, lora_alpha: 5, use_rslora: true, lora_towers: 'all' };
const info: RunInfo = {
  name: '/home/somebody/run',
  createdAt: 0,
  settings: configToJson(
    parseConfig({ ...settings, output_dir: '/home/somebody/run', num_eval_samples: 3 }, 'papo-g-3b'),
  ) as unknown as JsonObject,
  origin: { model_name: 'owner/base', model_revision: 'abc' },
  state: 'finished',
  step: 3,
  bestStep: null,
  bestMetric: null,
};
const contents: RunContents = {
  config: { ...folder.config, dtype: 'bfloat16' },
  sideFiles: nano.files,
  tensors: base,
  adapter,
  info,
  rows: [],
};
const names = (files: readonly OutFile[]) => files.map(({ name }) => name);
const named = (files: readonly OutFile[], name: string) => files.find((file) => file.name === name)!;

describe('runFiles', () => {
  it('model: the adapter merged in, in the element type of the original', async () => {
    const files = await runFiles(contents);
    const weights = readSafetensors(await bytesOf(named(files, 'model.safetensors')));
    expect(new Set([...weights.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    const whole = await runFiles(contents, { dtype: 'float32' });
    const back = await loadModelFolder(filesOf(whole));
    for (const module of modules) {
      const merged = toFloat32(expected.get(`merged.${module}.weight`)!);
      expect(relativeError(back.weights.get(`${module}.weight`)!.data, merged)).toBeLessThan(1e-6);
    }
    expect(back.config.dtype).toBe('float32');
  });

  it('adapter: what PEFT opens, with the base by its name on the Hub', async () => {
    const files = await runFiles(contents, { what: 'adapter' });
    expect(names(files)).toEqual(
      expect.arrayContaining([
        'README.md',
        'adapter_config.json',
        'adapter_model.safetensors',
        'training_args.json',
        'metrics.jsonl',
        'tokenizer.json',
      ]),
    );
    expect(names(files)).not.toContain('config.json');
    const config = JSON.parse(await textOf(named(files, 'adapter_config.json'))) as JsonObject;
    expect([config.base_model_name_or_path, config.revision]).toEqual(['owner/base', 'abc']);
    const card = await textOf(named(files, 'README.md'));
    expect(card).toContain('library_name: peft');
    for (const file of files) {
      if (file.name.endsWith('.safetensors')) continue;
      expect(await textOf(file), file.name).not.toContain('somebody');
    }
  });

  it('adapter: a base model on a disk goes by its folder’s name', async () => {
    const here = { ...info, origin: { model: '/home/somebody/smolvlm' } };
    const files = await runFiles({ ...contents, info: here }, { what: 'adapter' });
    const config = JSON.parse(await textOf(named(files, 'adapter_config.json'))) as JsonObject;
    expect([config.base_model_name_or_path, config.revision]).toEqual(['smolvlm', null]);
  });

  it('onnx: the merged model for transformers.js alone, in half floats', async () => {
    const files = await runFiles(contents, { what: 'onnx' });
    expect(names(files)).toEqual(
      expect.arrayContaining(['config.json', 'onnx/decoder_model_merged_fp16.onnx', 'README.md']),
    );
    expect(names(files).filter((name) => name.endsWith('.safetensors'))).toEqual([]);
    const config = JSON.parse(await textOf(named(files, 'config.json'))) as JsonObject;
    expect(config['transformers.js_config']).toEqual({
      dtype: { vision_encoder: 'fp16', embed_tokens: 'fp16', decoder_model_merged: 'fp16' },
    });
    expect(await textOf(named(files, 'README.md'))).toContain('library_name: transformers.js');
    const single = await runFiles(contents, { what: 'onnx', onnxDtype: 'fp32' });
    expect(names(single)).toContain('onnx/decoder_model_merged.onnx');
  });

  it('cluster: model, data and settings, and no place of this machine', async () => {
    const cluster = {
      train: worldDataset('counting', 'train', 1),
      heldOut: worldDataset('counting', 'test', 1),
      endlessRows: 5,
      rewards: ['boxed_answer'],
    };
    const files = await runFiles(contents, { what: 'cluster', cluster });
    expect(names(files)).toEqual(
      expect.arrayContaining(['papo.yaml', 'model/model.safetensors', 'data/train/part-00000.parquet']),
    );
    const yaml = await textOf(named(files, 'papo.yaml'));
    expect(yaml).toContain('    kl_prcp_coef: 0.02\n'.trim());
    expect(yaml).toContain('experiment_name: run\n');
    for (const name of ['README.md', 'papo.yaml', 'start.sh'])
      expect(await textOf(named(files, name)), name).not.toContain('somebody');
    const weights = readSafetensors(await bytesOf(named(files, 'model/model.safetensors')));
    expect(weights.get('model.text_model.embed_tokens.weight')!.dtype).toBe('BF16');
  });

  it('says that frozen weights went through float16, where their original bytes are not at hand', async () => {
    const card = async (more: Partial<RunContents>) =>
      textOf(named(await runFiles({ ...contents, ...more }), 'README.md'));
    expect(await card({ heldAs: 'float16' })).toContain('held in float16');
    expect(await card({})).not.toContain('held in float16');
    const original = { ...base, original: async () => null };
    expect(await card({ heldAs: 'float16', tensors: original })).not.toContain('held in float16');
  });

  it('refuses what there is not', async () => {
    const whole = { ...contents, adapter: undefined };
    await expect(runFiles(whole, { what: 'adapter' })).rejects.toThrow('run trained all weights');
    await expect(runFiles(contents, { what: 'cluster' })).rejects.toThrow(UserError);
  });
});
