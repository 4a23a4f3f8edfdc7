import { describe, expect, it } from 'vitest';
import { type ModelFolderParts, memorySource, modelFolderFiles } from '../../../src/export/model-folder.ts';
import { bytesFile } from '../../../src/export/out-file.ts';
import { bfloat16ToFloat32, float32ToBfloat16 } from '../../../src/store/dtypes.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { parseJsonObject } from '../../../src/store/json.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { bytesOf, filesOf, textOf } from './files.ts';

const nano = await tinyNano();

const parts = (more: Partial<ModelFolderParts> = {}): ModelFolderParts => ({
  config: nano.config,
  sideFiles: nano.files,
  tensors: memorySource(nano.weights),
  ...more,
});

describe('modelFolderFiles', () => {
  for (const [what, maxShardBytes] of [
    ['one file', undefined],
    ['shards', 20_000],
  ] as const) {
    it(`float32 in ${what}: reads back exactly, side files byte for byte`, async () => {
      const files = modelFolderFiles(parts({ maxShardBytes }));
      expect(files.some((f) => f.name === 'model.safetensors.index.json')).toBe(maxShardBytes !== undefined);
      const back = await loadModelFolder(filesOf(files));
      expect([...back.weights].sort()).toEqual([...nano.weights].sort());
      expect(back.config).toEqual({ ...nano.config, torch_dtype: 'float32' });
      for (const [name, bytes] of nano.files) {
        if (name !== 'config.json') expect(back.files.get(name)).toEqual(new Uint8Array(bytes));
      }
      expect(back.chatTemplate).toContain('Assistant:');
    });
  }

  it('bfloat16: rounded once, and config.json says so', async () => {
    const back = await loadModelFolder(filesOf(modelFolderFiles(parts({ dtype: 'bfloat16' }))));
    expect(back.config.torch_dtype).toBe('bfloat16');
    for (const [name, { data }] of nano.weights)
      expect(back.weights.get(name)!.data).toEqual(bfloat16ToFloat32(float32ToBfloat16(data)));
  });

  it('writes the settings, the card, the curve and whatever else, each once', async () => {
    const files = modelFolderFiles(
      parts({
        card: '# card',
        curve: { name: 'curve.png', bytes: new Uint8Array([1, 2]) },
        trainingArgs: { learning_rate: 1e-4 },
        extra: [bytesFile('onnx/model.onnx', 'x'), bytesFile('tokenizer_config.json', '{"new":1}')],
      }),
    );
    const text = async (name: string) => textOf(files.filter((f) => f.name === name)[0]);
    expect(await text('README.md')).toBe('# card');
    expect(JSON.parse(await text('training_args.json'))).toEqual({ learning_rate: 1e-4 });
    // What goes along replaces a side file of the same name.
    expect(await text('tokenizer_config.json')).toBe('{"new":1}');
    expect(files.map((f) => f.name).sort()).toEqual(
      [
        ...nano.files.keys(),
        ...['README.md', 'curve.png', 'model.safetensors', 'onnx/model.onnx', 'training_args.json'],
      ].sort(),
    );
  });

  it('makes generation_config.json and the dtype where the folder had none', async () => {
    const sideFiles = new Map([...nano.files].filter(([name]) => name !== 'generation_config.json'));
    const { torch_dtype: _, eos_token_id: __, ...config } = nano.config;
    const files = modelFolderFiles(parts({ sideFiles, config, dtype: 'bfloat16' }));
    const json = async (name: string) =>
      parseJsonObject(await bytesOf(files.find((f) => f.name === name)!), name);
    expect((await json('config.json')).torch_dtype).toBe('bfloat16');
    // eos_token_id comes from text_config.
    expect(await json('generation_config.json')).toEqual({
      _from_model_config: true,
      bos_token_id: 2,
      eos_token_id: 3,
      pad_token_id: 0,
    });
  });

  it('refuses names that leave the folder, twins, and a folder without weights', () => {
    const names = (...extra: string[]) =>
      modelFolderFiles(parts({ extra: extra.map((n) => bytesFile(n, '')) }));
    for (const name of ['../x', '/x', 'a//b', 'a/../b', 'a\\b', '', 'a/.', 'C:x', 'a\u0000', 'x.', 'con\n'])
      expect(() => names(name), JSON.stringify(name)).toThrow(/no plain file name|cannot have a file/);
    expect(() => names('a', 'A')).toThrow('"A" and "a" are the same file');
    expect(() => names('a/b', 'a')).toThrow('"a" is a file, but "a/b" would lie in it');
    expect(() => modelFolderFiles(parts({ sideFiles: new Map([['../x', new Uint8Array()]]) }))).toThrow(
      '"../x" is no plain file name',
    );
    expect(() => modelFolderFiles(parts({ tensors: memorySource(new Map()) }))).toThrow('no weights');
  });
});
