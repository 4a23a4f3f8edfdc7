import { UserError } from '../errors.ts';
import { decodeUtf8, isJsonObject, type JsonObject, type JsonValue, parseJsonObject, show } from './json.ts';
import { floatTensor, isFloat, readSafetensors, toFloat32, writeSafetensors } from './safetensors.ts';
import type { RangedFile } from './tensor-source.ts';

/** A place that holds a model's files: a web folder, a disk folder, an archive. */
export interface ModelFiles {
  /** What a message calls the place. */
  readonly where: string;
  /** The file's bytes, or null when there is no such file. Throws UserError when it cannot be read. */
  read(name: string): Promise<Uint8Array | null>;
  /** The file for reading parts of it, or null when there is no such file; where the place can do that. */
  open?(name: string): Promise<RangedFile | null>;
}

/** A parameter: row-major float32 of `shape`. */
export interface Weight {
  shape: number[];
  data: Float32Array;
}

/** A Hugging Face model folder in memory. */
export interface ModelFolder {
  /** config.json, parsed. */
  config: JsonObject;
  /** Every float tensor by its Hugging Face name. */
  weights: Map<string, Weight>;
  /** Integer tensors of the weight files, which are no parameters (old position_ids buffers): not loaded. */
  skipped: string[];
  /** The JSON files beside the weights by name, parsed; config.json included. */
  json: Map<string, JsonObject>;
  /** The chat template's text (chat_template.jinja, else tokenizer_config.json's), or null. */
  chatTemplate: string | null;
  /** The bytes of every file but the weights, to be saved again as they are. */
  files: Map<string, Uint8Array>;
}

export const weightsFile = 'model.safetensors';
export const indexFile = 'model.safetensors.index.json';
/** What may lie beside config.json and the weights. */
export const sideFiles = [
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
];

/** Throws UserError unless `name` is a bare file name, which cannot leave the folder. */
export function checkFileName(name: string, where: string): void {
  if (name === '' || name === '.' || name === '..' || name.length > 255 || /[/\\\0]/.test(name)) {
    throw new UserError(`${where}: ${show(name)} is no plain file name.`);
  }
}

/** The folder at `base` (absolute, or relative to the page), read with fetch. */
export function urlFiles(base: string | URL): ModelFiles {
  const pageUrl = typeof location === 'undefined' ? undefined : location.href;
  const folder = new URL(base, pageUrl);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  const where = folder.href;
  return {
    where,
    async read(name) {
      checkFileName(name, where);
      const url = new URL(encodeURIComponent(name), folder);
      let response: Response;
      try {
        response = await fetch(url);
        if (response.status === 404 || response.status === 410) {
          // Left unread it would count as a request that was broken off.
          await response.arrayBuffer();
          return null;
        }
        // Servers of single-page apps answer a missing file with their page and status 200.
        const type = response.headers.get('content-type') ?? '';
        if (response.ok && type.startsWith('text/html')) return null;
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw new UserError(`${url.href} could not be loaded: ${(error as Error).message}`);
      }
      throw new UserError(`${url.href} could not be loaded: the server answered ${response.status}.`);
    },
  };
}

/** The float tensors of one weight file, added to `weights`; integer ones to `skipped`. Returns all its names. */
function addWeights(
  bytes: Uint8Array,
  where: string,
  folder: Pick<ModelFolder, 'weights' | 'skipped'>,
): string[] {
  const tensors = readSafetensors(bytes, where);
  for (const tensor of tensors.values()) {
    if (folder.weights.has(tensor.name)) {
      throw new UserError(`${where}: tensor ${show(tensor.name)} is in an earlier file too.`);
    }
    if (isFloat(tensor.dtype)) {
      folder.weights.set(tensor.name, { shape: tensor.shape, data: toFloat32(tensor) });
    } else {
      folder.skipped.push(tensor.name);
    }
  }
  return [...tensors.keys()];
}

/** index.json's weight_map as tensor name → file name, checked. */
export function readWeightMap(bytes: Uint8Array, where: string): Map<string, string> {
  const map = parseJsonObject(bytes, where).weight_map;
  if (!isJsonObject(map)) throw new UserError(`${where}: weight_map is missing or no object.`);
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string')
      throw new UserError(`${where}: weight_map[${show(tensor)}] is no file name.`);
    checkFileName(file, where);
    files.set(tensor, file);
  }
  return files;
}

async function loadWeights(
  files: ModelFiles,
  folder: Pick<ModelFolder, 'weights' | 'skipped'>,
): Promise<void> {
  const single = await files.read(weightsFile);
  if (single) {
    addWeights(single, `${files.where}: ${weightsFile}`, folder);
    return;
  }
  const index = await files.read(indexFile);
  if (!index) throw new UserError(`${files.where} has no ${weightsFile} and no ${indexFile}.`);
  const weightMap = readWeightMap(index, `${files.where}: ${indexFile}`);
  // One shard at a time: a shard's bytes are free again before the next one is read.
  for (const shard of new Set(weightMap.values())) {
    const bytes = await files.read(shard);
    if (!bytes) throw new UserError(`${files.where} has no ${shard}, which ${indexFile} names.`);
    checkShard(weightMap, shard, addWeights(bytes, `${files.where}: ${shard}`, folder), files.where);
  }
}

/** Throws UserError unless `shard` holds `held`, the tensors that the index puts there, and no other. */
export function checkShard(
  weightMap: ReadonlyMap<string, string>,
  shard: string,
  held: readonly string[],
  where: string,
): void {
  const names = new Set(held);
  for (const [tensor, file] of weightMap) {
    if (file === shard && !names.has(tensor)) {
      throw new UserError(
        `${where}: ${shard} lacks tensor ${show(tensor)}, which ${indexFile} says is there.`,
      );
    }
  }
  for (const name of names) {
    if (weightMap.get(name) !== shard) {
      throw new UserError(
        `${where}: ${shard} holds tensor ${show(name)}, which ${indexFile} does not put there.`,
      );
    }
  }
}

function findChatTemplate(folder: Pick<ModelFolder, 'files' | 'json'>, where: string): string | null {
  const file = folder.files.get('chat_template.jinja');
  if (file) return decodeUtf8(file, `${where}: chat_template.jinja`);
  const older = folder.json.get('chat_template.json')?.chat_template;
  const inConfig: JsonValue | undefined = older ?? folder.json.get('tokenizer_config.json')?.chat_template;
  return typeof inConfig === 'string' ? inConfig : null;
}

/** Everything of a folder but its weights. Throws UserError naming file and fault, or the signal's reason. */
export async function readBesideWeights(
  files: ModelFiles,
  signal?: AbortSignal,
): Promise<Omit<ModelFolder, 'weights' | 'skipped'>> {
  const configBytes = await files.read('config.json');
  if (!configBytes)
    throw new UserError(`${files.where} has no config.json: it is no Hugging Face model folder.`);
  const config = parseJsonObject(configBytes, `${files.where}: config.json`);
  const folder: Omit<ModelFolder, 'weights' | 'skipped'> = {
    config,
    json: new Map([['config.json', config]]),
    chatTemplate: null,
    files: new Map([['config.json', configBytes]]),
  };
  for (const name of sideFiles) {
    signal?.throwIfAborted();
    // The older form of the template is read only where the newer is missing: a page without a network that asks for a
    // file that was never there gets an error instead of a 404.
    if (name === 'chat_template.json' && folder.files.has('chat_template.jinja')) continue;
    const bytes = await files.read(name);
    if (!bytes) continue;
    folder.files.set(name, bytes);
    if (name.endsWith('.json')) folder.json.set(name, parseJsonObject(bytes, `${files.where}: ${name}`));
  }
  folder.chatTemplate = findChatTemplate(folder, files.where);
  return folder;
}

/**
 * Loads a Hugging Face folder: config.json, model.safetensors (or the shards of model.safetensors.index.json) as
 * float32, and the tokenizer's and processor's files where they are. Throws UserError naming file and fault. For a
 * model that is larger than what one wants to hold in memory there is `openModelFolder`.
 */
export async function loadModelFolder(files: ModelFiles): Promise<ModelFolder> {
  const folder: ModelFolder = {
    ...(await readBesideWeights(files)),
    weights: new Map(),
    skipped: [],
  };
  await loadWeights(files, folder);
  return folder;
}

export interface SaveOptions {
  /** How the weights are stored; bfloat16 rounds to nearest even. */
  dtype?: 'float32' | 'bfloat16';
  /** Added to the weight file's metadata. */
  metadata?: Record<string, string>;
}

export const dtypeKeys = ['dtype', 'torch_dtype'];

/** `config` with every element type that it states (also in text_config and vision_config) set to `dtype`. */
export function withDtype(config: JsonObject, dtype: string): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(config)) {
    if (dtypeKeys.includes(key) && typeof value === 'string') out[key] = dtype;
    else out[key] = isJsonObject(value) ? withDtype(value, dtype) : value;
  }
  return out;
}

/**
 * The files of a model folder, ready to be written or zipped: `folder.files` as they are, config.json made from
 * `folder.config` with its dtype set to what is stored (transformers converts to what it says), model.safetensors last.
 */
export function packModelFolder(
  folder: Pick<ModelFolder, 'config' | 'weights' | 'files'>,
  { dtype = 'float32', metadata }: SaveOptions = {},
): Map<string, Uint8Array> {
  const out = new Map(folder.files);
  const config = `${JSON.stringify(withDtype(folder.config, dtype), null, 2)}\n`;
  out.set('config.json', new TextEncoder().encode(config));
  const stored = dtype === 'float32' ? 'F32' : 'BF16';
  const tensors = Array.from(folder.weights, ([name, { shape, data }]) =>
    floatTensor(name, shape, data, stored),
  );
  out.set(weightsFile, writeSafetensors(tensors, { metadata }));
  return out;
}
