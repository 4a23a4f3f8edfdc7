/** The lesson from its first step to its last, done by clicking what it says. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, goTo, status, textOf } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

const titles = [
  'What a group is',
  'Why GRPO alone can ignore the picture',
  'What the mask does',
  'The perception term',
  'Hacking it',
  'Double entropy as the cure',
  'The measured difference',
  'Take it home',
  'Now with a real model',
];

const lesson = (page: Page) => page.getByRole('complementary', { name: 'Lesson' });
const check = (page: Page) => page.getByTestId('lesson-check');
const happened = (page: Page, timeout = 240_000) =>
  check(page).filter({ hasText: 'It happened' }).waitFor({ timeout });

async function turnTo(page: Page, step: number): Promise<void> {
  await lesson(page)
    .getByRole('heading', { name: titles[step - 1], level: 3 })
    .waitFor();
  expect(await textOf(lesson(page))).toContain(`Step ${step} of 9`);
}

it('is done by clicking what it says, goes on after a reload, and gives the settings back', async () => {
  const context = await site.newContext({ acceptDownloads: true });
  const { page, errors } = await site.open('#task=counting&seed=7', context);
  await status(page, /^Ready/);
  const before = page.url();
  await button(page, 'Lesson').click();

  await turnTo(page, 1);
  expect(await textOf(check(page))).toContain('Nothing measured yet');
  await button(page, 'Do it').click();
  await happened(page);
  expect(await textOf(check(page))).toMatch(/\d of 8 answers have the highest reward/);
  await page.getByRole('tabpanel', { name: 'Rollouts' }).waitFor();

  await button(page, 'Next').click();
  await turnTo(page, 2);
  await button(page, 'Do it').click();
  await happened(page);
  expect(await textOf(check(page))).toMatch(/\d+ of \d+ rewarded answers hardly needed the picture/);

  await button(page, 'Next').click();
  await turnTo(page, 3);
  await button(page, 'Do it').click();
  await happened(page);
  expect(await textOf(check(page))).toMatch(/\d+ % of the picture is hidden/);

  // Left and continued, across panels and a reload.
  await goTo(page, 'Data');
  await turnTo(page, 3);
  await page.reload();
  await status(page, /^Ready/);
  await turnTo(page, 3);
  await happened(page);

  await button(page, 'Next').click();
  await turnTo(page, 4);
  await button(page, 'Do it').click();
  await happened(page);
  expect(await textOf(check(page))).toMatch(/held-out accuracy from \d+ % ± \d+ % to \d+ %/);

  await button(page, 'Next').click();
  await turnTo(page, 5);
  await button(page, 'Do it').click();
  await happened(page);
  await status(page, /finished/);

  await button(page, 'Next').click();
  await turnTo(page, 6);
  await button(page, 'Do it').click();
  await happened(page);

  await button(page, 'Next').click();
  await turnTo(page, 7);
  await button(page, 'Do it').click();
  await happened(page);
  expect(await textOf(check(page))).toMatch(
    /on 256 held-out questions, γ alone answers [\d.]+ % right and γ with double entropy/,
  );

  await button(page, 'Next').click();
  await turnTo(page, 8);
  await button(page, 'Do it').click();
  const run = page.getByRole('listitem', { name: 'Lesson: PAPO' });
  await run.getByRole('button', { name: 'Download' }).click();
  const download = page.waitForEvent('download');
  await button(page, 'Download zip').click();
  expect((await download).suggestedFilename()).toMatch(/\.zip$/);
  await page.getByTestId('transferred').waitFor();
  await page.keyboard.press('Escape');
  await happened(page);

  await button(page, 'Next').click();
  await turnTo(page, 9);
  await button(page, 'Do it').click();
  // Without a real model it opens the door to them, and loads none by itself.
  await page.getByRole('dialog', { name: 'Choose a model' }).waitFor();
  await page.keyboard.press('Escape');
  expect(await textOf(check(page))).toContain('Waits for a step with LoRA of a large model');

  // The others are ticked.
  const places = lesson(page).getByRole('list', { name: 'Steps of the lesson' });
  for (const title of titles.slice(0, -1))
    await places.getByRole('button', { name: `${title}, done` }).waitFor();

  await button(page, 'End the lesson').click();
  await expect.poll(() => lesson(page).count()).toBe(0);
  await goTo(page, 'Train');
  expect(page.url()).toBe(before);
  expect(errors).toEqual([]);
  await context.close();
}, 900_000);
