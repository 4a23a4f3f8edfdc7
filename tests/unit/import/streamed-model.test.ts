/** Models in zips and picked folders are read in parts. */
import { describe, expect, it, vi } from 'vitest';
import { openModelSource } from '../../../src/import/picked-files.ts';
import { openModelFolder } from '../../../src/store/open-folder.ts';
import { floatTensor, writeSafetensors } from '../../../src/store/safetensors.ts';
import { makeZip } from './make-zip.ts';

const count = 40;
const elements = 100_000;
const value = (tensor: number, i: number) => Math.fround(Math.sin(tensor * 1000 + i));
const tensors = Array.from({ length: count }, (_, t) =>
  floatTensor(
    `t${String(t).padStart(2, '0')}`,
    [elements],
    Float32Array.from({ length: elements }, (_, i) => value(t, i)),
  ),
);
/** 16 MB. */
const weights = writeSafetensors(tensors);

const zipOf = (method: 0 | 8, claim = {}) =>
  makeZip([
    { name: 'model/config.json', data: '{"model_type":"smolvlm"}' },
    { name: 'model/model.safetensors', data: weights, method, claim },
    { name: 'model/tokenizer_config.json', data: '{}' },
  ]);

const first = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);

/** Counts the bytes that are read of a Blob, by its slices too. */
function counted(bytes: Uint8Array<ArrayBuffer>): { blob: File; log: { read: number; largest: number } } {
  const log = { read: 0, largest: 0 };
  const note = (size: number) => {
    log.read += size;
    log.largest = Math.max(log.largest, size);
  };
  const watch = (blob: Blob): Blob => {
    const { slice, arrayBuffer } = blob;
    vi.spyOn(blob, 'slice').mockImplementation((...range) => watch(slice.apply(blob, range)));
    vi.spyOn(blob, 'arrayBuffer').mockImplementation(() => {
      note(blob.size);
      return arrayBuffer.call(blob);
    });
    return blob;
  };
  const blob = new File([bytes], 'model.zip');
  watch(blob);
  return { blob, log };
}

describe.each<[string, 0 | 8]>([
  ['stored', 0],
  ['deflated', 8],
])('a zip with %s weights', (_, method) => {
  it('gives every tensor, in order and out of order', async () => {
    const open = await openModelFolder(await openModelSource([new File([zipOf(method)], 'model.zip')]));
    expect(open.tensors.size).toBe(count);
    let t = 0;
    for (const source of open.tensors.values()) {
      const bytes = await source.read();
      expect([source.name, first(bytes), bytes.byteLength]).toEqual([
        tensors[t].name,
        value(t, 0),
        4 * elements,
      ]);
      expect(Buffer.compare(bytes, tensors[t].bytes)).toBe(0);
      t++;
    }
    for (const t of [30, 2, 2, 17, 39, 0])
      expect(first(await open.tensors.get(tensors[t].name)!.read())).toBe(value(t, 0));
  });

  it('finds damage, at the latest with the last tensor', async () => {
    const zip = new File([zipOf(method, { crc: 12345 })], 'model.zip');
    const readAll = async () => {
      const open = await openModelFolder(await openModelSource([zip]));
      for (const source of open.tensors.values()) await source.read();
    };
    await expect(readAll()).rejects.toThrow(/model.zip: "model\/model.safetensors" cannot be unpacked/);
  });
});

it('reads stored weights where they lie', async () => {
  const { blob, log } = counted(zipOf(0));
  const open = await openModelFolder(await openModelSource([blob]));
  log.read = log.largest = 0;
  for (const source of open.tensors.values()) await source.read();
  // Each tensor once, and nothing else.
  expect(log).toEqual({ read: count * 4 * elements, largest: 4 * elements });
});

it('reads picked files by slices', async () => {
  const { blob, log } = counted(weights as Uint8Array<ArrayBuffer>);
  const config = new File(['{"model_type":"smolvlm"}'], 'config.json');
  const open = await openModelFolder(
    await openModelSource([
      { path: 'm/config.json', file: config },
      { path: 'm/model.safetensors', file: blob },
    ]),
  );
  expect(log.read).toBeLessThan(200_000);
  expect(first(await open.tensors.get('t07')!.read())).toBe(value(7, 0));
  expect(log.largest).toBe(4 * elements);
});
