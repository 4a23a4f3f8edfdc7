/** The panel Data: tasks and datasets with their numbers, rows that cannot be used, and training on what is chosen. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(async () => {
  await site?.close();
});

const detail = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const card = (page: Page, name: string) => page.locator('.card').filter({ has: button(page, name) });

describe('the panel Data', () => {
  it('shows the tasks with samples and numbers, and trains on the one that is chosen', async () => {
    const { page, errors } = await site.open('#panel=data');
    await status(page, /^Ready/);
    expect(await textOf(card(page, 'shapes'))).toContain('for the next run');
    expect(await textOf(card(page, 'shapes'))).toMatch(/shape 20 %.*add 30 %/);
    const answers = detail(page, 'Questions and answers');
    await answers.getByText('Counted over the first 2,000 training questions').waitFor();
    // The model's tokens come with it.
    await answers.getByText('of the loaded model').waitFor();
    expect(await answers.getByRole('table').count()).toBe(5);

    await button(page, 'emoji').click();
    const emoji = detail(page, 'emoji');
    await expect.poll(() => emoji.locator('canvas').count()).toBe(12);
    await button(page, 'More samples').click();
    await expect.poll(() => emoji.locator('canvas').count()).toBe(24);
    const table = answers.getByRole('table');
    await table.getByText('emoji_color').waitFor();
    // The six colours; their shares add up to 1, and the most common is what guessing is right in.
    const shares = (await table.locator('tbody td').allTextContents()).map((text) => Number.parseFloat(text));
    expect(shares).toHaveLength(6);
    expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(100, 0);
    const guessing = Number.parseFloat(await textOf(answers.locator('.figures strong').first()));
    expect(Math.abs(guessing - shares[0])).toBeLessThanOrEqual(0.6);
    const license = await page.request.get(
      new URL((await emoji.getByRole('link').getAttribute('href'))!, page.url()).href,
    );
    expect(await license.text()).toContain('Copyright (c) Microsoft Corporation');

    await button(page, 'Train on this').click();
    await card(page, 'emoji').getByText('for the next run').waitFor();
    await button(page, 'Go to Train').click();
    expect(await field(page, 'Task').inputValue()).toBe('emoji');
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('.settings details')) details.setAttribute('open', '');
    });
    for (const [name, value] of Object.entries({
      per_device_train_batch_size: '16',
      num_eval_samples: '16',
      max_steps: '2',
    }))
      await field(page, name).fill(value);
    await expect.poll(() => page.locator('.setting.changed').count()).toBe(3);
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 2 of 2, finished/);
    await goTo(page, 'Rollouts');
    await page
      .getByText(/^which color @/)
      .first()
      .waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('shows what stands in every bad row, keeps the good ones, and removes them when told to', async () => {
    const { page, errors } = await site.open('#panel=data');
    await status(page, /^Ready/);
    // A picture of the page's own, so that the file's other rows are right.
    const image = await page
      .locator('.previews canvas')
      .first()
      .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const good = { prompt: 'which color @3', image, answer: 'red' };
    const bad = Array.from({ length: 7 }, (_, i) => ({ ...good, prompt: 70 + i, answer: `answer ${i}` }));
    const lines = [good, ...bad, { ...good, answer: 'blue' }].map((row) => JSON.stringify(row));
    lines.splice(2, 0, '{"prompt": "cut off');
    await page.locator('input[type=file][aria-label="Open a dataset…"]').setInputFiles({
      name: 'mine.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from(lines.join('\n')),
    });
    const dialog = page.getByRole('dialog', { name: 'Dataset mine.jsonl' });
    await dialog.getByText('2 of 10 rows').waitFor();
    const rows = dialog.locator('tbody tr');
    await expect.poll(() => rows.count()).toBe(5);
    expect(await textOf(rows.nth(0))).toMatch(/^2.*prompt is 70; expected a text.*answer 0/);
    expect(await rows.nth(0).locator('canvas').count()).toBe(1);
    expect(await textOf(rows.nth(1))).toMatch(/^3.*not valid JSON.*\{"prompt": "cut off/);
    await dialog.getByText('1 to 5 of 8').waitFor();
    await dialog.getByRole('button', { name: 'Next' }).click();
    await dialog.getByText('6 to 8 of 8').waitFor();
    await expect.poll(() => rows.count()).toBe(3);
    expect(await textOf(rows.nth(2))).toMatch(/^9.*prompt is 76; expected a text.*answer 6/);
    await dialog.getByRole('button', { name: 'Use the 2 good rows' }).click();

    await card(page, 'mine.jsonl').getByText('for the next run').waitFor();
    await button(page, 'mine.jsonl').click();
    const answers = detail(page, 'Questions and answers');
    await answers.getByText('Counted over all 2 usable rows.').waitFor();
    expect(await textOf(answers.locator('.figures strong').first())).toBe('50 %');
    await detail(page, 'Rows that cannot be used').getByText('6 to 8 of 8').waitFor();

    await page.getByRole('button', { name: 'Remove mine.jsonl …' }).click();
    await button(page, 'Remove it').click();
    await expect.poll(() => card(page, 'mine.jsonl').count()).toBe(0);
    await card(page, 'shapes').getByText('for the next run').waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('says what is wrong where no row can be used; its own example can be opened', async () => {
    const { page, errors } = await site.open('#panel=data');
    await status(page, /^Ready/);
    const input = page.locator('input[type=file][aria-label="Open a dataset…"]');
    await input.setInputFiles({
      name: 'none.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from('{"prompt": "no image"}'),
    });
    const none = page.getByRole('dialog', { name: 'Dataset none.jsonl' });
    await none.getByText('No row can be used').waitFor();
    await none.getByText('there is no image; expected a column image').waitFor();
    expect(await none.getByRole('button', { name: /^Use/ }).count()).toBe(0);
    await none.getByRole('button', { name: 'Cancel' }).click();

    const download = page.waitForEvent('download');
    await button(page, 'Download an example').click();
    await input.setInputFiles(await (await download).path());
    const dialog = page.getByRole('dialog');
    await dialog.getByText('12 of 12 rows').waitFor();
    await dialog.getByRole('button', { name: 'Use the 12 rows' }).click();
    await page.locator('.card').filter({ hasText: '12 usable rows' }).waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });
});
