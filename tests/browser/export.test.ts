import { BlobReader, ZipReader } from '@zip.js/zip.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { curveSize, curveSvg } from '../../src/export/curve.ts';
import { svgToPng } from '../../src/export/curve-page.ts';
import { bytesFile, type OutFile, type OutProgress } from '../../src/export/out-file.ts';
import { weightFiles } from '../../src/export/safetensors-out.ts';
import { toDirectoryHandle } from '../../src/export/to-directory-handle.ts';
import { sweepDownloads, toOpfs } from '../../src/export/to-opfs.ts';
import { zipStream } from '../../src/export/zip-out.ts';

const pieces = (name: string, count: number): OutFile => ({
  name,
  size: count * 1000,
  async *chunks() {
    for (let i = 0; i < count; i++) yield new Uint8Array(1000).fill(i);
  },
});
const files = () => [bytesFile('config.json', '{}'), bytesFile('onnx/a.txt', 'a'), pieces('weights', 50)];

async function tree(folder: FileSystemDirectoryHandle, at = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === 'directory')
      Object.assign(found, await tree(handle as FileSystemDirectoryHandle, `${at}${name}/`));
    else found[at + name] = await (await (handle as FileSystemFileHandle).getFile()).text();
  }
  return found;
}

const downloads = async () => {
  const root = await navigator.storage.getDirectory();
  return Object.keys(await tree(await root.getDirectoryHandle('downloads', { create: true })));
};

afterEach(async () => {
  vi.restoreAllMocks();
  const root = await navigator.storage.getDirectory();
  for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
});

describe('toOpfs', () => {
  it('gives a file on disk that is the zip, and removes it when told', async () => {
    const progress: OutProgress[] = [];
    const zip = await toOpfs(files(), 'papo nano.zip', { onProgress: (p) => progress.push(p) });
    expect([zip.name, zip.type, zip.size]).toEqual([
      'papo nano.zip',
      'application/zip',
      zipStream(files()).size,
    ]);
    expect(progress.at(-1)!.bytes).toBe(zip.size);
    const entries = await new ZipReader(new BlobReader(zip)).getEntries();
    expect(entries.map((e) => [e.filename, e.uncompressedSize])).toEqual(
      files().map((f) => [f.name, f.size]),
    );
    // Held by this tab: no sweep of another may take it.
    await sweepDownloads();
    expect(await downloads()).toHaveLength(1);
    await sweepDownloads(true);
    expect(await downloads()).toEqual([]);
  });

  it('leaves nothing when it is aborted or a file fails, and sweeps what others left', async () => {
    const abort = new AbortController();
    const onProgress = ({ bytes }: OutProgress) => bytes > 9000 && abort.abort();
    await expect(toOpfs(files(), 'a.zip', { signal: abort.signal, onProgress })).rejects.toMatchObject({
      name: 'AbortError',
    });
    await expect(toOpfs([{ ...pieces('w', 5), size: 7 }], 'a.zip')).rejects.toThrow('announced with 7 bytes');
    expect(await downloads()).toEqual([]);
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('downloads');
    await folder.getFileHandle('left.zip', { create: true });
    await sweepDownloads();
    expect(await downloads()).toEqual([]);
  });

  it('makes a Blob where there is no private file system', async () => {
    vi.spyOn(navigator.storage, 'getDirectory').mockRejectedValue(new DOMException('no', 'SecurityError'));
    const zip = await toOpfs(files(), 'a.zip');
    expect([zip.name, zip.size]).toEqual(['a.zip', zipStream(files()).size]);
    const abort = new AbortController();
    const onProgress = ({ bytes }: OutProgress) => bytes > 9000 && abort.abort();
    await expect(toOpfs(files(), 'a.zip', { signal: abort.signal, onProgress })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('writes from a worker without createWritable', async () => {
    const worker = new Worker(new URL('./export-worker.ts', import.meta.url), { type: 'module' });
    const ask = (data: unknown) =>
      new Promise((resolve, reject) => {
        worker.onmessage = (event) => resolve(event.data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(data);
      });
    const size = zipStream([bytesFile('a.txt', 'a'), { ...pieces('weights', 1), size: 6 * 2 ** 20 }]).size;
    expect(await ask({ pieces: 6 })).toEqual({ name: 'papo.zip', size, head: [0x50, 0x4b, 3, 4] });
    expect(await ask({ pieces: 6, abortAt: 2 ** 21 })).toEqual({ error: 'AbortError' });
    expect(await downloads()).toEqual([]);
    worker.terminate();
  });
});

describe('toDirectoryHandle', () => {
  const picked = async () => {
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle('picked', { create: true });
  };

  it('writes every file, replaces old ones, and removes stale shards', async () => {
    const folder = await picked();
    const source = {
      shapes: new Map([
        ['a', [9]],
        ['b', [9]],
      ]),
      read: async () => new Float32Array(9),
    };
    await toDirectoryHandle(
      [bytesFile('config.json', 'a longer one'), ...weightFiles(source, { maxShardBytes: 40 })],
      folder,
    );
    expect(Object.keys(await tree(folder))).toHaveLength(4);
    const progress: OutProgress[] = [];
    await toDirectoryHandle([...files(), ...weightFiles(source)], folder, {
      onProgress: (p) => progress.push(p),
    });
    const found = await tree(folder);
    expect(Object.keys(found).sort()).toEqual(['config.json', 'model.safetensors', 'onnx/a.txt', 'weights']);
    expect([found['config.json'], found['onnx/a.txt'], found.weights.length]).toEqual(['{}', 'a', 50_000]);
    expect(progress.at(-1)!.bytes).toBe(progress.at(-1)!.totalBytes);
  });

  it('leaves a file whole or as it was', async () => {
    const folder = await picked();
    await toDirectoryHandle([bytesFile('weights', 'old')], folder);
    const abort = new AbortController();
    const onProgress = ({ bytes }: OutProgress) => bytes > 9000 && abort.abort();
    const options = { signal: abort.signal, onProgress };
    await expect(toDirectoryHandle(files(), folder, options)).rejects.toMatchObject({ name: 'AbortError' });
    expect((await tree(folder)).weights).toBe('old');
    await expect(toDirectoryHandle([{ ...pieces('new', 5), size: 7 }], folder)).rejects.toThrow(
      'announced with 7',
    );
    expect(await tree(folder)).not.toHaveProperty('new');
    await toDirectoryHandle([bytesFile('f', '')], folder);
    await expect(toDirectoryHandle([bytesFile('f/x', '')], folder)).rejects.toMatchObject({
      name: 'UserError',
    });
  });
});

it('svgToPng draws the curve', async () => {
  const points = [0, 1, 2].map((step) => ({ step, value: step / 4, error: 0.1 }));
  const svg = curveSvg({
    title: 'a < b',
    quantity: 'accuracy',
    isShare: true,
    series: [{ label: 'held out', kind: 'line', points }],
  });
  const png = await svgToPng(svg);
  const bitmap = await createImageBitmap(new Blob([png], { type: 'image/png' }));
  expect([bitmap.width, bitmap.height]).toEqual([2 * curveSize.width, 2 * curveSize.height]);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d')!;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const blue = data.filter((value, i) => i % 4 === 2 && value > 180 && data[i - 2] < 60).length;
  expect(blue).toBeGreaterThan(500);
  await expect(svgToPng('no svg')).rejects.toThrow();
});
