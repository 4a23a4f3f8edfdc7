// Nothing is lost: a run in a page that is killed thirty times, while it trains and while it saves, and resumed each
// time, ends in the very weights of an unbroken run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Purpose, RandomStream } from '../../src/papo/random.ts';
import { type Served, serve } from './served.ts';
import { writeTinyZip } from './tiny-zip.ts';
import type { Harness } from './worker-page/harness.ts';

declare const harness: Harness;

const kills = 30;
const request = {
  preset: 'papo-nano',
  task: 'shapes',
  settings: {
    num_generations: '2',
    per_device_train_batch_size: '4',
    // Two updates draw on each generation, so a checkpoint holds half of one.
    steps_per_generation: '2',
    max_completion_length: '5',
    max_steps: '120',
    num_eval_samples: '2',
    eval_steps: '25',
    save_steps: '3',
    save_total_limit: '2',
    seed: '3',
  },
};

let served: Served;
let directory: string;
let context: BrowserContext;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-kill-'));
  await writeTinyZip(join(directory, 'tiny.zip'));
  served = await serve('harness');
  context = await launch();
});
afterAll(async () => {
  await context?.close();
  await served?.close();
  await rm(directory, { recursive: true, force: true });
});

/** A profile on the disk: what a browser that is killed has written is there for the next. */
const launch = () =>
  chromium.launchPersistentContext(join(directory, 'profile'), {
    executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });

async function openPage(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.url}tests/e2e/worker-page/index.html`);
  await page.waitForFunction(() => 'harness' in globalThis);
  await page.locator('input').setInputFiles(join(directory, 'tiny.zip'));
  await page.evaluate(() => harness.load('cpu'));
  return page;
}

type Kill = 'renderer' | 'tab' | 'worker' | 'browser';

async function kill(page: Page, how: Kill): Promise<void> {
  if (how === 'tab') return page.close({ runBeforeUnload: false });
  if (how === 'worker') {
    await page.evaluate(() => harness.crashWorker());
    return page.close();
  }
  if (how === 'renderer') {
    const session = await context.newCDPSession(page);
    const crashed = page.waitForEvent('crash');
    void session.send('Page.crash').catch(() => {});
    await crashed;
    return page.close();
  }
  const session = await context.browser()!.newBrowserCDPSession();
  const closed = context.waitForEvent('close');
  // As a power cut has it: no process gets to tidy up.
  void session.send('Browser.crash').catch(() => {});
  await closed;
  context = await launch();
}

it(`${kills} random kills, resumed each time, end in the weights of an unbroken run`, async () => {
  const random = new RandomStream(20261122, Purpose.test);
  const kinds: Kill[] = ['renderer', 'renderer', 'renderer', 'tab', 'worker', 'browser'];
  const lives: string[] = [];
  for (let i = 0; i < kills; i++) {
    const page = await openPage();
    if (i === 0) expect(await page.evaluate((r) => harness.start(r), request)).toEqual([]);
    else await page.evaluate(() => harness.resume());
    const wanted = random.int(6);
    await page.waitForFunction((n) => harness.steps >= n || harness.state === 'failed', wanted);
    expect(await page.evaluate(() => harness.failures)).toEqual([]);
    expect(await page.evaluate(() => harness.state)).toBe('running');
    // Somewhere in the midst of the next update, or of a save.
    await new Promise((resolve) => setTimeout(resolve, random.int(80)));
    const how = kinds[random.int(kinds.length)];
    lives.push(how);
    await kill(page, how);
  }
  expect(new Set(lives)).toEqual(new Set(kinds));

  const page = await openPage();
  await page.evaluate(() => harness.resume());
  await page.waitForFunction(() => harness.state !== 'running' && harness.state !== 'none');
  expect(await page.evaluate(() => [harness.state, harness.failures, harness.warnings])).toEqual([
    'finished',
    [],
    [],
  ]);
  const broken = await page.evaluate(() => harness.kept(0));
  expect(broken.step).toBe(120);
  expect(await page.evaluate(() => harness.orphans())).toBe(0);

  // The unbroken run, in one go.
  await page.evaluate((r) => harness.start(r), request);
  await page.waitForFunction(() => harness.state === 'running');
  await page.waitForFunction(() => harness.state !== 'running');
  const whole = await page.evaluate(() => harness.kept(0));
  expect(whole.step).toBe(120);
  expect(broken.digest).toBe(whole.digest);
  expect(broken.rows).toEqual(whole.rows);
  expect(broken.checkpoints).toEqual(whole.checkpoints);
  expect(broken.rollouts).toEqual(whole.rollouts);
  expect(whole.rollouts).toHaveLength(120);
  // Each step once, in order: nothing lost and nothing twice.
  const steps = whole.rows.map((row) => JSON.parse(row)).filter((row) => row.kind === 'step');
  expect(steps.map((row) => row.step)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
  const pauses = await page.evaluate(() => harness.pauses);
  console.log(`saving held the training for at most ${Math.max(...pauses).toFixed(1)} ms (tiny model)`);
}, 900_000);
