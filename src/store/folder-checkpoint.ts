/**
 * One checkpoint as a folder, laid out as transformers' Trainer does: a model folder that transformers opens, with the
 * optimizer and the state beside it.
 *
 *   model.safetensors, config.json, …   `weights/*` without the prefix, in float32; the model's files, also `files/*`
 *   optimizer.safetensors               every other tensor, `files/*` as they came among them
 *   trainer_state.json                  global_step, savedAt, state; of each tensor its file and checksum
 */
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UserError } from '../errors.ts';
import { parseExact, stringifyExact } from './exact-json.ts';
import { checkFileName, weightsFile, withDtype } from './hf-folder.ts';
import { decodeUtf8, isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from './json.ts';
import { isMissing, syncFolder, writeDurably } from './node-files.ts';
import type { Checkpoint, CheckpointInfo, CheckpointTensor, StoredCheckpoint } from './run-store.ts';
import {
  layoutSafetensors,
  readSafetensorsHead,
  type SafetensorsEntry,
  safetensorsHeadBytes,
} from './safetensors.ts';
import {
  elementTypeOf,
  isElementType,
  joinTensor,
  type TensorRecord,
  tensorPieces,
} from './tensor-record.ts';

const optimizerFile = 'optimizer.safetensors';
const stateFile = 'trainer_state.json';
const weightsPrefix = 'weights/';
const filesPrefix = 'files/';

/** The file that a tensor is in, and its name there. */
function placeOf(name: string): { file: string; inFile: string } {
  const isWeight = name.startsWith(weightsPrefix);
  return isWeight
    ? { file: weightsFile, inFile: name.slice(weightsPrefix.length) }
    : { file: optimizerFile, inFile: name };
}

/** The bytes of a safetensors file, piece by piece; `records` fills up as tensors end. */
function* fileChunks(
  tensors: ReadonlyMap<string, CheckpointTensor>,
  file: string,
  records: TensorRecord[],
): Generator<Uint8Array> {
  const heads = [...tensors]
    .map(([name, { shape, data }]) => ({ source: name, ...placeOf(name), dtype: elementTypeOf(data), shape }))
    .filter((tensor) => tensor.file === file)
    .map(({ source, inFile, dtype, shape }) => ({ source, name: inFile, dtype, shape }));
  const layout = layoutSafetensors(heads);
  yield layout.head;
  for (const { source } of layout.tensors) records.push(yield* tensorPieces(source, tensors.get(source)!));
}

/** Writes a checkpoint into a folder that must not exist; all of it is on the disk when this resolves. */
export async function writeCheckpointFolder(
  folder: string,
  { step, state, tensors }: Checkpoint,
  sideFiles: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  await mkdir(folder);
  for (const [name, bytes] of new Map([...sideFiles, ...filesIn(tensors)])) {
    checkFileName(name, folder);
    if ([weightsFile, optimizerFile, stateFile].includes(name)) continue;
    await writeDurably(join(folder, name), name === 'config.json' ? float32Config(bytes) : bytes);
  }
  const records: TensorRecord[] = [];
  for (const file of [weightsFile, optimizerFile])
    await writeDurably(join(folder, file), fileChunks(tensors, file, records));
  const text = stringifyExact({
    global_step: step,
    savedAt: Date.now(),
    bytes: records.reduce((sum, { bytes }) => sum + bytes, 0),
    state,
    tensors: Object.fromEntries(
      records.map(({ name, crc32 }) => [name, { file: placeOf(name).file, crc32 }]),
    ),
  });
  await writeDurably(join(folder, stateFile), `${text}\n`);
  await syncFolder(folder);
}

/** The model's files that a checkpoint brings along: transformers needs them as files. */
function filesIn(tensors: Checkpoint['tensors']): [string, Uint8Array][] {
  return [...tensors].flatMap(([name, { data }]) =>
    name.startsWith(filesPrefix) && data instanceof Uint8Array
      ? [[name.slice(filesPrefix.length), data]]
      : [],
  );
}

/** transformers converts weights to the type that config.json states. */
function float32Config(bytes: Uint8Array): string {
  return `${JSON.stringify(withDtype(parseJsonObject(bytes, 'config.json'), 'float32'), null, 2)}\n`;
}

interface SavedState extends CheckpointInfo {
  readonly state: JsonObject;
  readonly checksums: ReadonlyMap<string, number>;
}

/** trainer_state.json, or null where there is none of ours. Throws UserError for what it should not hold. */
async function readState(folder: string, step: number): Promise<SavedState | null> {
  const path = join(folder, stateFile);
  const bytes = await readFile(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw new UserError(`${path} could not be read: ${(error as Error).message}`);
  });
  if (!bytes) return null;
  let json: JsonValue;
  try {
    json = parseExact(decodeUtf8(bytes, path)) as JsonValue;
  } catch (error) {
    throw new UserError(`${path} is damaged: ${(error as Error).message}`);
  }
  if (!isJsonObject(json)) throw new UserError(`${path} is damaged: it is not a JSON object ({ … }).`);
  const { global_step, savedAt, bytes: size, state, tensors } = json;
  // transformers writes a file of this name too: that checkpoint is not ours to go on from.
  if (tensors === undefined) return null;
  if (global_step !== step || typeof savedAt !== 'number' || typeof size !== 'number')
    throw new UserError(`${path} is damaged: expected global_step ${step}, savedAt and bytes.`);
  if (!isJsonObject(state) || !isJsonObject(tensors))
    throw new UserError(`${path} is damaged: state and tensors must be objects.`);
  const checksums = new Map<string, number>();
  for (const [name, entry] of Object.entries(tensors)) {
    if (!isJsonObject(entry) || typeof entry.crc32 !== 'number' || entry.file !== placeOf(name).file)
      throw new UserError(`${path} is damaged: tensor "${name}" has no file or no checksum.`);
    checksums.set(name, entry.crc32);
  }
  return { step, savedAt, bytes: size, state, checksums };
}

/** What a list shows of the folder; null where it is none of ours. A damaged one is listed: opening it says why not. */
export async function readCheckpointInfo(folder: string, step: number): Promise<CheckpointInfo | null> {
  try {
    const found = await readState(folder, step);
    return found && { step, savedAt: found.savedAt, bytes: found.bytes };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { mtimeMs, size } = await stat(join(folder, stateFile));
    return { step, savedAt: Math.round(mtimeMs), bytes: size };
  }
}

/** Bytes [begin, end) of a file, fewer where it is shorter. */
async function readRange(path: string, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(end - begin);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, begin + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

interface Place {
  readonly path: string;
  readonly begin: number;
  readonly end: number;
}

/** Where the tensors of a safetensors file are, by name; the places count from the file's first byte. */
async function readPlaces(path: string): Promise<Map<string, { entry: SafetensorsEntry; place: Place }>> {
  const { size } = await stat(path);
  const start = await readRange(path, 0, Math.min(64, size));
  const head = await readRange(path, 0, safetensorsHeadBytes(start, size, path));
  const { entries } = readSafetensorsHead(head, size, path);
  return new Map(
    entries.map((entry) => {
      const place = { path, begin: head.byteLength + entry.begin, end: head.byteLength + entry.end };
      return [entry.name, { entry, place }];
    }),
  );
}

/** Opens a checkpoint. Throws a UserError where the folder is none, or its files do not fit together. */
export async function openCheckpointFolder(folder: string, step: number): Promise<StoredCheckpoint> {
  const saved = await readState(folder, step);
  if (!saved)
    throw new UserError(`${folder} has no ${stateFile} of papo-web: it is no checkpoint to go on from.`);
  const tensors = new Map<string, { record: TensorRecord; place: Place }>();
  for (const file of [weightsFile, optimizerFile]) {
    const path = join(folder, file);
    const places = await readPlaces(path).catch((error: unknown) => {
      if (error instanceof UserError) throw error;
      throw new UserError(`${path} could not be read: ${(error as Error).message}`);
    });
    for (const [name, crc32] of saved.checksums) {
      const { file: its, inFile } = placeOf(name);
      if (its !== file) continue;
      const found = places.get(inFile);
      if (!found || !isElementType(found.entry.dtype))
        throw new UserError(
          `${path}: tensor "${inFile}", which ${stateFile} names, is missing or of another type.`,
        );
      const { dtype, shape, begin, end } = found.entry;
      tensors.set(name, { record: { name, dtype, shape, bytes: end - begin, crc32 }, place: found.place });
    }
  }
  return {
    step,
    savedAt: saved.savedAt,
    bytes: saved.bytes,
    state: saved.state,
    tensors: new Map(
      Array.from(tensors, ([name, { record }]) => [name, { shape: record.shape, bytes: record.bytes }]),
    ),
    async read(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new UserError(`${folder} (${basename(folder)}) has no tensor "${name}".`);
      const { path, begin, end } = tensor.place;
      let bytes: Uint8Array;
      try {
        bytes = await readRange(path, begin, end);
      } catch (error) {
        throw new UserError(`${path}: tensor "${name}" could not be read: ${(error as Error).message}`);
      }
      return joinTensor(tensor.record, [bytes], path);
    },
  };
}
