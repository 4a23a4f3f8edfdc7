/** A dataset or a model on disk, for the command line: a file, a zip or a folder, opened lazily. */
import { openAsBlob, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { UserError } from '../errors.ts';
import { checkPath, isClutter, type NamedBlobs } from './named-blobs.ts';
import { looksLikeZip, openZip } from './zip-files.ts';

const mostFiles = 200_000;

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function openFile(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch (error) {
    throw new UserError(`${path} could not be read: ${reason(error)}`);
  }
}

async function walk(folder: string, root: string, out: string[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const name = relative(root, path).split(sep).join('/');
    if (isClutter(entry.isDirectory() ? `${name}/` : name)) continue;
    // Links are not followed: they may lead out of the folder, or in a circle.
    if (entry.isDirectory()) await walk(path, root, out);
    else if (entry.isFile()) out.push(name);
    if (out.length > mostFiles) throw new UserError(`${root} holds more than ${mostFiles} files.`);
  }
}

function folderBlobs(root: string, names: string[]): NamedBlobs {
  const known = new Set(names);
  return {
    where: root,
    names,
    open: async (name) => (known.has(name) ? await openFile(join(root, ...name.split('/'))) : null),
  };
}

/** A file and what lies beside and below it, which is looked up by name: its folder may be large. */
function besideFile(full: string, where: string): NamedBlobs {
  const at = (name: string) => join(dirname(full), ...name.split('/'));
  const has = (name: string) => {
    try {
      checkPath(name, where);
      return statSync(at(name)).isFile();
    } catch {
      // Missing, unreadable, or no name that a disk takes.
      return false;
    }
  };
  return {
    where,
    names: [basename(full)],
    has,
    async open(name) {
      checkPath(name, where);
      return has(name) ? await openFile(at(name)) : null;
    },
  };
}

export interface NodeSource {
  readonly blobs: NamedBlobs;
  /** The data file that was named, where a file was: its images lie beside it. */
  readonly dataFiles?: readonly string[];
}

/** Opens a path. A data file brings the files of its folder along, for the images that it names. */
export async function openPath(path: string): Promise<NodeSource> {
  const full = resolve(path);
  const found = await stat(full).catch(() => null);
  if (!found) throw new UserError(`There is no ${path}.`);
  try {
    if (found.isDirectory()) {
      const names: string[] = [];
      await walk(full, full, names);
      return { blobs: folderBlobs(path, names.sort()) };
    }
    const blob = await openFile(full);
    if (await looksLikeZip(blob)) return { blobs: await openZip(blob, path) };
    return { blobs: besideFile(full, path), dataFiles: [basename(full)] };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} could not be read: ${reason(error)}`);
  }
}
