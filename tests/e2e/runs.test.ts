/** Kept runs as a visitor orders them: what changed, names, stars, notes, another one alike, and deleting with undo. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

const tiny = {
  num_generations: '2',
  per_device_train_batch_size: '2',
  num_eval_samples: '1',
  eval_steps: '1000',
  save_steps: '1000',
  max_steps: '1',
};

const runs = (page: Page) => page.locator('.kept-list > li');
const run = (page: Page, name: string) => page.getByRole('listitem', { name, exact: true });
const inRun = (page: Page, name: string, label: string) =>
  run(page, name).getByRole('button', { name: label, exact: true });

async function rename(page: Page, from: string, to: string): Promise<void> {
  await inRun(page, from, 'Rename').click();
  await field(page, 'Name').fill(to);
  await field(page, 'Name').press('Enter');
  await run(page, to).waitFor();
}

/** Bytes that the runs' database takes, by what is in it. */
const storedBytes = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('papo-web-runs');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const all = opening.result.transaction('runs').objectStore('runs').getAll();
          all.onerror = () => reject(all.error);
          all.onsuccess = () => {
            opening.result.close();
            resolve(
              all.result.reduce((sum, value) => sum + (value instanceof Uint8Array ? value.length : 0), 0),
            );
          };
        };
      }),
  );

it('two runs: what differs, names, stars, notes, and another one like the first', async () => {
  const { page, errors } = await site.open(`?${new URLSearchParams(tiny)}`);
  await status(page, /^Ready/);
  await button(page, 'Train with PAPO').click();
  await status(page, /^Step 1 of 1, finished/);
  await goTo(page, 'Runs');
  await page.getByText('The first of these runs.').waitFor();
  await rename(page, 'papo-nano, shapes', 'without');

  const changed = { ...tiny, perception_loss_weight: '0.5', max_steps: '9', panel: 'runs' };
  const hash = `#${new URLSearchParams(changed)}`;
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await expect.poll(() => page.url()).toContain('perception_loss_weight=0.5');
  await button(page, 'Single step').click();
  await status(page, /^Step 1 of 9, paused/);
  await run(page, 'papo-nano, shapes').waitFor();
  // It trains, and is renamed all the same; its trainer does not take that back.
  await rename(page, 'papo-nano, shapes', 'with γ');
  await button(page, 'Single step').click();
  await status(page, /^Step 2 of 9, paused/);
  const notes = run(page, 'with γ').getByLabel('Notes');
  await notes.fill('more than it needs');
  await button(page, 'Stop').click();
  await status(page, /stopped/);
  const changes = await run(page, 'with γ').locator('.changes li').allTextContents();
  expect(changes.sort()).toEqual([
    'max_steps 1 → 9',
    expect.stringMatching(/^perception_loss_weight \S+ → 0\.5$/),
  ]);

  await page.getByRole('button', { name: 'Star without' }).click();
  await expect.poll(() => runs(page).first().getAttribute('aria-label')).toBe('without');
  await page.reload();
  await status(page, /^Ready/);
  await run(page, 'with γ').waitFor();
  expect(await runs(page).first().getAttribute('aria-label')).toBe('without');
  expect(await page.getByRole('button', { name: 'Star without' }).getAttribute('aria-pressed')).toBe('true');
  expect(await notes.inputValue()).toBe('more than it needs');

  await inRun(page, 'without', 'Duplicate').click();
  await page.getByRole('tabpanel', { name: 'Train' }).waitFor();
  expect(page.url()).toContain('max_steps=1');
  expect(page.url()).not.toContain('perception_loss_weight');
  await button(page, 'Train with PAPO').click();
  await status(page, /^Step 1 of 1, finished/);
  expect(errors).toEqual([]);
  await page.close();
});

it('a deleted run comes back with a click; left alone, it and what it stored are gone', async () => {
  const { page, errors } = await site.open(`?${new URLSearchParams(tiny)}#panel=runs`);
  await status(page, /^Ready/);
  await button(page, 'Train with PAPO').click();
  await status(page, /^Step 1 of 1, finished/);
  await rename(page, 'papo-nano, shapes', 'one');
  const ofOne = await storedBytes(page);
  await button(page, 'Train again from the start').click();
  await run(page, 'papo-nano, shapes').waitFor();
  await status(page, /^Step 1 of 1, finished/);
  await rename(page, 'papo-nano, shapes', 'two');
  const ofBoth = await storedBytes(page);
  expect(ofBoth).toBeGreaterThan(1.9 * ofOne);

  // With the keyboard, the next key undoes it.
  await inRun(page, 'one', 'Delete').press('Enter');
  await expect.poll(() => runs(page).count()).toBe(1);
  const undo = page.getByRole('button', { name: 'Undo: bring “one” back' });
  await expect.poll(() => undo.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press('Enter');
  await run(page, 'one').waitFor();
  expect(await page.locator('.deleted p').count()).toBe(0);

  // Each of several can be brought back on its own.
  await inRun(page, 'one', 'Delete').click();
  await inRun(page, 'two', 'Delete').click();
  await page.getByText('None is there yet.').waitFor();
  expect(await storedBytes(page)).toBe(ofBoth);
  await page.getByRole('button', { name: 'Undo: bring “two” back' }).click();
  await run(page, 'two').waitFor();
  await page.mouse.move(0, 0);
  await page.locator('.deleted p').waitFor({ state: 'detached', timeout: 15_000 });
  await expect.poll(() => storedBytes(page)).toBeLessThan(0.6 * ofBoth);
  await page.reload();
  await status(page, /^Ready/);
  await run(page, 'two').waitFor();
  expect(await runs(page).count()).toBe(1);
  expect(errors).toEqual([]);
  await page.close();
});
