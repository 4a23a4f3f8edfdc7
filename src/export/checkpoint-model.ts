/** The model that a checkpoint holds: the files of its folder, and its weights one at a time. */
import type { JsonObject } from '../store/json.ts';
import type { StoredCheckpoint } from '../store/run-store.ts';
import type { TensorSource } from './out-file.ts';

export interface CheckpointModel {
  /** config.json, parsed, and every other file of the model folder but the weights. */
  readonly config: JsonObject;
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
  readonly tensors: TensorSource;
}

const filePrefix = 'files/';
const weightPrefix = 'weights/';

/** The model that a checkpoint holds: folder files in memory, weights read one at a time. */
export async function checkpointModel(checkpoint: StoredCheckpoint): Promise<CheckpointModel> {
  const sideFiles = new Map<string, Uint8Array>();
  const shapes = new Map<string, readonly number[]>();
  for (const [name, { shape }] of checkpoint.tensors) {
    if (name.startsWith(filePrefix))
      sideFiles.set(name.slice(filePrefix.length), (await checkpoint.read(name)).data as Uint8Array);
    else if (name.startsWith(weightPrefix)) shapes.set(name.slice(weightPrefix.length), shape);
  }
  return {
    config: JSON.parse(new TextDecoder().decode(sideFiles.get('config.json'))) as JsonObject,
    sideFiles,
    tensors: {
      shapes,
      read: async (name) => (await checkpoint.read(weightPrefix + name)).data as Float32Array,
    },
  };
}
