// What happens to a tab: the GPU goes away, memory or disk run out, the tab is hidden, another tab has the run. Each ends in
// one clear message and nothing lost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DeviceChoice } from '../../src/worker/protocol.ts';
import { launchChromium, type Served, serve } from './served.ts';
import { writeTinyZip } from './tiny-zip.ts';
import type { Harness } from './worker-page/harness.ts';

declare const harness: Harness;

let served: Served;
let browser: Browser;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-failures-'));
  await writeTinyZip(join(directory, 'tiny.zip'));
  served = await serve('harness');
  browser = await launchChromium('--enable-unsafe-webgpu');
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
  await rm(directory, { recursive: true, force: true });
});

async function openPage(context: BrowserContext, device: DeviceChoice = 'cpu'): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.url}tests/e2e/worker-page/index.html`);
  await page.waitForFunction(() => 'harness' in globalThis);
  await page.locator('input').setInputFiles(join(directory, 'tiny.zip'));
  await page.evaluate((choice) => harness.load(choice), device);
  return page;
}

const request = (settings: Record<string, string>) => ({
  preset: 'papo-nano',
  task: 'shapes',
  settings: {
    num_generations: '2',
    per_device_train_batch_size: '4',
    max_completion_length: '4',
    num_eval_samples: '2',
    eval_steps: '1000',
    save_steps: '1',
    save_total_limit: '2',
    ...settings,
  },
});

const begin = (page: Page, settings: Record<string, string>) =>
  page.evaluate((r) => harness.start(r), request(settings));
const stepsMade = (page: Page, count: number) => page.waitForFunction((n) => harness.steps >= n, count);
const ended = (page: Page) =>
  page.waitForFunction(() => ['finished', 'stopped', 'failed'].includes(harness.state));
const outcome = (page: Page) => page.evaluate(() => ({ state: harness.state, failures: harness.failures }));

it('a crashed GPU process: one clear message, and the run goes on from its checkpoint on a new device', async () => {
  const context = await browser.newContext();
  const page = await openPage(context, 'webgpu');
  await begin(page, { max_steps: '6' });
  await stepsMade(page, 2);
  const session = await browser.newBrowserCDPSession();
  // Its answer never comes: the process that would give it is gone.
  void session.send('Browser.crashGpuProcess').catch(() => {});
  await ended(page);
  const { state, failures } = await outcome(page);
  expect(state).toBe('failed');
  expect(failures).toEqual([
    expect.stringMatching(/^The connection to the GPU was lost .*up to the last checkpoint is safe\. Resume/),
  ]);
  const { step } = await page.evaluate(() => harness.kept(0));
  expect(step).toBeGreaterThanOrEqual(1);

  await page.evaluate(() => harness.resume());
  await ended(page);
  expect(await outcome(page)).toEqual({ state: 'finished', failures: [] });
  expect((await page.evaluate(() => harness.kept(0))).step).toBe(6);
  await context.close();
});

it('a run that does not fit is refused before it starts, with the numbers and what would fit', async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  // The quantile is of a micro-batch's tokens, so that this one cannot be gone through in pieces.
  await begin(page, {
    num_generations: '16',
    per_device_train_batch_size: '262144',
    top_entropy_quantile: '0.5',
    max_steps: '2',
  });
  await ended(page);
  const { state, failures } = await outcome(page);
  expect(state).toBe('failed');
  expect(failures.length).toBe(1);
  expect(failures[0]).toMatch(
    /^This run needs [\d.]+ MiB of memory \(.*trained weights [\d.]+ MiB.*activations [\d.]+ MiB.*\)/,
  );
  expect(failures[0]).toMatch(
    /WebAssembly would have to hold [\d.]+ MiB at once, and can hold little less than 4096\.0 MiB\./,
  );
  expect(failures[0]).toMatch(/It would fit with per_device_train_batch_size \d+/);
  expect(await page.evaluate(() => harness.steps)).toBe(0);
  await context.close();
});

it('a full disk: said, training goes on, the last checkpoint stays; the run can be resumed', async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  const session = await context.newCDPSession(page);
  const origin = new URL(served.url).origin;
  // Before the first write: the browser remembers for a while how much room it found. A checkpoint takes about 0.4 MB.
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2.5e6 });
  await begin(page, { max_steps: '30', save_total_limit: 'null' });
  await ended(page);
  expect(await outcome(page)).toEqual({ state: 'finished', failures: [] });
  const warnings = await page.evaluate(() => harness.warnings);
  expect(warnings.length).toBeGreaterThan(0);
  for (const warning of warnings)
    expect(warning).toMatch(
      /^The checkpoint of step \d+ was not saved, because .* is full .* Training goes on; the last checkpoint is kept\.$|^The rollout of step \d+ could not be kept in .* is full.* Training goes on; steps that are missing|^The run could not be written to .* is full.* Training goes on; what was saved before is kept\.$|history of the run is kept in memory only/,
    );
  const { step } = await page.evaluate(() => harness.kept(0));
  expect(step).toBeGreaterThan(0);
  await session.send('Storage.overrideQuotaForOrigin', { origin });
  await page.close();

  const later = await openPage(context);
  await later.evaluate(() => harness.resume());
  await ended(later);
  expect(await outcome(later)).toEqual({ state: 'finished', failures: [] });
  const { step: last, rows } = await later.evaluate(() => harness.kept(0));
  expect(last).toBe(30);
  const steps = rows.map((row) => JSON.parse(row)).filter((row) => row.kind === 'step');
  expect(steps.map((row) => row.step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  await context.close();
});

it('two tabs on one run: the second can read it and not write it', async () => {
  const context = await browser.newContext();
  const first = await openPage(context);
  await begin(first, { max_steps: '100000' });
  await stepsMade(first, 3);
  const second = await openPage(context);
  const found = await second.evaluate(() => harness.readOnly());
  expect(found.isOpenElsewhere).toBe(true);
  expect(found.rows).toBeGreaterThan(0);
  expect(found.refusal).toMatch(/is open in another tab\. Close it there first; here it can only be read\./);
  await first.evaluate(() => harness.stop());
  await first.close();
  // The lock goes with the tab, a moment later.
  await expect.poll(() => second.evaluate(() => harness.isOpenElsewhere())).toBe(false);
  await second.evaluate(() => harness.resume());
  await stepsMade(second, 2);
  await second.evaluate(() => harness.stop());
  expect(await outcome(second)).toEqual({ state: 'stopped', failures: [] });
  await context.close();
});

it('a frozen tab: training went on meanwhile, or it is said that it could not; then it goes on', async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  await begin(page, { max_steps: '100000', save_steps: '1000' });
  await stepsMade(page, 2);
  const session = await context.newCDPSession(page);
  await page.evaluate(() => harness.setVisible(false));
  const before = await page.evaluate(() => harness.steps);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  // What the worker said meanwhile arrives first.
  await page.waitForTimeout(100);
  const { steps, warnings } = await page.evaluate(() => ({
    steps: harness.steps,
    warnings: harness.warnings,
  }));
  if (steps < before + 5)
    expect(warnings).toEqual([expect.stringMatching(/^The browser slowed training down/)]);
  await page.evaluate(() => harness.setVisible(true));
  await stepsMade(page, steps + 5);
  expect(await outcome(page)).toEqual({ state: 'running', failures: [] });
  await page.evaluate(() => harness.stop());
  await context.close();
});
