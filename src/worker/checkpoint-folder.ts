/** A checkpoint as the model that it holds: a whole one, or an adapter for one. */
import { checkpointModel } from '../export/checkpoint-model.ts';
import type { Adapter } from '../export/lora/merge.ts';
import { loraOf } from '../policy/lora.ts';
import type { Weight } from '../policy/parameters.ts';
import type { JsonObject } from '../store/json.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { StoredCheckpoint } from '../store/run-store.ts';
import type { TensorSource } from '../store/tensor-source.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';

const adapterPrefix = 'adapter/';

/** Whether it holds no weights, but an adapter for those of the model that its run began with. */
export const isAdapter = ({ tensors }: StoredCheckpoint) =>
  [...tensors.keys()].some((name) => name.startsWith(adapterPrefix));

/** The adapter's settings, and its tensors one at a time. */
export function adapterOnItsWay(checkpoint: StoredCheckpoint): Adapter & { readonly seed: number } {
  const settings = new PAPOConfig(checkpoint.state.settings as Partial<PAPOConfig>);
  const shapes = new Map<string, readonly number[]>();
  for (const [name, { shape }] of checkpoint.tensors)
    if (name.startsWith(adapterPrefix)) shapes.set(name.slice(adapterPrefix.length), shape);
  const read = async (name: string) => (await checkpoint.read(adapterPrefix + name)).data as Float32Array;
  return { lora: loraOf(settings)!, seed: settings.seed, tensors: { shapes, read } };
}

/** The same, in memory. Throws a UserError where a tensor's checksum does not agree. */
export async function checkpointAdapter(checkpoint: StoredCheckpoint) {
  const { lora, seed, tensors } = adapterOnItsWay(checkpoint);
  const read = new Map<string, Weight>();
  for (const [name, shape] of tensors.shapes) read.set(name, { shape, data: await tensors.read(name) });
  return { lora, seed, tensors: read };
}

/** A tensor whose checksum does not agree throws a UserError when it is read. */
export async function checkpointFolder(checkpoint: StoredCheckpoint): Promise<OpenModel> {
  const { config, sideFiles, tensors: weights } = await checkpointModel(checkpoint);
  const tensors = new Map<string, TensorSource>();
  for (const [name, shape] of weights.shapes) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    const read = async () => {
      const data = await weights.read(name);
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    };
    tensors.set(name, { name, dtype: 'F32', shape, bytes, read });
  }
  const json = new Map<string, JsonObject>();
  for (const [name, bytes] of sideFiles)
    if (name.endsWith('.json')) json.set(name, JSON.parse(new TextDecoder().decode(bytes)) as JsonObject);
  const template = sideFiles.get('chat_template.jinja');
  return {
    config,
    tensors,
    skipped: [],
    json,
    chatTemplate: template ? new TextDecoder().decode(template) : null,
    files: new Map(sideFiles),
  };
}
