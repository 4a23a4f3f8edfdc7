/** What stands in an `image` column as the image's encoded bytes: a file's path, a data URL, base64, {bytes, path}. */
import { show } from '../store/json.ts';
import { readImageHeader } from './image-header.ts';
import { type NamedBlobs, resolvePath } from './named-blobs.ts';

/** Where an image's bytes are, or what is wrong. `open` may be called again and again. */
export type ImageSource =
  | { readonly open: () => Promise<Blob> /** The file's path, where it is one. */; readonly path?: string }
  | { readonly problem: string };

/** Where paths are looked up: beside the data file first, then from the top. */
export interface ImageFolder {
  readonly blobs: NamedBlobs;
  readonly names: { has(name: string): boolean };
  /** The data file's folder: ends in `/`, or is empty. */
  readonly folder: string;
}

const known = 'a path to a file given with the data, a data URL, base64, or {"bytes": …, "path": …}';

/** Rows of Parquet may share one value through its dictionary: they share one Blob, too. */
const blobOf = new WeakMap<Uint8Array, Blob>();

const bytesSource = (bytes: Uint8Array): ImageSource => {
  // Kept as a Blob, which a browser may hold outside of the page's memory.
  const blob = blobOf.get(bytes) ?? new Blob([bytes as Uint8Array<ArrayBuffer>]);
  blobOf.set(bytes, blob);
  return { open: async () => blob };
};

function decodeBase64(text: string): Uint8Array | null {
  try {
    const binary = atob(text.replace(/[\r\n]/g, ''));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

function fromDataUrl(url: string): ImageSource {
  const comma = url.indexOf(',');
  const head = url.slice(0, comma < 0 ? 100 : Math.min(comma, 100));
  if (comma < 0 || !/^data:image\/[\w.+-]+;base64$/i.test(head)) {
    return { problem: `the data URL begins with ${show(head)}; expected data:image/png;base64,…` };
  }
  const bytes = decodeBase64(url.slice(comma + 1));
  return bytes ? bytesSource(bytes) : { problem: 'the data URL is not valid base64' };
}

function fromPath(path: string, { blobs, names, folder }: ImageFolder): ImageSource | null {
  for (const from of [folder, '']) {
    const name = resolvePath(from, path);
    if (name === null || !names.has(name)) continue;
    return {
      path: name,
      open: async () => {
        const blob = await blobs.open(name);
        if (!blob) throw new Error(`${name} is gone`);
        return blob;
      },
    };
  }
  return null;
}

function fromText(text: string, place: ImageFolder): ImageSource {
  if (/^data:/i.test(text)) return fromDataUrl(text);
  if (text.length <= 4096) {
    const found = fromPath(text, place);
    if (found) return found;
  }
  if (/^https?:/i.test(text)) {
    return {
      problem: `${show(text)} is an address; images are not fetched from the network. Expected ${known}`,
    };
  }
  if (text.length >= 40 && /^[A-Za-z0-9+/]{32}/.test(text)) {
    const bytes = decodeBase64(text);
    if (bytes && readImageHeader(bytes)) return bytesSource(bytes);
  }
  return { problem: `no file ${show(text)} was given with the data; expected ${known}` };
}

/** bytes as Parquet (Uint8Array) or JSON (base64, a list of numbers) has them. */
function fromBytes(value: unknown): ImageSource | null {
  if (value instanceof Uint8Array) return bytesSource(value);
  if (typeof value === 'string') {
    const bytes = decodeBase64(value);
    return bytes ? bytesSource(bytes) : { problem: 'bytes is text, but not base64' };
  }
  if (Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0 && n <= 255)) {
    return bytesSource(Uint8Array.from(value));
  }
  return null;
}

/** The image that `value` stands for. */
export function imageSource(value: unknown, place: ImageFolder): ImageSource {
  if (typeof value === 'string') return fromText(value, place);
  if (value instanceof Uint8Array) return bytesSource(value);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { bytes, path, url } = value as { bytes?: unknown; path?: unknown; url?: unknown };
    const found = bytes === null || bytes === undefined ? null : fromBytes(bytes);
    if (found) return found;
    if (typeof path === 'string') return fromText(path, place);
    if (typeof url === 'string') return fromText(url, place);
  }
  return { problem: `the image is ${show(value)}; expected ${known}` };
}
