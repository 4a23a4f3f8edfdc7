/** The tiny SmolVLMs of tests/fixtures on a device, with their stored prompts: shared by tests in Node and the browser. */
import type { Device, Store } from '../src/device/device.ts';
import { parseVlmConfig, type VlmConfig } from '../src/policy/config.ts';
import type { PolicyPrompt } from '../src/policy/layout.ts';
import { checkWeights } from '../src/policy/parameters.ts';
import { loadModelFolder, type ModelFiles } from '../src/store/hf-folder.ts';
import { readSafetensors, toFloat32, toInt32 } from '../src/store/safetensors.ts';

export interface TinyModel {
  readonly config: VlmConfig;
  readonly store: Store;
  readonly prompts: PolicyPrompt[];
  /** Greedy continuations by transformers, [prompts][tokens]. */
  readonly greedy: number[][];
}

export async function tinyModel(device: Device, files: ModelFiles): Promise<TinyModel> {
  const folder = await loadModelFolder(files);
  const config = parseVlmConfig(folder.config);
  const weights = checkWeights(config, folder.weights);
  const store = device.createStore([...weights].map(([name, { shape, data }]) => ({ name, shape, data })));
  const stored = readSafetensors((await files.read('greedy.safetensors'))!, 'greedy.safetensors');
  const rows = (name: string) => {
    const tensor = stored.get(name)!;
    const [count, width] = tensor.shape;
    const data = toInt32(tensor);
    return Array.from({ length: count }, (_, i) => Array.from(data.subarray(i * width, (i + 1) * width)));
  };
  const mask = rows('prompt_attention_mask');
  const pixels = toFloat32(stored.get('pixel_values')!);
  const size = pixels.length / mask.length;
  const prompts = rows('prompt_ids').map((ids, p) => ({
    ids: ids.filter((_, i) => mask[p][i] === 1),
    pixelValues: pixels.slice(p * size, (p + 1) * size),
  }));
  return { config, store, prompts, greedy: rows('completion_ids') };
}
