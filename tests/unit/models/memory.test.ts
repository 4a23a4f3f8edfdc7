/** A model of 240 MB passes through a few tens of MB, wherever it comes from. The peaks are printed. */
import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { appendFile, mkdir, mkdtemp, open as openFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bytesFile } from '../../../src/export/out-file.ts';
import { zipStream } from '../../../src/export/zip-out.ts';
import { openModelSource } from '../../../src/import/picked-files.ts';
import { openModel } from '../../../src/models/open-model.ts';
import { openModelPath, openNodeCache } from '../../../src/models/open-model-node.ts';
import { convertTensor } from '../../../src/store/convert-tensor.ts';
import { type OpenModel, openModelFolder } from '../../../src/store/open-folder.ts';
import { layoutSafetensors } from '../../../src/store/safetensors.ts';

const MB = 1e6;
/** Like a small language model's: one table and many layers. Bytes of the largest: 24 MB. */
const rows = 12_000_000;
const layers = 54;
const layer = 2_000_000;
const shapes = [
  { name: 'embed.weight', dtype: 'BF16' as const, shape: [rows] },
  ...Array.from({ length: layers }, (_, i) => ({
    name: `layers.${i}.weight`,
    dtype: 'BF16' as const,
    shape: [layer],
  })),
];

let root = '';
let weights = '';
let sha256 = '';
let size = 0;
let server: Server;
let url = '';

/** Bfloat16s between 1 and 2 that differ from tensor to tensor. */
function tensorBytes(index: number, count: number): Uint8Array {
  const out = new Uint16Array(count);
  for (let i = 0; i < count; i++) out[i] = 0x3f80 | ((i * 31 + index) & 0x7f);
  return new Uint8Array(out.buffer);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'papo-large-'));
  const model = join(root, 'model');
  weights = join(model, 'model.safetensors');
  await mkdir(model);
  await appendFile(join(model, 'config.json'), '{"model_type":"smolvlm"}');
  const layout = layoutSafetensors(shapes);
  const hash = createHash('sha256').update(layout.head);
  await appendFile(weights, layout.head);
  for (const [i, { shape }] of layout.tensors.entries()) {
    const bytes = tensorBytes(i, shape[0]);
    hash.update(bytes);
    await appendFile(weights, bytes);
  }
  sha256 = hash.digest('hex');
  size = (await stat(weights)).size;
  // The Hub, with the file read from the disk as it is sent.
  const config = Buffer.from('{"model_type":"smolvlm"}');
  const oid = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex');
  server = createServer(async (request, response) => {
    const path = request.url!;
    const json = (value: unknown) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
    if (path.includes('/revision/')) return json({ _id: 'x', id: 'a/b', sha: 'c'.repeat(40) });
    if (path.includes('/tree/')) {
      return json([
        { type: 'file', path: 'config.json', size: config.length, oid },
        {
          type: 'file',
          path: 'model.safetensors',
          size,
          oid: 'e',
          lfs: { oid: sha256, size, pointerSize: 1 },
        },
      ]);
    }
    if (path.endsWith('config.json')) return response.end(config);
    const begin = Number(/\d+/.exec(request.headers.range ?? '')![0]);
    response.writeHead(206, {
      'Content-Range': `bytes ${begin}-${size - 1}/${size}`,
      'Content-Length': size - begin,
    });
    const file = await openFile(weights);
    file.createReadStream({ start: begin }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 120_000);

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(root, { recursive: true, force: true });
});

/** Bytes of all array buffers at the most while `work` runs, above what there was before. */
async function peak(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  const look = () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  };
  const timer = setInterval(look, 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return most - before;
}

/** Reads, converts and lets go of every tensor, as a device's memory is filled. */
async function readAll(model: OpenModel): Promise<void> {
  let t = 0;
  for (const source of model.tensors.values()) {
    const values = convertTensor(await source.read(), source.dtype, 'f16', source.name);
    expect(values.length).toBe(source.shape[0]);
    expect(values[1]).toBe(0x3c00 | (((31 + t) & 0x7f) << 3));
    t++;
  }
  expect(t).toBe(shapes.length);
}

/** The folder as this project's own exports zip it: stored. */
async function zip(): Promise<File> {
  const path = join(root, 'model.zip');
  const blob = await openAsBlob(weights);
  const config = new TextEncoder().encode('{"model_type":"smolvlm"}');
  const { stream } = zipStream([
    bytesFile('config.json', config),
    {
      name: 'model.safetensors',
      size: blob.size,
      chunks: () => blob.stream() as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>,
    },
  ]);
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) await appendFile(path, chunk);
  return new File([await openAsBlob(path)], 'model.zip');
}

const report = (what: string, bytes: number, started: number) =>
  console.info(
    `${what}: peak ${(bytes / MB).toFixed(0)} MB of ${(size / MB).toFixed(0)} MB, ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );

/** A tensor as it is stored and as it is converted, twice where the collector is late, and buffers of streams. */
const allowed = 120 * MB;

it.each<[string, () => Promise<void>]>([
  ['a folder', async () => readAll(await openModelPath(join(root, 'model')))],
  ['a stored zip', async () => readAll(await openModelFolder(await openModelSource([await zip()])))],
  [
    'the Hub, by way of the cache',
    async () => {
      const cache = openNodeCache(join(root, 'cache'));
      await readAll(await openModel({ kind: 'hub', id: 'a/b' }, { hubUrl: url, cache }));
    },
  ],
  [
    'the cache',
    async () => {
      const cache = openNodeCache(join(root, 'cache'));
      await readAll(await openModel({ kind: 'hub', id: 'a/b' }, { hubUrl: url, cache }));
    },
  ],
])(
  '%s',
  async (what, work) => {
    expect(size).toBeGreaterThan(200 * MB);
    const started = performance.now();
    const bytes = await peak(work);
    report(what, bytes, started);
    expect(bytes).toBeLessThan(allowed);
  },
  180_000,
);
