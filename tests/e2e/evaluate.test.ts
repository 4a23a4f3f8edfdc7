/** Measuring the model before and after two steps, in Chromium. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, status, textOf } from './steps.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(async () => {
  await site?.close();
});

const settings =
  '?per_device_train_batch_size=16&num_eval_samples=16&eval_steps=2&max_steps=3&learning_rate=1e-3';

describe('the panel Evaluate', () => {
  it('answers held-out questions before and after, in three views, and hands the answers out', async () => {
    const { page, errors } = await site.open(`${settings}#panel=evaluate`);
    await status(page, /^Ready/);
    // Eight images, answered before anything was trained.
    await page.getByText(/^\d of 8 right at step 0\.$/).waitFor({ timeout: 90_000 });
    expect(await page.locator('.fixed-questions canvas').count()).toBe(8);
    await field(page, 'Questions').selectOption('16');
    await field(page, 'Answers a question (k)').selectOption('2');
    await button(page, 'Evaluate').click();
    const results = page.getByTestId('evaluation');
    await results.waitFor({ timeout: 90_000 });
    expect(await textOf(results.getByRole('status'))).toMatch(
      /^On the image .* answers \d+ % \[\d+, \d+\] right\.$/,
    );

    // Two steps, then held still: what is asked is the model between two updates.
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 3, paused/);
    await button(page, 'Single step').click();
    await status(page, /^Step 2 of 3, paused/);
    await page.getByText(/^\d of 8 right at step 0, \d of 8 at step 2\.$/).waitFor({ timeout: 90_000 });
    await page.getByText(/take turns/).waitFor();
    await button(page, 'Evaluate again').click();
    await results.getByText(/^On the image: \d+ % .* right before, \d+ % .* after\. Difference/).waitFor({
      timeout: 90_000,
    });
    const tables = results.locator('table');
    expect(await tables.count()).toBe(3);
    const all = await textOf(tables.first().getByRole('row', { name: /^all n = 16/ }));
    expect(all).toMatch(
      /n = 16\d+ % \[\d+, \d+\]\d+ % \[\d+, \d+\][+−]?\d+\.\d \[[+−]?\d+\.\d, [+−]?\d+\.\d\]$/,
    );

    const waiting = page.waitForEvent('download');
    await button(page, 'Every answer as CSV').click();
    const csv = await readFile(await (await waiting).path(), 'utf8');
    // Two models, three views, sixteen questions, two answers.
    expect(csv.trimEnd().split('\r\n')).toHaveLength(1 + 2 * 3 * 16 * 2);
    // The table says what the answers say.
    const right = csv.split('\r\n').filter((line) => /^1,image,.*,true,\w*$/.test(line)).length;
    expect(all).toContain(`n = 16${((100 * right) / 32).toFixed(0)} %`);

    await field(page, 'Questions').selectOption('512');
    await button(page, 'Evaluate again').click();
    await page
      .getByTestId('evaluating')
      .filter({ hasText: /of 3072 questions/ })
      .waitFor();
    await button(page, 'Cancel').click();
    await button(page, 'Evaluate again').waitFor();
    // What was measured before stays, and the run goes on.
    expect(await results.getByText(/^16 held-out questions/).count()).toBe(1);
    await button(page, 'Go on').click();
    await status(page, /^Step 3 of 3, finished/);
    expect(errors).toEqual([]);
    await page.close();
  });
});
