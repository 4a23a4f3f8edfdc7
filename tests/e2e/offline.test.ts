/** After the first visit the page works without a network: it opens, trains, and is isolated as before. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

it('opens and trains again with no network', { timeout: 120_000 }, async () => {
  const context = await site.newContext({ serviceWorkers: 'allow' });
  const first = await site.open('', context);
  const { page } = first;
  const ready = () =>
    page
      .getByTestId('status')
      .filter({ hasText: /^Ready/ })
      .waitFor({ timeout: 60_000 });
  await ready();
  await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
  await expect
    .poll(() => page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state))
    .toBe('activated');
  expect(first.errors).toEqual([]);

  await context.setOffline(true);
  // With settings in its address too.
  await page.goto(`${page.url().split('#')[0]}#per_device_train_batch_size=16&num_eval_samples=16`);
  await page.reload();
  await ready();
  expect(await page.evaluate(() => [crossOriginIsolated, navigator.onLine])).toEqual([true, false]);
  await page.getByRole('button', { name: 'Single step', exact: true }).click();
  await page
    .getByTestId('status')
    .filter({ hasText: /^Step 1 of \d+, paused/ })
    .waitFor({ timeout: 60_000 });
  // What was never there stays missing instead of turning into the page.
  const missing = await page.evaluate(async () => {
    const answer = await fetch('models/none/config.json').catch(() => null);
    return answer === null || !answer.ok;
  });
  expect(missing).toBe(true);
  await context.close();
});
