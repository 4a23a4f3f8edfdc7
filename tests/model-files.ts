/** A SmolVLM's folder as far as loading looks at it; `size` elements in each of a few tensors. */
import { floatTensor, type StoredTensor, writeSafetensors } from '../src/store/safetensors.ts';

export const weightValue = (tensor: number, i: number) => Math.fround(Math.cos(tensor * 77 + i));

/** Where `values` are not those of `someTensors`' tensor of this name, or -1. Comparing by `toEqual` takes seconds. */
export function firstDifference(name: string, values: Float32Array): number {
  const t = Number(name.slice('model.t'.length));
  return values.findIndex((value, i) => value !== weightValue(t, i));
}

export function someTensors(size = 5_000, count = 6): StoredTensor[] {
  return Array.from({ length: count }, (_, t) =>
    floatTensor(
      `model.t${t}`,
      [size],
      Float32Array.from({ length: size }, (_, i) => weightValue(t, i)),
    ),
  );
}

export const sideTexts = {
  'config.json': '{"model_type":"smolvlm"}',
  'tokenizer.json': '{"version":"1.0"}',
  'tokenizer_config.json': '{"chat_template":"{{ messages }}"}',
  'processor_config.json': '{}',
};

/** The model's files, with some that nobody needs. */
export function modelOf(tensors = someTensors()): Record<string, Uint8Array | string> {
  return {
    ...sideTexts,
    'README.md': '# a model',
    'model.safetensors': writeSafetensors(tensors),
    'onnx_weights.bin': 'not wanted',
  };
}

/** The same in shards of two tensors. */
export function shardedModelOf(tensors = someTensors()): Record<string, Uint8Array | string> {
  const files: Record<string, Uint8Array | string> = { ...sideTexts };
  const weight_map: Record<string, string> = {};
  for (let at = 0; at < tensors.length; at += 2) {
    const name = `model-0000${at / 2 + 1}-of-0000${tensors.length / 2}.safetensors`;
    files[name] = writeSafetensors(tensors.slice(at, at + 2));
    for (const tensor of tensors.slice(at, at + 2)) weight_map[tensor.name] = name;
  }
  files['model.safetensors.index.json'] = JSON.stringify({ metadata: {}, weight_map });
  return files;
}
