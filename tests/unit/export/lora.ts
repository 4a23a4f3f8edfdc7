/** The LoRA fixtures (tests/fixtures/generate/lora.py) as the export takes them. */

import type { Adapter } from '../../../src/export/lora/merge.ts';
import { memorySource } from '../../../src/export/model-folder.ts';
import type { TensorSource } from '../../../src/export/out-file.ts';
import type { LoraConfig } from '../../../src/policy/lora.ts';
import { loadModelFolder, type ModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { readSafetensors, type StoredTensor, toFloat32 } from '../../../src/store/safetensors.ts';

export const loraCases = ['text', 'all-rslora', 'queries-values', 'untied-all', 'untied-rslora'] as const;

export interface LoraCase {
  readonly folder: ModelFolder;
  readonly base: TensorSource;
  readonly adapter: Adapter;
  /** Every tensor of the fixture. */
  readonly expected: ReadonlyMap<string, StoredTensor>;
  /** Full names of the modules that PEFT gave an adapter. */
  readonly modules: readonly string[];
  /** The base model, as the fixture names it: relative to its own folder. */
  readonly basePath: string;
}

export async function loraCase(name: (typeof loraCases)[number]): Promise<LoraCase> {
  const files = nodeFiles('tests/fixtures/lora');
  const facts = JSON.parse(new TextDecoder().decode((await files.read(`${name}.json`))!)) as {
    base: string;
    lora: LoraConfig;
    modules: string[];
  };
  const folder = await loadModelFolder(nodeFiles(`tests/fixtures/lora/${facts.base}`));
  const expected = readSafetensors((await files.read(`${name}.safetensors`))!);
  const before = new Map(
    [...expected]
      .filter(([key]) => key.startsWith('before.'))
      .map(([key, tensor]) => [
        key.slice('before.'.length),
        { shape: tensor.shape, data: toFloat32(tensor) },
      ]),
  );
  return {
    folder,
    base: memorySource(folder.weights),
    adapter: { lora: facts.lora, tensors: memorySource(before) },
    expected,
    modules: facts.modules,
    basePath: facts.base,
  };
}
