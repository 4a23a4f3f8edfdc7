/** A push from a worker of a page, as the built page does it: under its Content-Security-Policy, large file on disk. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium } from 'playwright';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FakeHub, startFakeHub } from '../../fake-hub.ts';

const root = join(import.meta.dirname, '../../..');
// More than 16 MiB goes to the browser's disk; more than 10 MB is hashed by WebAssembly.
const size = 17 * 2 ** 20;

const worker = `
import { pushToHub } from ${JSON.stringify(join(root, 'src/export/hub.ts'))};
const byte = (i) => (i * 31 + (i >> 9)) & 255;
const large = {
  name: 'model.safetensors',
  size: ${size},
  async *chunks() {
    for (let at = 0; at < ${size}; at += 1 << 20) yield Uint8Array.from({ length: 1 << 20 }, (_, i) => byte(at + i));
  },
};
onmessage = async ({ data }) => {
  const onDisk = [];
  const look = async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('papo-web-push', { create: true });
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    return names.length;
  };
  try {
    const { commit } = await pushToHub([large], {
      ...data,
      onProgress: ({ phase }) => phase === 'committing' && onDisk.push(look()),
    });
    postMessage({ commit, during: await onDisk[0], after: await look() });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
`;
const page = `
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
window.push = (options) => new Promise((resolve) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.postMessage(options);
});
`;

let hub: FakeHub;
let server: Server;
let folder: string;
beforeAll(async () => {
  hub = await startFakeHub({ partSize: 5_000_000 });
  folder = await mkdtemp(join(tmpdir(), 'papo-web-push-'));
  await writeFile(join(folder, 'worker.js'), worker);
  await writeFile(join(folder, 'page.js'), page);
  await writeFile(
    join(folder, 'index.html'),
    '<!doctype html><script type="module" src="./page.js"></script>',
  );
  await build({ root: folder, configFile: false, logLevel: 'error', worker: { format: 'es' } });
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
  server = createServer(async (request, response) => {
    const name = request.url === '/' ? '/index.html' : request.url!;
    const bytes = await readFile(join(folder, 'dist', name)).catch(() => null);
    if (!bytes) return response.writeHead(404).end();
    const sources = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
    response.writeHead(200, {
      'Content-Type': types[extname(name)] ?? 'application/octet-stream',
      'Content-Security-Policy': `${sources}; connect-src 'self' http://127.0.0.1:*`,
    });
    return response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await hub.close();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it('pushes 17 MiB from a worker, without a worker from a blob: address and with no copy left on the disk', async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
  });
  try {
    const tab = await browser.newPage();
    const complaints: string[] = [];
    tab.on('console', (message) => complaints.push(message.text()));
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const options = { repo_id: 'somebody/papo-nano', token: hub.token, hub_url: hub.url };
    const result = await tab.evaluate(
      (given) => (window as unknown as { push(options: object): Promise<unknown> }).push(given),
      options,
    );
    expect(result).toEqual({ commit: hub.commits('somebody/papo-nano').at(-1)!.oid, during: 1, after: 0 });
    const expected = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 9)) & 255));
    const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(sha(hub.files('somebody/papo-nano').get('model.safetensors')!)).toBe(sha(expected));
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});
