/** A Hugging Face folder, opened: everything but the weights is read, and these lie where they are until wanted. */
import { UserError } from '../errors.ts';
import {
  checkShard,
  indexFile,
  type ModelFiles,
  type ModelFolder,
  readBesideWeights,
  readWeightMap,
  weightsFile,
} from './hf-folder.ts';
import { show } from './json.ts';
import { bytesInMemory, type RangedFile, type TensorSource, tensorSources } from './tensor-source.ts';

/** A Hugging Face model folder whose weights are read one by one. */
export interface OpenModel extends Omit<ModelFolder, 'weights'> {
  /** Every float tensor by its Hugging Face name, in the files' order: reading in this order reads sequentially. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
}

async function openFile(files: ModelFiles, name: string): Promise<RangedFile | null> {
  if (files.open) return files.open(name);
  const bytes = await files.read(name);
  return bytes && bytesInMemory(bytes);
}

/** Opens the weight files one after the other; a place that cannot open files holds the bytes of all of them. */
async function openWeights(
  files: ModelFiles,
  signal?: AbortSignal,
): Promise<{ tensors: Map<string, TensorSource>; skipped: string[] }> {
  const tensors = new Map<string, TensorSource>();
  const skipped: string[] = [];
  const add = async (file: RangedFile, name: string): Promise<string[]> => {
    const where = `${files.where}: ${name}`;
    const found = await tensorSources(file, where, signal);
    for (const tensor of found.tensors) {
      if (tensors.has(tensor.name))
        throw new UserError(`${where}: tensor ${show(tensor.name)} is in an earlier file too.`);
      tensors.set(tensor.name, tensor);
    }
    skipped.push(...found.skipped);
    return [...found.tensors.map((tensor) => tensor.name), ...found.skipped];
  };
  const single = await openFile(files, weightsFile);
  if (single) {
    await add(single, weightsFile);
    return { tensors, skipped };
  }
  const index = await files.read(indexFile);
  if (!index) throw new UserError(`${files.where} has no ${weightsFile} and no ${indexFile}.`);
  const weightMap = readWeightMap(index, `${files.where}: ${indexFile}`);
  for (const shard of new Set(weightMap.values())) {
    signal?.throwIfAborted();
    const file = await openFile(files, shard);
    if (!file) throw new UserError(`${files.where} has no ${shard}, which ${indexFile} names.`);
    checkShard(weightMap, shard, await add(file, shard), files.where);
  }
  return { tensors, skipped };
}

/**
 * Opens a Hugging Face folder: config.json and the tokenizer's and processor's files are read, of model.safetensors (or
 * the shards of model.safetensors.index.json) the headers alone. Throws UserError naming file and fault, for the same
 * faults as `loadModelFolder`; or the signal's reason.
 */
export async function openModelFolder(files: ModelFiles, signal?: AbortSignal): Promise<OpenModel> {
  const folder = await readBesideWeights(files, signal);
  return { ...folder, ...(await openWeights(files, signal)) };
}

/** A folder in memory, as one that is opened. Its tensors are float32; what is read are views of its weights. */
export function openFromMemory({ weights, ...folder }: ModelFolder): OpenModel {
  const tensors = new Map<string, TensorSource>();
  for (const [name, { shape, data }] of weights) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    tensors.set(name, { name, dtype: 'F32', shape, bytes: data.byteLength, read: async () => bytes });
  }
  return { ...folder, tensors };
}
