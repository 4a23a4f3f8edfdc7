/** axe finds nothing: every panel, before and after a run, light and dark, wide and narrow, and the dialogs. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { text } from '../../src/ui/text.ts';
import { type Site, serveSite } from './site.ts';
import { button, goTo, status } from './steps.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const panels = Object.values(text.shell.panels);
const tiny = new URLSearchParams({
  num_generations: '2',
  per_device_train_batch_size: '4',
  num_eval_samples: '4',
  eval_steps: '1',
  max_steps: '2',
});

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

/** Each finding in a line: the rule, and the first element that breaks it. */
async function findings(page: Page): Promise<string[]> {
  // What fades or moves in is judged when it has come to rest.
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)));
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.length}) ${nodes[0].html}`);
}

describe.each([
  ['light', 1280],
  ['dark', 360],
] as const)('%s, %i pixels wide', (colorScheme, width) => {
  it('on every panel, before and after a run, with the lesson, and in the dialogs', {
    timeout: 180_000,
  }, async () => {
    const context = await site.newContext({ colorScheme, viewport: { width, height: 800 } });
    await context.addInitScript(axe);
    const { page, errors } = await site.open(`#${tiny}`, context);
    const found: Record<string, string[]> = {};
    const look = async (where: string) => {
      const here = await findings(page);
      if (here.length > 0) found[where] = here;
      // Nothing is cut off: the page does not scroll sideways.
      const sideways = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (sideways > 0) found[`${where}, too wide`] = [`${sideways} pixels`];
    };
    await look('while it loads');
    await status(page, /^Ready/);
    for (const panel of panels) {
      await goTo(page, panel);
      await look(`${panel}, before a run`);
    }
    await goTo(page, text.shell.panels.train);
    await button(page, text.models.choose).click();
    const picker = page.getByRole('dialog', { name: text.models.title });
    // Planned for the device: nothing is being worked out any more.
    await expect.poll(() => picker.getByText(text.models.workingOut).count(), { timeout: 90_000 }).toBe(0);
    await look('model picker');
    await page.keyboard.press('Escape');
    await page.getByText(text.models.plan.title, { exact: true }).click();
    await page.getByRole('table', { name: text.models.plan.table }).waitFor({ timeout: 30_000 });
    await look('memory plan');
    await page.getByText(text.models.plan.title, { exact: true }).click();
    await button(page, text.shell.lesson).click();
    await look('lesson');
    await button(page, text.shell.lesson).click();
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step 2 of 2, finished/);
    for (const panel of panels) {
      await goTo(page, panel);
      await look(`${panel}, after a run`);
    }
    await goTo(page, text.shell.panels.runs);
    for (const dialog of ['Download', 'Push']) {
      await page.locator('.kept-list').getByRole('button', { name: dialog, exact: true }).click();
      await page.getByRole('dialog').waitFor();
      await look(`${dialog} dialog`);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    // A setting that is wrong, said at its field.
    await page.evaluate(() => {
      location.hash = '#mask_ratio=2';
    });
    await goTo(page, text.shell.panels.train);
    await page.getByText('mask_ratio: expected a number', { exact: false }).first().waitFor();
    await look('a wrong setting');
    expect(found).toEqual({});
    expect(errors).toEqual([]);
    await context.close();
  });
});
