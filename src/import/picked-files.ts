/** What a visitor drops on the page or picks in a dialog, as named blobs and as a model. */
import { UserError } from '../errors.ts';
import type { ModelFiles } from '../store/hf-folder.ts';
import { modelFiles, pickleMessage } from './model-files.ts';
import { checkPath, isClutter, mergeBlobs, type NamedBlobs } from './named-blobs.ts';

/** A file with its path inside the picked folder; a plain `File` stands for its webkitRelativePath, or its name. */
export interface PickedFile {
  readonly path: string;
  readonly file: Blob;
}

const mostFiles = 200_000;

const toPicked = (file: File | PickedFile): PickedFile =>
  'path' in file && 'file' in file ? file : { path: file.webkitRelativePath || file.name, file };

function looseFiles(files: readonly PickedFile[], where: string): NamedBlobs {
  const byPath = new Map<string, Blob>();
  for (const { path, file } of files) {
    if (isClutter(path)) continue;
    checkPath(path, where);
    if (byPath.has(path)) throw new UserError(`${where}: "${path}" is there twice.`);
    byPath.set(path, file);
  }
  return { where, names: [...byPath.keys()], open: async (name) => byPath.get(name) ?? null };
}

/** Picked files as one place; zips among them are looked into. Throws UserError for bad names and bad zips. */
export async function pickedBlobs(picked: readonly (File | PickedFile)[]): Promise<NamedBlobs> {
  if (picked.length === 0) throw new UserError('No file was picked.');
  if (picked.length > mostFiles) throw new UserError(`More than ${mostFiles} files were picked.`);
  const { looksLikeZip, openZip } = await import('./zip-files.ts');
  const files = picked.map(toPicked);
  const where = files.length === 1 ? files[0].path : 'the picked files';
  const zips: PickedFile[] = [];
  const loose: PickedFile[] = [];
  for (const entry of files) {
    if (/\.zip$/i.test(entry.path) || (files.length === 1 && (await looksLikeZip(entry.file))))
      zips.push(entry);
    else loose.push(entry);
  }
  const places: NamedBlobs[] = [];
  if (loose.length > 0) places.push(looseFiles(loose, where));
  for (const { path, file } of zips) places.push(await openZip(file, path));
  return places.length === 1 ? places[0] : mergeBlobs(where, places);
}

/**
 * The model that was dropped or picked: one zip, or the files of a Hugging Face folder. Throws UserError for pickles
 * alone (weights come as safetensors or ONNX), for bad zips, and where there is no config.json.
 */
export async function openModelSource(picked: readonly (File | PickedFile)[]): Promise<ModelFiles> {
  const files = picked.map(toPicked);
  if (files.length === 1 && /\.(bin|pt|pth|ckpt|pkl|pickle)$/i.test(files[0].path)) {
    throw new UserError(pickleMessage('the picked file', files[0].path));
  }
  return modelFiles(await pickedBlobs(files));
}

async function entryFiles(entry: FileSystemEntry, out: PickedFile[]): Promise<void> {
  if (out.length >= mostFiles) throw new UserError(`More than ${mostFiles} files were dropped.`);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    out.push({ path: entry.fullPath.replace(/^\/+/, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives at most 100 entries a call, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    for (const child of some) await entryFiles(child, out);
  }
}

/** The files of a drop, folders walked through. Call it inside the event's handler: the list is empty afterwards. */
export async function droppedFiles(items: DataTransferItemList): Promise<PickedFile[]> {
  const entries: FileSystemEntry[] = [];
  const plain: PickedFile[] = [];
  for (const item of items) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) plain.push({ path: file.name, file });
  }
  try {
    for (const entry of entries) await entryFiles(entry, plain);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`The dropped files could not be read: ${(error as Error).message}`);
  }
  return plain;
}
