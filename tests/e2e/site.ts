/** The built page on a server, and a Chromium to look at it. */
import { join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright';
import { preview } from 'vite';
import { inject } from 'vitest';

const root = join(import.meta.dirname, '../..');
// WebGPU through SwiftShader, and no traffic of the browser's own.
const args = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

const viewport = { width: 1280, height: 900 };

export interface Site {
  /** A page whose console errors, exceptions and failed requests are kept. */
  open(path?: string, context?: BrowserContext): Promise<{ page: Page; errors: string[] }>;
  /**
   * Tabs of one context share their storage. Each page has one of its own otherwise. The service worker, which fetches
   * the whole page once more, is left out where a test is not about it.
   */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** Ends the browser's GPU process, as a driver's crash does. */
  crashGpu(): Promise<void>;
  close(): Promise<void>;
}

export async function serveSite(): Promise<Site> {
  const outDir = inject('site');
  const server = await preview({ root, logLevel: 'warn', build: { outDir }, preview: { port: 0 } });
  const url = server.resolvedUrls!.local[0];
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
    args,
  });
  return {
    newContext: (options) => browser.newContext({ viewport, serviceWorkers: 'block', ...options }),
    async open(path = '', context?: BrowserContext) {
      const page = await (context
        ? context.newPage()
        : browser.newPage({ viewport, serviceWorkers: 'block' }));
      const errors: string[] = [];
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('requestfailed', (request) => errors.push(`${request.url()} ${request.failure()?.errorText}`));
      // Nothing may be fetched from anywhere else: the page works offline.
      page.on('request', (request) => {
        if (/^https?:/.test(request.url()) && !request.url().startsWith(url))
          errors.push(`a request to ${request.url()}`);
      });
      await page.goto(url + path);
      return { page, errors };
    },
    async crashGpu() {
      const session = await browser.newBrowserCDPSession();
      // Its answer never comes: the process that would give it is gone.
      void session.send('Browser.crashGpuProcess').catch(() => {});
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
