/** Comparing two settings with the same seed, with a reload in the middle, in Chromium. */
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

const address = '?per_device_train_batch_size=16&num_eval_samples=16#panel=compare';

describe('the panel Compare', () => {
  it('runs both, goes on after a reload, and says what differs', async () => {
    const context = await site.newContext();
    const { page, errors } = await site.open(address, context);
    await status(page, /^Ready/);
    await field(page, 'Pair of settings').selectOption('own');
    await field(page, 'First: settings').fill('mask_ratio=7');
    await button(page, 'Run both with the same seed').click();
    await page.getByRole('alert').filter({ hasText: 'First: mask_ratio: expected a number' }).waitFor();
    await field(page, 'Pair of settings').selectOption('papo');
    await field(page, 'Steps a run').fill('2');
    await field(page, 'Held-out questions').selectOption('16');
    await button(page, 'Run both with the same seed').click();
    await page.getByTestId('comparing').filter({ hasText: 'Run 2 of 2' }).waitFor({ timeout: 90_000 });

    await page.reload();
    await status(page, /^Ready/);
    await page.getByText(/^1 of 2 runs are done\./).waitFor();
    expect(await page.getByTestId('differs').textContent()).toMatch(/^Said when all runs are measured/);
    await button(page, 'Go on: 1 run to go').click();
    const sentence = page.getByTestId('differs').filter({ hasText: 'With one seed' });
    await sentence.waitFor({ timeout: 90_000 });
    expect(await textOf(sentence)).toMatch(
      /^With one seed, on 16 held-out questions, GRPO answers .* right and PAPO .*(No difference was shown|more right than|fewer right than).*This says nothing of other seeds/,
    );
    const rows = page.locator('.compare-table tbody tr');
    expect(await rows.count()).toBe(8);
    expect(await textOf(rows.filter({ hasText: 'Perception KL' }))).toMatch(/\d \[\d/);
    // Both runs over each other, and both among the kept ones.
    await page.getByRole('img', { name: /^Accuracy/ }).waitFor();
    expect(await page.getByRole('img', { name: /^Accuracy/ }).getAttribute('aria-label')).toMatch(
      /GRPO, seed 1.*PAPO, seed 1/,
    );
    await goTo(page, 'Runs');
    for (const name of ['GRPO, seed 1', 'PAPO, seed 1'])
      expect(await page.getByText(name, { exact: true }).count(), name).toBe(1);
    // The form is as it was.
    expect(page.url()).toContain('per_device_train_batch_size=16');
    expect(page.url()).not.toContain('run_name');
    expect(errors).toEqual([]);
    await context.close();
  });
});
