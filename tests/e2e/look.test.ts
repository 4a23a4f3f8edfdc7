/** The panel Look: a picture and its mask, and the answers to both, as a visitor drags and chooses. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateExample } from '../../src/data/examples.ts';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

/** The machine may be busy. */
const patient = { timeout: 30_000 };

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

const computed = async (page: Page, meanwhile?: () => Promise<unknown>) => {
  await meanwhile?.();
  // It says that it computes before it says that it has.
  await page.waitForTimeout(50);
  await page.getByText(/^Computed in \d+ ms/).waitFor({ timeout: 60_000 });
};

/** The picture and the masked one, in the model's own pixels, [64 · 64][RGB]. */
const pixels = (page: Page, which: 0 | 1): Promise<number[]> =>
  page
    .locator('.look-pictures canvas')
    .nth(which)
    .evaluate((element) => {
      const { width } = element as HTMLCanvasElement;
      const context = (element as HTMLCanvasElement).getContext('2d')!;
      const size = width / 64;
      return Array.from({ length: 64 * 64 }, (_, i) => {
        const [x, y] = [((i % 64) + 0.5) * size, (Math.floor(i / 64) + 0.5) * size];
        return [...context.getImageData(x, y, 1, 1).data.subarray(0, 3)];
      }).flat();
    });

const blackShare = (all: number[]) =>
  all.filter((_, i) => i % 3 === 0 && all[i] + all[i + 1] + all[i + 2] === 0).length / (64 * 64);

/** Answers as the table has them: label, counts with the picture and with it masked. */
const answers = (page: Page) =>
  page
    .locator('.look-right table')
    .first()
    .locator('tbody tr')
    .evaluateAll((rows) =>
      rows.map((row) => ({
        label: row.querySelector('th')?.textContent?.trim() ?? '',
        counts: [...row.querySelectorAll('[title]')].map((bar) =>
          Number(/^\d+/.exec(bar.getAttribute('title') ?? '')?.[0]),
        ),
      })),
    );

describe('Look', () => {
  it('shows a picture, its mask as it is set, and the answers to both', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    await goTo(page, 'Look');
    await computed(page);
    const example = generateExample(0, 'train', 0, 'shapes');
    expect(await textOf(page.locator('.look-question'))).toContain(`Question: ${example.prompt}`);
    expect(await textOf(page.locator('.look-question'))).toContain(`Right answer: ${example.answer}`);
    // Without the grid the canvas shows the task's very pixels.
    await field(page, 'Patches and image tokens').uncheck();
    expect(await pixels(page, 0)).toEqual([...example.image.data]);

    const first = await answers(page);
    for (const view of [0, 1])
      expect(
        first.reduce((sum, { counts }) => sum + counts[view], 0),
        String(view),
      ).toBe(64);
    expect(first.some(({ label }) => label === `${example.answer} right`)).toBe(true);

    // The ratio, by keyboard: all of it is black, and the masked answers no longer depend on the picture.
    const ratio = page.getByRole('slider', { name: 'mask_ratio' });
    await ratio.focus();
    await computed(page, () => page.keyboard.press('End'));
    expect(await ratio.getAttribute('aria-valuetext')).toBe('100 %');
    expect(blackShare(await pixels(page, 1))).toBe(1);
    const blind = (await answers(page)).map(({ label, counts }) => [label, counts[1]]);
    expect(blind).not.toEqual(first.map(({ label, counts }) => [label, counts[1]]));
    // Nothing of it masked: both views are one.
    await computed(page, () => page.keyboard.press('Home'));
    expect(await pixels(page, 1)).toEqual(await pixels(page, 0));
    for (const { label, counts } of await answers(page)) expect(counts[1], label).toBe(counts[0]);

    // Tokens: the completion word by word, one looked at closely.
    const tokens = page.locator('.token-strip button');
    expect((await tokens.allTextContents()).slice(0, 1)).toEqual(['<think>']);
    await tokens.nth(1).focus();
    expect(await textOf(page.locator('.token-choices h4'))).toMatch(
      new RegExp(`^At the place of “${await textOf(tokens.nth(1))}”`),
    );
    const shares = await page.locator('.token-choices tbody tr td:first-of-type').allTextContents();
    expect(shares.length).toBeGreaterThanOrEqual(5);
    expect(errors).toEqual([]);
    await page.close();
  });

  it('has every kind of mask, draws others, and hands the settings to the next run', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    await goTo(page, 'Look');
    await computed(page);
    const options = await field(page, 'mask_type')
      .locator('option')
      .evaluateAll((all) => all.map((option) => (option as HTMLOptionElement).value));
    expect(options).toEqual(['patch_black', 'random', 'patch', 'grid', 'semantic']);
    const seen = new Set([String(await pixels(page, 1))]);
    await computed(page, () => button(page, 'Draw another mask').click());
    seen.add(String(await pixels(page, 1)));
    for (const kind of ['patch', 'semantic']) {
      await computed(page, () => field(page, 'mask_type').selectOption(kind));
      seen.add(String(await pixels(page, 1)));
    }
    expect(seen.size).toBe(4);
    await page.getByRole('img', { name: 'Colour scale of the saliency' }).waitFor();
    // 60 % of 64 patches, rounded down.
    await field(page, 'Patches and image tokens').uncheck();
    expect(blackShare(await pixels(page, 1))).toBe(38 / 64);

    await button(page, 'Use these settings for the next run').click();
    await page.getByText('The settings of the next run have this mask.').waitFor();
    await expect.poll(() => page.url(), patient).toContain('mask_type=semantic');

    // Another picture.
    await computed(page, () => button(page, 'Next').click());
    expect(await textOf(page.locator('.look-question'))).toContain(
      generateExample(0, 'train', 1, 'shapes').prompt,
    );
    expect(errors).toEqual([]);
    await page.close();
  });

  it('asks the model that trains, and says with which weights', async () => {
    const { page, errors } = await site.open(
      '#per_device_train_batch_size=16&num_eval_samples=16&max_steps=200&eval_steps=200',
    );
    await status(page, /^Ready/);
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step [1-9]/);
    await goTo(page, 'Look');
    // While it trains.
    await page.getByText(/^Computed in \d+ ms, with the weights of step \d+\.$/).waitFor({ timeout: 60_000 });
    await button(page, 'Pause').click();
    await status(page, /paused/);
    const step = /Step (\d+)/.exec(await textOf(page.getByTestId('status')))?.[1];
    await page.getByText(new RegExp(`with the weights of step ${step}\\.$`)).waitFor({ timeout: 30_000 });
    expect(await button(page, 'Use these settings for the next run').isDisabled()).toBe(true);
    await computed(page, () => field(page, 'Whose answers').selectOption('base'));
    expect(await textOf(page.getByTestId('look-took'))).toMatch(/^Computed in \d+ ms\.$/);
    expect(errors).toEqual([]);
    await page.close();
  });
});
