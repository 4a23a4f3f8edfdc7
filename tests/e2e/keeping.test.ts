/** Nothing is lost: runs, files and failures as a visitor meets them, in Chromium on the CPU device. */
import { readFile } from 'node:fs/promises';
import { BlobReader, type Entry, type FileEntry, TextWriter, ZipReader } from '@zip.js/zip.js';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, stepOf } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

/** Two completions a step: several steps a second on two slow cores. */
const tiny = {
  num_generations: '2',
  per_device_train_batch_size: '2',
  num_eval_samples: '1',
  eval_steps: '1000',
  save_steps: '2',
  max_steps: '6',
};
const asLink = (settings: Record<string, string>, code?: string) =>
  `?${new URLSearchParams(settings)}${code === undefined ? '' : `#${new URLSearchParams({ reward: code })}`}`;

const keptRuns = (page: Page) => page.locator('.kept-list > li');
const keptButton = (page: Page, name: string, run = 0) =>
  keptRuns(page).nth(run).getByRole('button', { name, exact: true });
/** A page with its settings from the link, ready to train. */
async function openReady(
  settings: Record<string, string>,
  code?: string,
  context?: Parameters<Site['open']>[1],
) {
  const opened = await site.open(asLink(settings, code), context);
  await status(opened.page, /^Ready/);
  return opened;
}

/** The numbers by step, as the table under the curves has them, without how fast each step was. */
async function numbers(page: Page): Promise<Map<number, string>> {
  await page.locator('.curves tbody tr').first().waitFor();
  const rows = await page
    .locator('.curves tbody tr')
    .evaluateAll((all) =>
      all.map((row) => [...row.children].slice(0, -1).map((cell) => cell.textContent ?? '')),
    );
  return new Map(rows.map(([step, ...cells]) => [Number(step), cells.join(' ')]));
}

async function drop(page: Page, name: string, content: Buffer): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([name, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name));
      return transfer;
    },
    [name, content.toString('base64')] as const,
  );
  const body = page.locator('body');
  await body.dispatchEvent('dragenter', { dataTransfer: transfer });
  await page.getByTestId('drop').waitFor();
  await body.dispatchEvent('drop', { dataTransfer: transfer });
  await page.getByTestId('drop').waitFor({ state: 'detached' });
}

describe('kept runs', () => {
  it('a run survives a reload, and one click takes it to the end with the numbers of an unbroken one', async () => {
    const context = await site.newContext();
    const { page, errors } = await openReady(tiny, undefined, context);
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 6 of 6, finished/);
    await page.getByText('The same numbers as a table').click();
    const unbroken = await numbers(page);
    expect([...unbroken.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6]);

    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 6, paused/);
    for (const step of [2, 3]) {
      await button(page, 'Single step').click();
      await status(page, new RegExp(`^Step ${step} of 6, paused`));
    }
    await page.getByTestId('saved').filter({ hasText: 'step 2' }).waitFor();
    await page.reload();
    await status(page, /^Ready/);
    const line = page.getByTestId('unfinished');
    await line.waitFor();
    expect(await line.textContent()).toMatch(/^Run “papo-nano, shapes” stopped at step [23] of 6\./);
    await line.getByRole('button', { name: 'Resume' }).click();
    await status(page, /^Step 6 of 6, finished/);
    await page.getByText('The same numbers as a table').click();
    expect(await numbers(page)).toEqual(unbroken);
    await goTo(page, 'Runs');
    expect(await keptRuns(page).count()).toBe(2);

    // From an earlier checkpoint, the way is the same once more.
    await page.getByLabel('Checkpoint to resume from').first().selectOption({ label: 'from step 4' });
    await keptButton(page, 'Resume').click();
    // Compiling takes a second or two, so this is seen.
    await status(page, /^Step 4 of 6: compiling/);
    await status(page, /^Step 6 of 6, finished/);
    await goTo(page, 'Train');
    await page.getByText('The same numbers as a table').click();
    expect(await numbers(page)).toEqual(unbroken);
    expect(errors).toEqual([]);
    await context.close();
  });

  it('saves now, shows, renames and deletes', async () => {
    const { page, errors } = await openReady({ ...tiny, max_steps: '500', save_steps: '400' });
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 500, paused/);
    await goTo(page, 'Runs');
    await keptRuns(page).filter({ hasText: '1 checkpoint ·' }).waitFor();
    await button(page, 'Save now').click();
    await goTo(page, 'Train');
    await page.getByTestId('saved').filter({ hasText: 'Checkpoint of step 1 saved at' }).waitFor();
    await goTo(page, 'Runs');
    await keptRuns(page).filter({ hasText: '2 checkpoints' }).waitFor();
    expect(await keptButton(page, 'Delete').isDisabled()).toBe(true);
    await button(page, 'Stop').click();
    await status(page, /stopped/);

    await keptButton(page, 'Show').click();
    await expect.poll(() => keptButton(page, 'Show').getAttribute('aria-pressed')).toBe('true');
    await goTo(page, 'Train');
    // The run at hand is not drawn twice.
    await page.getByRole('img', { name: /^Reward over 1 steps/ }).waitFor();
    await goTo(page, 'Runs');

    await keptButton(page, 'Rename').click();
    await page.getByLabel('Name', { exact: true }).fill('the first');
    await button(page, 'Rename it').click();
    await keptRuns(page).filter({ hasText: 'the first' }).waitFor();
    await page.reload();
    await status(page, /^Ready/);
    await keptRuns(page).filter({ hasText: 'the first' }).waitFor();
    // The user stopped it: nothing was cut off.
    expect(await page.getByTestId('unfinished').count()).toBe(0);

    await keptButton(page, 'Delete').click();
    await page.getByText('None is there yet.').waitFor();
    await page.reload();
    await status(page, /^Ready/);
    await page.getByText('None is there yet.').waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('lets a second tab read a run that a first one trains, and nothing more', async () => {
    const context = await site.newContext();
    const first = await openReady({ ...tiny, max_steps: '500' }, undefined, context);
    await button(first.page, 'Single step').click();
    await status(first.page, /^Step 1 of 500, paused/);
    const { page } = await openReady(tiny, undefined, context);
    await goTo(page, 'Runs');
    await keptRuns(page).filter({ hasText: 'open in another tab' }).waitFor();
    expect(await keptRuns(page).getByRole('button').allTextContents()).toEqual([
      '☆',
      'Show',
      'Duplicate',
      'Download',
      'Rename',
    ]);
    expect(await page.getByTestId('unfinished').count()).toBe(0);
    await keptButton(page, 'Show').click();
    await goTo(page, 'Train');
    await page.getByRole('img', { name: /^Reward over 1 steps/ }).waitFor();
    await goTo(page, 'Runs');
    // The first tab gives it back when another run takes its place.
    await first.page.close();
    await page.reload();
    await status(page, /^Ready/);
    await keptRuns(page).filter({ hasText: 'cut off' }).waitFor();
    expect(await keptButton(page, 'Resume').isEnabled()).toBe(true);
    await context.close();
  });
});

describe('files', () => {
  it('hands a checkpoint over as a zip, and takes it back when it is dropped', async () => {
    const { page, errors } = await openReady({ ...tiny, max_steps: '2' });
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 2 of 2, finished/);
    await goTo(page, 'Runs');
    await keptButton(page, 'Download').click();
    await page.getByLabel('With all sampled completions').check();
    const downloads = page.waitForEvent('download');
    await button(page, 'Download zip').click();
    const download = await downloads;
    expect(download.suggestedFilename()).toBe('papo-nano-shapes-step-2.zip');
    const zip = await readFile(await download.path());
    await page.getByTestId('transferred').waitFor();
    await button(page, 'Close').click();

    const entries = await new ZipReader(new BlobReader(new Blob([zip]))).getEntries();
    const names = entries.map(({ filename }) => filename);
    for (const name of ['config.json', 'model.safetensors', 'README.md', 'curve.png', 'metrics.jsonl'])
      expect(names).toContain(name);
    expect(names.filter((name) => /^completions.*\.parquet$/.test(name.split('/').at(-1)!))).not.toEqual([]);
    const lines = (await text(entries, 'metrics.jsonl'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ step }) => step)).toContain(2);
    expect(await text(entries, 'README.md')).toContain('library_name: transformers');

    await drop(page, 'mine.zip', zip);
    await goTo(page, 'Train');
    await page.getByText('mine.zip: taken for a model, since config.json is among them.').waitFor();
    await page.locator('.loaded', { hasText: /^mine, 1\.0 million parameters/ }).waitFor({ timeout: 60_000 });
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 2 of 2, finished/);

    await drop(page, 'broken.zip', zip.subarray(0, zip.length / 2));
    expect(await page.getByRole('alert').textContent()).toContain('broken.zip');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('pushes with a token that is nowhere afterwards, and says why a push is refused', async () => {
    const { page } = await openReady({ ...tiny, max_steps: '2' });
    const here = new URL(page.url()).origin;
    const asked: { url: string; authorization?: string }[] = [];
    await page.context().route(
      (url) => url.origin !== here && url.protocol.startsWith('http'),
      (route) => {
        const request = route.request();
        asked.push({ url: request.url(), authorization: request.headers().authorization });
        return route.fulfill({
          status: 401,
          headers: { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' },
          json: { error: 'Invalid credentials' },
        });
      },
    );
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 2 of 2, finished/);
    await goTo(page, 'Runs');
    await keptButton(page, 'Push').click();
    const dialog = page.getByRole('dialog');
    const push = dialog.getByRole('button', { name: 'Push', exact: true });
    const token = dialog.getByLabel('Token');
    expect(await token.getAttribute('type')).toBe('password');
    expect(await token.getAttribute('autocomplete')).toBe('off');
    await dialog.getByLabel('Repository').fill('nobody');
    await token.fill('hf_secret');
    await dialog.getByText('expected user/name').waitFor();
    expect(await push.isDisabled()).toBe(true);
    await dialog.getByLabel('Repository').fill('nobody/model');
    await push.click();
    const refusal = dialog.getByRole('alert');
    await refusal.waitFor();
    expect(await refusal.textContent()).toMatch(/token|credentials/i);
    expect(asked[0]?.authorization).toBe('Bearer hf_secret');
    expect(asked.map(({ url }) => url).join()).not.toContain('hf_secret');
    expect(await token.inputValue()).toBe('');
    expect(await page.evaluate(() => document.documentElement.outerHTML)).not.toContain('hf_secret');
    expect(JSON.stringify(await page.context().storageState({ indexedDB: true }))).not.toContain('hf_secret');
    await page.close();
  });

  it('reports bad rows of a dataset, and trains on the good ones when told to', async () => {
    const { page, errors } = await openReady(tiny);
    await goTo(page, 'Rollouts');
    const image = await page
      .locator('.rollouts canvas')
      .first()
      .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const prompt = await page.locator('.rollouts h3').first().textContent();
    const good = { prompt, image, answer: 'red' };
    const rows = [
      good,
      good,
      { ...good, image: 'nowhere.png' },
      good,
      { ...good, prompt: 7 },
      good,
      good,
      good,
    ];
    await goTo(page, 'Train');
    await drop(page, 'mine.jsonl', Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')));
    const dialog = page.getByRole('dialog', { name: 'Dataset mine.jsonl' });
    await dialog.getByText('6 of 8 rows can be used.').waitFor();
    await expect.poll(() => dialog.locator('tbody tr').count()).toBe(2);
    const problems = await dialog
      .locator('tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    expect(problems).toEqual([
      ['3', expect.stringMatching(/nowhere\.png.*expected/)],
      ['5', expect.stringMatching(/prompt is 7; expected a text/)],
    ]);
    expect(await dialog.locator('.previews canvas').count()).toBe(6);

    // Not before the visitor says so.
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    const task = page.getByLabel('Task', { exact: true });
    expect(await task.locator('option').allTextContents()).not.toContain('your data: mine.jsonl');
    await drop(page, 'mine.jsonl', Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n')));
    await button(page, 'Use the 6 good rows').click();
    await expect.poll(() => task.locator('option:checked').textContent()).toBe('your data: mine.jsonl');
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 6, paused/);
    await goTo(page, 'Rollouts');
    expect(await page.locator('.rollouts h3').first().textContent()).toBe(prompt);
    await page.getByText('Right answer: red').first().waitFor();
    await goTo(page, 'Runs');
    await keptRuns(page).filter({ hasText: 'papo-nano, mine.jsonl' }).waitFor();
    await goTo(page, 'Train');
    await page
      .getByTestId('saved')
      .filter({ hasText: /step 0/ })
      .waitFor();

    // It is still there after a reload, and its run goes on with it.
    await page.reload();
    await status(page, /^Ready/);
    await expect.poll(() => task.locator('option').allTextContents()).toContain('your data: mine.jsonl');
    await goTo(page, 'Runs');
    await keptButton(page, 'Resume').click();
    await status(page, /^Step 6 of 6, finished/);
    await goTo(page, 'Train');
    expect(await task.locator('option:checked').textContent()).toBe('your data: mine.jsonl');
    await button(page, 'Remove mine.jsonl from this browser').click();
    await expect.poll(() => task.locator('option').allTextContents()).not.toContain('your data: mine.jsonl');
    expect(errors).toEqual([]);
    await page.close();
  });
});

describe('reward code', () => {
  it('comes with a link switched off, and runs once it is switched on', async () => {
    const code = 'function reward({ completions }) { return completions.map((_, i) => 0.25 + i); }';
    const { page, errors } = await openReady(tiny, code);
    await goTo(page, 'Reward');
    expect(await page.getByLabel('Own reward code').textContent()).toBe(code);
    await page.getByText('This code came with the link. Read it before you switch it on.').waitFor();
    const isOn = page.getByLabel('Run this code');
    expect(await isOn.isChecked()).toBe(false);
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 6, paused/);
    expect(await page.locator('iframe').count()).toBe(0);
    await goTo(page, 'Rollouts');
    expect(await page.locator('.rollouts .rewards').first().textContent()).not.toContain('own_reward');
    await button(page, 'Stop').click();
    await status(page, /stopped/);

    await goTo(page, 'Reward');
    await isOn.check();
    await goTo(page, 'Rollouts');
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 6, paused/);
    const given = (await page.locator('.rollouts .rewards').allTextContents()).join(' ');
    expect(given).toMatch(/own_reward 0\.250/);
    expect(given).toMatch(/own_reward 1\.25/);
    expect(given).toMatch(/boxed_answer/);
    // After a reload the run still has its code, and the page opens a sandbox for it.
    await page.reload();
    await status(page, /^Ready/);
    await goTo(page, 'Reward');
    expect(await page.getByLabel('Run this code').isChecked()).toBe(false);
    await goTo(page, 'Rollouts');
    await page.getByTestId('unfinished').getByRole('button', { name: 'Resume' }).click();
    await status(page, /^Step 6 of 6, finished/);
    expect((await page.locator('.rollouts .rewards').allTextContents()).join(' ')).toMatch(
      /own_reward 0\.250/,
    );
    expect(errors).toEqual([]);
    await page.close();
  });

  it('that fails again and again pauses the run, which goes back to its last checkpoint or on', async () => {
    const { page } = await openReady(tiny, 'function reward() {\n  return nowhere;\n}');
    await goTo(page, 'Reward');
    await field(page, 'boxed_answer').uncheck();
    await page.getByLabel('Run this code').check();
    await button(page, 'Train with PAPO').click();
    await status(page, /paused/);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.getByRole('button').allTextContents()).toEqual([
      'Go on',
      'Go back to the last checkpoint',
      'Dismiss',
    ]);
    // What was wrong is said once, with its line.
    expect(await page.locator('.warnings li', { hasText: "line 2: ReferenceError: 'nowhere'" }).count()).toBe(
      1,
    );
    const at = await stepOf(page);
    await button(page, 'Go back to the last checkpoint').click();
    await expect.poll(() => alert.count()).toBe(0);
    await alert.waitFor({ timeout: 60_000 });
    expect(await stepOf(page)).toBeLessThanOrEqual(at + 2);
    await alert.getByRole('button', { name: 'Go on' }).click();
    await status(page, /finished/);
    await page.close();
  });

  it('needs a reward of some kind', async () => {
    const { page } = await openReady(tiny);
    await goTo(page, 'Reward');
    await field(page, 'boxed_answer').uncheck();
    await page.getByText('expected at least one reward function, built in or your own.').waitFor();
    await button(page, 'Train with PAPO').click();
    await expect
      .poll(() => page.getByLabel('exact_match').evaluate((box) => box === document.activeElement))
      .toBe(true);
    await page.close();
  });
});

it('a lost GPU: one message, and one click goes on to the end on a new device', async () => {
  const { page } = await openReady({ ...tiny, max_steps: '4', save_steps: '1' });
  await page.getByLabel('Device', { exact: true }).selectOption('webgpu');
  await page.getByText(/^WebGPU \(.*\)\.$/).waitFor({ timeout: 60_000 });
  await status(page, /^Ready/);
  await button(page, 'Train with PAPO').click();
  await page
    .getByTestId('saved')
    .filter({ hasText: /step [1-3]/ })
    .waitFor({ timeout: 180_000 });
  await site.crashGpu();
  const alert = page.getByRole('alert');
  await alert.filter({ hasText: /The connection to the GPU was lost/ }).waitFor({ timeout: 60_000 });
  expect(await alert.count()).toBe(1);
  await button(page, 'Resume from the last checkpoint').click();
  await page
    .getByTestId('status')
    .filter({ hasText: /^Step 4 of 4, finished/ })
    .waitFor({ timeout: 180_000 });
  expect(await alert.count()).toBe(0);
  await page.close();
}, 400_000);

describe('a worker that breaks down', () => {
  it.each([
    [
      'with an error',
      (): void =>
        void setTimeout(() => {
          throw new Error('out of luck');
        }),
      /broke down: .*out of luck/,
    ],
    ['without a word', (): void => void self.close(), /broke down: it ended without a word/],
  ] as const)('%s: one message, and one click goes on to the end', async (_, breakDown, message) => {
    const { page } = await openReady({ ...tiny, max_steps: '500' });
    await button(page, 'Train with PAPO').click();
    await page
      .getByTestId('saved')
      .filter({ hasText: /step ([4-9]|\d\d)/ })
      .waitFor({ timeout: 60_000 });
    await page.workers()[0].evaluate(breakDown);
    const alert = page.getByRole('alert');
    await alert.filter({ hasText: message }).waitFor();
    expect(await alert.count()).toBe(1);
    await button(page, 'Resume from the last checkpoint').click({ timeout: 60_000 });
    // Its numbers come back with it, and then more.
    await status(page, /^Step \d+ of 500/);
    const from = await stepOf(page);
    expect(from).toBeGreaterThanOrEqual(4);
    await expect.poll(() => stepOf(page), { timeout: 60_000 }).toBeGreaterThan(from + 1);
    expect(await page.getByRole('alert').count()).toBe(0);
    await button(page, 'Stop').click();
    await status(page, /stopped/);
    await goTo(page, 'Runs');
    expect(await keptRuns(page).count()).toBe(1);
    await page.close();
  });
});

async function text(entries: readonly Entry[], name: string): Promise<string> {
  const entry = entries.find(({ filename }) => filename === name) as FileEntry;
  const text: string = await entry.getData(new TextWriter());
  return text;
}
