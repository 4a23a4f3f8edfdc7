/** The curves: as fluent with two runs of a hundred thousand steps as with one of ten, by pointer, by keys and without eyes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'fast-png';
import type { Browser, BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Harness } from './curves-page/harness.tsx';
import { launchChromium, type Served, serve } from './served.ts';
import { button, goTo, status, textOf } from './steps.ts';

declare const harness: Harness;

const rows = 100_000;
/** The machine may be busy with other things. */
const patient = { timeout: 15_000 };
const viewport = { width: 1280, height: 900 };
const bench = 'tests/e2e/curves-page/index.html';
let site: Served;
let pages: Served;
let browser: Browser;

beforeAll(async () => {
  [site, pages] = await Promise.all([serve('site'), serve('harness')]);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([site?.close(), pages?.close()]);
});

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))];

function watched(page: Page): string[] {
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  return errors;
}

const plot = (page: Page, title: string) => page.getByRole('img', { name: new RegExp(`^${title}[. ]`) });
const figure = (page: Page, title: string) => page.locator('figure', { has: plot(page, title) });

describe('two runs of 100,000 steps', () => {
  it('are drawn and grow while the pointer moves, without taking a frame’s time', async () => {
    const page = await browser.newPage({ viewport });
    const errors = watched(page);
    await page.goto(pages.url + bench);
    const made = await page.evaluate((count) => harness.open(count), rows);
    // Linear in the rows: a quadratic history would take minutes.
    expect(made).toBeLessThan(20_000);
    await expect.poll(() => page.locator('.plot canvas').count(), patient).toBeGreaterThan(5);
    const box = (await plot(page, 'Reward').boundingBox())!;
    // Time of the page's thread itself: what other programs do meanwhile is not in it.
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    const cpuSeconds = async () => {
      const { metrics } = await devtools.send('Performance.getMetrics');
      const of = (name: string) => metrics.find((metric) => metric.name === name)!.value;
      return { script: of('ScriptDuration'), all: of('TaskDuration') };
    };
    const report: Record<string, number> = {};
    const measure = async (what: string, work: () => Promise<void>) => {
      await page.evaluate(() => harness.watch());
      const before = await cpuSeconds();
      await work();
      const after = await cpuSeconds();
      const { intervals, spent } = await page.evaluate(() => harness.watched());
      expect(spent.length).toBeGreaterThan(5);
      report[`${what}: between frames, median ms`] = quantile(intervals, 0.5);
      report[`${what}: between frames, 95 % ms`] = quantile(intervals, 0.95);
      report[`${what}: our part of a frame, median ms`] = quantile(spent, 0.5);
      return { frames: spent.length, script: after.script - before.script, all: after.all - before.all };
    };
    const move = async (turns: number) => {
      for (let i = 0; i < turns; i++)
        await page.mouse.move(box.x + 60 + ((i * 7) % (box.width - 80)), box.y + 60);
    };
    await page.waitForTimeout(500);
    const still = await measure('cursor', () => move(60));
    report['cursor: CPU ms a frame'] = (1000 * still.all) / still.frames;
    await page.evaluate(() => harness.grow(10));
    const before = await page.evaluate(() => harness.steps());
    const growing = await measure('cursor and growing', () => move(100));
    // The unzoomed axis follows.
    const steps = await page.evaluate(() => harness.steps());
    expect(steps).toBeGreaterThan(before + 5);
    report['cursor and growing: CPU ms a row'] = (1000 * growing.all) / (steps - before);
    report['cursor and growing: script, CPU ms a row'] = (1000 * growing.script) / (steps - before);
    await expect
      .poll(
        async () =>
          Number(/over (\d+) steps/.exec((await plot(page, 'Reward').getAttribute('aria-label'))!)![1]),
        patient,
      )
      .toBeGreaterThanOrEqual(steps);
    await measure('zooming and growing', async () => {
      await page.getByRole('group', { name: /^Reward:/ }).focus();
      for (let i = 0; i < 15; i++) await page.keyboard.press(['+', '+', 'ArrowLeft', '-', '-'][i % 5]);
    });
    await page.evaluate(() => harness.stopGrowing());
    for (const [what, value] of Object.entries(report)) console.log(`${what}: ${value.toFixed(1)}`);
    // A busy machine draws fewer frames, so it is the thread's own time that is held to account: a frame has 16.7 ms,
    // and at ten rows a second there are six frames from row to row, of each of which our code may take 8 ms.
    expect(report['cursor: CPU ms a frame']).toBeLessThan(16.7);
    expect(report['cursor and growing: CPU ms a row']).toBeLessThan(6 * 16.7);
    expect(report['cursor and growing: script, CPU ms a row']).toBeLessThan(6 * 8);
    expect(report['cursor and growing: our part of a frame, median ms']).toBeLessThan(16.7);
    expect(errors).toEqual([]);
    await page.close();
  });
});

/** Kept runs of these lengths in the browser of the context: written by the store itself, on the page's own origin. */
async function keep(context: BrowserContext, runs: Record<string, number>): Promise<void> {
  const page = await context.newPage();
  await page.route(`${site.url}**`, (route) =>
    route.fulfill({ path: join(inject('harness'), new URL(route.request().url()).pathname) }),
  );
  await page.goto(site.url + bench);
  for (const [name, count] of Object.entries(runs))
    await page.evaluate(([name, count]) => harness.keep(name, count), [name, count] as const);
  await page.close();
}

async function downloaded(page: Page, click: () => Promise<void>): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  return readFile(await download.path());
}

const label = async (page: Page, title: string) => (await plot(page, title).getAttribute('aria-label'))!;

describe('kept runs over each other', () => {
  it('are shown, compared, zoomed, tabled, saved as files, and taken off', async () => {
    const context = await browser.newContext({ viewport, serviceWorkers: 'block' });
    await keep(context, { long: rows, short: 500 });
    const page = await context.newPage();
    const errors = watched(page);
    await page.goto(site.url);
    await status(page, /^Ready/);
    // Before any run the page says what will be there.
    await page.getByText('Nothing to draw yet.').waitFor();
    await goTo(page, 'Runs');
    const show = (name: string) =>
      page.getByRole('listitem').filter({ hasText: name }).getByRole('button', { name: 'Show', exact: true });
    await show('short').click();
    await show('long').click();
    // A hundred thousand rows are read from the disk.
    await expect.poll(() => show('long').getAttribute('aria-pressed'), { timeout: 60_000 }).toBe('true');
    await goTo(page, 'Train');
    expect(await label(page, 'Reward')).toMatch(/short, over 500 steps, .*long, over 100000 steps/);
    const accuracies = page.getByRole('table', { name: 'Held-out accuracy by run' });
    expect(await accuracies.getByRole('row').allTextContents()).toEqual([
      'RunFirstLastChange, points',
      'short25 % ± 5 % at step 075 % ± 5 % at step 500+50.00',
      'long25 % ± 5 % at step 075 % ± 5 % at step 100000+50.00',
    ]);

    // The pointer is at the same step in every chart, with the numbers of both runs.
    const reward = (await plot(page, 'Reward').boundingBox())!;
    await page.mouse.move(reward.x + reward.width / 2, reward.y + 50);
    const stepIn = (title: string) => textOf(figure(page, title).locator('.chart-head .hint'));
    await expect.poll(() => stepIn('Accuracy'), patient).toMatch(/^step \d+$/);
    expect(await stepIn('Accuracy')).toBe(await stepIn('Reward'));
    const numbersOf = (title: string) => figure(page, title).locator('.key b').allTextContents();
    // Training and held-out; the short run was over by then.
    expect(await numbersOf('Accuracy')).toEqual(['–', '–', expect.stringMatching(/^0\.\d+$/), '0.250']);

    // Zoomed by dragging; everywhere, and back by a key.
    await page.mouse.down();
    await page.mouse.move(reward.x + reward.width / 2 + 40, reward.y + 60, { steps: 4 });
    await page.mouse.up();
    const zoomed = page.getByRole('status').filter({ hasText: /^Steps \d+ to \d+$/ });
    await zoomed.waitFor();
    const [from, to] = (await textOf(zoomed)).match(/\d+/g)!.map(Number);
    expect(to - from).toBeGreaterThan(5_000);
    expect(to - from).toBeLessThan(30_000);
    const keys = page.getByRole('group', { name: /^Accuracy:/ });
    await keys.focus();
    await page.keyboard.press('+');
    await expect
      .poll(async () => {
        const [a, b] = (await textOf(zoomed)).match(/\d+/g)!.map(Number);
        return (b - a) / (to - from);
      }, patient)
      .toBeCloseTo(0.5, 2);
    // No step of a run was made by the arrow: the chart has the key.
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('0');
    await zoomed.waitFor({ state: 'detached' });
    await status(page, /^Ready/);

    // All rows are in the table, fifty at a time.
    await page.getByText('The same numbers as a table').click();
    const table = page.locator('.numbers table');
    expect(await textOf(table.locator('caption'))).toBe('Steps 100000 to 100000, 100001 rows in all');
    await page.getByLabel('Go to step').fill('54321');
    await page.keyboard.press('Enter');
    await page.getByText('Page 1087 of 2001').waitFor();
    await page.getByLabel('Numbers of').selectOption('Loss');
    expect(await table.getByRole('columnheader').allTextContents()).toEqual([
      'Step',
      'Loss, loss (short)',
      'Loss, loss (long)',
    ]);
    expect(await table.locator('tr', { hasText: '54321' }).locator('td').allTextContents()).toEqual([
      '–',
      '50',
    ]);
    await button(page, 'First').click();
    await page.getByText('Page 1 of 2001').waitFor();
    expect(await table.locator('tbody tr').count()).toBe(50);

    // One chart as a picture.
    const picture = decode(
      await downloaded(page, () => page.getByRole('button', { name: 'Download Reward as PNG' }).click()),
    );
    expect(picture.width).toBeGreaterThan(200);
    expect(picture.height).toBeGreaterThan(200);
    expect(new Set(Array.from(picture.data)).size).toBeGreaterThan(20);

    // Full screen, and back.
    await page.getByRole('button', { name: 'Loss in full screen' }).click();
    await expect
      .poll(async () => (await plot(page, 'Loss').boundingBox())!.height, patient)
      .toBeGreaterThan(500);
    await page.getByRole('button', { name: 'Leave full screen' }).click();
    await expect
      .poll(async () => (await plot(page, 'Loss').boundingBox())!.height, patient)
      .toBeLessThan(300);

    // Off again, one by one; then the file has the short run alone, as it was recorded.
    await page.getByRole('button', { name: 'Take “long” off the curves' }).click();
    expect(await label(page, 'Reward')).toMatch(/^Reward over 500 steps\. Last values: mean /);
    const csv = (await downloaded(page, () => button(page, 'CSV, a row a step').click())).toString();
    const lines = csv
      .trimEnd()
      .split('\r\n')
      .map((line) => line.split(','));
    expect(lines).toHaveLength(502);
    const at = (row: number, name: string) => lines[row][lines[0].indexOf(name)];
    expect(at(1, 'eval_accuracy')).toBe('0.25');
    expect(at(501, 'step')).toBe('500');
    expect(at(501, 'completions/min_length')).toBe('10');
    expect(Number(at(501, 'reward'))).toBeGreaterThan(0.1);
    await page.getByRole('switch', { name: 'Log axis' }).click();
    await page.getByText('This chart has no log axis.').first().waitFor();
    await page.getByRole('slider', { name: 'Smoothing' }).focus();
    await page.keyboard.press('End');
    await page.getByText('0.99', { exact: true }).waitFor();

    // A run that is deleted is drawn no more.
    await goTo(page, 'Runs');
    const deleted = page.getByRole('listitem').filter({ hasText: 'short' });
    await deleted.getByRole('button', { name: 'Delete', exact: true }).click();
    await deleted.waitFor({ state: 'detached' });
    await goTo(page, 'Train');
    await page.getByText('Nothing to draw yet.').waitFor();
    expect(errors).toEqual([]);
    await context.close();
  });
});
