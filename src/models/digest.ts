/** Checksums of what arrives piece by piece; WebCrypto has them for whole buffers alone. */
import { createSHA1, createSHA256 } from 'hash-wasm';

export interface Digest {
  update(bytes: Uint8Array): void;
  /** In hexadecimal; ends it. */
  hex(): string;
}

export async function sha256(): Promise<Digest> {
  const hasher = (await createSHA256()).init();
  return { update: (bytes) => void hasher.update(bytes), hex: () => hasher.digest('hex') };
}

/** The name that git gives to a file of `size` bytes: SHA-1 over "blob", its size, NUL and its content. */
export async function gitBlob(size: number): Promise<Digest> {
  const hasher = (await createSHA1()).init().update(`blob ${size}\0`);
  return { update: (bytes) => void hasher.update(bytes), hex: () => hasher.digest('hex') };
}

const piece = 4 * 2 ** 20;

/** Feeds a Blob to `digests`, piece by piece. */
export async function digestBlob(
  blob: Blob,
  digests: readonly Digest[],
  options: { signal?: AbortSignal; onBytes?: (bytes: number) => void } = {},
): Promise<void> {
  for (let at = 0; at < blob.size; at += piece) {
    options.signal?.throwIfAborted();
    const bytes = new Uint8Array(await blob.slice(at, at + piece).arrayBuffer());
    for (const digest of digests) digest.update(bytes);
    options.onBytes?.(bytes.byteLength);
  }
}
