/** Before the first test of the page: the product and the tests' own pages, built once for all of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the built product. */
    site: string;
    /** The folder of the tests' own pages. */
    harness: string;
  }
}

const root = join(import.meta.dirname, '../..');
const pages = ['worker-page', 'sandbox', 'curves-page'].map((page) =>
  join(import.meta.dirname, page, 'index.html'),
);

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'papo-web-built-'));
  const [site, harness] = [join(folder, 'site'), join(folder, 'harness')];
  const quiet = { root, logLevel: 'error' } as const;
  // The test runner's own value would put React's development build into the product.
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  await build({ ...quiet, build: { outDir: site, emptyOutDir: true } });
  await build({ ...quiet, build: { outDir: harness, emptyOutDir: true, rolldownOptions: { input: pages } } });
  process.env.NODE_ENV = NODE_ENV;
  provide('site', site);
  provide('harness', harness);
  return () => rm(folder, { recursive: true, force: true });
}
