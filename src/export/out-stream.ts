// What every way out shares: checked names, a file's pieces counted and measured, progress, and cancellation.
import { UserError } from '../errors.ts';
import { checkFileName } from '../store/hf-folder.ts';
import { StorageFullError } from '../store/run-store.ts';
import type { OutFile, OutProgress } from './out-file.ts';

export interface OutOptions {
  onProgress?: (progress: OutProgress) => void;
  /** Ends the export: it rejects with the signal's reason, and nothing half-written is left. */
  signal?: AbortSignal;
}

/**
 * Throws a UserError unless every name is a plain relative path that means one and the same file everywhere (Windows
 * and macOS know no difference between upper and lower case), and no name is a folder of another.
 */
export function checkOutFiles(files: readonly OutFile[]): void {
  const seen = new Map<string, string>();
  for (const { name, size } of files) {
    for (const part of name.split('/')) {
      checkFileName(part, `the file "${name}"`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what no file system takes
      if (/[\u0000-\u001f\u007f<>:"|?*]|[. ]$/.test(part))
        throw new UserError(`"${name}": some systems cannot have a file of this name.`);
    }
    if (!Number.isSafeInteger(size) || size < 0) throw new UserError(`"${name}" has the size ${size}.`);
    const key = name.toLowerCase();
    if (seen.has(key)) throw new UserError(`"${name}" and "${seen.get(key)}" are the same file.`);
    seen.set(key, name);
  }
  for (const [key, name] of seen) {
    for (let end = key.indexOf('/'); end > 0; end = key.indexOf('/', end + 1)) {
      const folder = seen.get(key.slice(0, end));
      if (folder) throw new UserError(`"${folder}" is a file, but "${name}" would lie in it.`);
    }
  }
}

export function totalSize(files: readonly OutFile[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/** The bytes of all files so far, told to `onProgress`. */
export class Meter {
  private bytes = 0;

  constructor(
    private readonly totalBytes: number,
    private readonly options: OutOptions,
  ) {}

  count(bytes: number, file: string): void {
    this.bytes += bytes;
    this.options.onProgress?.({ bytes: this.bytes, totalBytes: this.totalBytes, file });
  }
}

/** A file's pieces; throws when the signal does, or when they are not `size` bytes together. */
export async function* measuredChunks(
  file: OutFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  signal?.throwIfAborted();
  for await (const chunk of file.chunks()) {
    signal?.throwIfAborted();
    bytes += chunk.byteLength;
    if (bytes > file.size) break;
    if (chunk.byteLength > 0) yield chunk;
    signal?.throwIfAborted();
  }
  if (bytes !== file.size) {
    throw new Error(`${file.name} was announced with ${file.size} bytes, but there are ${bytes} or more.`);
  }
}

/** What to tell of a failed write: an abort and our own errors as they are, a full disk as StorageFullError. */
export function writeError(error: unknown, what: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (!(error instanceof Error) && !(error instanceof DOMException)) return error;
  if (error.name === 'UserError' || error.name === 'StorageFullError' || error.name === 'AbortError')
    return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (error.name === 'QuotaExceededError' || code === 'ENOSPC')
    return new StorageFullError(`${what} could not be written: there is not enough room.`);
  return new UserError(`${what} could not be written: ${error.message}`);
}

const weightFile = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

/**
 * Whether `name` in the target folder is of an earlier save and would be taken for the new one's: weights in other
 * shards (transformers' save_pretrained deletes these too).
 */
export function isStaleWeights(name: string, files: readonly OutFile[]): boolean {
  return (
    weightFile.test(name) &&
    files.some((file) => weightFile.test(file.name)) &&
    !files.some((file) => file.name === name)
  );
}
