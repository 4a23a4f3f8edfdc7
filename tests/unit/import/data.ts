/** Small things that dataset tests are made of. */
import { encode } from 'fast-png';
import type { NamedBlobs } from '../../../src/import/named-blobs.ts';

/** A PNG of one colour; `alpha` adds a fourth channel. */
export function png(width: number, height: number, colour: readonly number[]): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(width * height * colour.length);
  for (let i = 0; i < data.length; i++) data[i] = colour[i % colour.length];
  return new Uint8Array(encode({ width, height, data, channels: colour.length as 3 | 4 }));
}

export const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

export const file = (name: string, content: string | Uint8Array<ArrayBuffer>) => new File([content], name);

export const lines = (...rows: unknown[]) =>
  `${rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n')}\n`;

export function blobs(files: Record<string, string | Uint8Array<ArrayBuffer>>): NamedBlobs {
  return {
    where: 'the data',
    names: Object.keys(files),
    open: async (name) => (Object.hasOwn(files, name) ? new Blob([files[name]]) : null),
  };
}
