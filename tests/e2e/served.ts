/** The built page, or the tests' own pages, behind Vite's preview and behind a server that sends no header of its own. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { type Browser, chromium } from 'playwright';
import { preview } from 'vite';
import { inject } from 'vitest';

const root = join(import.meta.dirname, '../..');
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** A Chromium without traffic of its own. */
export const launchChromium = (...more: string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });

export interface Served {
  /** With the headers of `npm start`. */
  readonly url: string;
  /** The same files without any. */
  readonly plainUrl: string;
  /** What reached either server so far: addresses, those of web sockets too. */
  readonly arrived: string[];
  close(): Promise<void>;
}

export async function serve(what: 'site' | 'harness'): Promise<Served> {
  const outDir = inject(what);
  const server = await preview({ root, logLevel: 'warn', build: { outDir }, preview: { port: 0 } });
  const arrived: string[] = [];
  const plain = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const file = join(outDir, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  for (const listening of [server.httpServer, plain]) {
    listening.on('request', ({ url }) => arrived.push(url!));
    listening.on('upgrade', ({ url }) => arrived.push(url!));
  }
  return {
    arrived,
    url: server.resolvedUrls!.local[0],
    plainUrl: `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`,
    async close() {
      await server.close();
      plain.closeAllConnections();
      await new Promise((resolve) => plain.close(resolve));
    },
  };
}
