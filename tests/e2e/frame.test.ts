/** The frame around the panels: the address, the keys, the colours. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, stepOf } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

const tiny = {
  num_generations: '2',
  per_device_train_batch_size: '4',
  num_eval_samples: '2',
  eval_steps: '1000',
  max_steps: '400',
};
const asHash = (settings: Record<string, string>) => `#${new URLSearchParams(settings)}`;

it('all that is set stands in the address, and the address opens the same experiment', async () => {
  const context = await site.newContext();
  const { page, errors } = await site.open('', context);
  await status(page, /^Ready/);
  // Nothing differs, so nothing is there.
  expect(new URL(page.url()).hash).toBe('');
  await field(page, 'Preset').selectOption('papo-g-7b');
  await field(page, 'Task').selectOption('counting');
  await field(page, 'perception_loss_weight').fill('0.04');
  await goTo(page, 'Reward');
  await field(page, 'format').check();
  await expect.poll(() => new URL(page.url()).hash).toContain('rewards=boxed_answer%2Cformat');
  const shared = page.url();
  expect(Object.fromEntries(new URLSearchParams(new URL(shared).hash.slice(1)))).toEqual({
    preset: 'papo-g-7b',
    task: 'counting',
    perception_loss_weight: '0.04',
    rewards: 'boxed_answer,format',
    panel: 'reward',
  });

  const other = await site.open(new URL(shared).hash);
  await status(other.page, /^Ready/);
  expect(new URL(other.page.url()).hash).toBe(new URL(shared).hash);
  expect(await other.page.getByRole('tab', { selected: true }).textContent()).toBe('Reward');
  expect(await field(other.page, 'format').isChecked()).toBe(true);
  await goTo(other.page, 'Train');
  expect(await field(other.page, 'Preset').inputValue()).toBe('papo-g-7b');
  expect(await field(other.page, 'Task').inputValue()).toBe('counting');
  expect(await field(other.page, 'perception_loss_weight').inputValue()).toBe('0.04');

  // Editing the address of an open page does the same.
  await other.page.evaluate(() => {
    location.hash = '#task=shapes&learning_rate=1e-5';
  });
  await expect.poll(() => field(other.page, 'Task').inputValue()).toBe('shapes');
  expect(await field(other.page, 'learning_rate').inputValue()).toBe('1e-5');
  // Back to the preset: out of the address too.
  await button(other.page, 'Back to the preset').click();
  await expect.poll(() => new URL(other.page.url()).hash).not.toContain('learning_rate');
  expect([...errors, ...other.errors]).toEqual([]);
  await context.close();
});

it('space starts, pauses and goes on, → steps, esc stops, and a field keeps its keys', async () => {
  const { page, errors } = await site.open(asHash(tiny));
  await status(page, /^Ready/);
  await field(page, 'mask_ratio').click();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowRight');
  await page.waitForTimeout(300);
  await status(page, /^Ready/);
  await field(page, 'mask_ratio').fill('0.5');
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());

  await page.keyboard.press('ArrowRight');
  await status(page, /^Step 1 of 400, paused/);
  await page.keyboard.press('Space');
  await expect.poll(() => stepOf(page), { timeout: 60_000 }).toBeGreaterThan(3);
  await page.keyboard.press('Space');
  await status(page, /paused/);
  const at = await stepOf(page);
  await page.keyboard.press('ArrowRight');
  await status(page, new RegExp(`^Step ${at + 1} of 400, paused`));
  await page.keyboard.press('Escape');
  await status(page, /stopped/);

  // The whole navigation by keyboard: the tabs are one stop, the arrow keys move between them, enter opens.
  await page.getByRole('tab', { name: 'Train', exact: true }).focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Rollouts');
  await page.keyboard.press('Enter');
  await page.getByRole('tabpanel', { name: 'Rollouts' }).waitFor();
  expect(errors).toEqual([]);
  await page.close();
});

it('the first stop of the keyboard skips the navigation', async () => {
  const { page } = await site.open();
  await status(page, /^Ready/);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.closest('main')?.id)).toBe('panel');
  await page.close();
});

it('has the colours of the system, or those chosen, also after a reload', async () => {
  const context = await site.newContext({ colorScheme: 'dark' });
  const { page } = await site.open('', context);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(background).not.toBe(dark);
  const light = await background();
  await field(page, 'Colours').selectOption('dark');
  await expect.poll(background).toBe(dark);
  await page.reload();
  expect(await background()).toBe(dark);
  await field(page, 'Colours').selectOption('as the system');
  await expect.poll(background).toBe(light);
  await context.close();
});
