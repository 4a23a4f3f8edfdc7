/** Files by path, opened when they are wanted: a zip, a picked or dropped folder, a folder on disk. */
import { UserError } from '../errors.ts';
import { blobFile, type RangedFile } from '../store/tensor-source.ts';

export interface NamedBlobs {
  /** What a message calls the place. */
  readonly where: string;
  /** Paths with `/` between parts, none of which can leave the place. */
  readonly names: readonly string[];
  /** Whether `open` finds this; default: whether it is one of `names`. For places too large to be listed. */
  has?(name: string): boolean;
  /** null when there is no such file. Throws UserError when it cannot be read. */
  open(name: string): Promise<Blob | null>;
  /** As `open`, for large files of which parts are read; default: parts of what `open` gives. */
  openRanged?(name: string): Promise<RangedFile | null>;
}

const longestPath = 1024;

/** Throws UserError unless `path` is relative, with `/` between parts, and stays inside its folder. */
export function checkPath(path: string, where: string): void {
  const quoted = JSON.stringify(path.slice(0, 200));
  if (path.length > longestPath) {
    throw new UserError(`${where}: the name ${quoted}… is longer than ${longestPath} characters.`);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) {
    throw new UserError(`${where}: the name ${quoted} holds a control character.`);
  }
  if (path.includes('\\')) throw new UserError(`${where}: the name ${quoted} holds a backslash.`);
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) {
    throw new UserError(`${where}: the name ${quoted} is absolute; names inside a folder are expected.`);
  }
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new UserError(`${where}: the name ${quoted} has an empty part, "." or "..".`);
  }
}

/** Folders and marks that operating systems leave in archives and folders. */
export const isClutter = (path: string) =>
  /(^|\/)(__MACOSX\/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\.git\/|\._)/.test(path);

export const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/') + 1);
export const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** `path` as seen from `folder` (with a last `/`, or empty), `./` and `a/..` resolved; null where it leaves the root. */
export function resolvePath(folder: string, path: string): string | null {
  const parts: string[] = [];
  for (const part of `${folder}${path}`.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join('/');
}

/** The file for reading parts of it, or null when there is none. Throws UserError when it cannot be read. */
export async function openRanged(blobs: NamedBlobs, name: string): Promise<RangedFile | null> {
  if (blobs.openRanged) return blobs.openRanged(name);
  const blob = await blobs.open(name);
  return blob && blobFile(blob, `${blobs.where}: ${name}`);
}

/** Several places as one. Throws UserError where two hold the same path. */
export function mergeBlobs(where: string, places: readonly NamedBlobs[]): NamedBlobs {
  const owners = new Map<string, NamedBlobs>();
  for (const place of places) {
    for (const name of place.names) {
      if (owners.has(name)) throw new UserError(`${where}: "${name}" is there twice.`);
      owners.set(name, place);
    }
  }
  return {
    where,
    names: [...owners.keys()],
    open: async (name) => (await owners.get(name)?.open(name)) ?? null,
    async openRanged(name) {
      const owner = owners.get(name);
      return owner ? openRanged(owner, name) : null;
    },
  };
}
