/** Rollouts of any past step: found again, coloured, read token by token, and there after a reload. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(() => site?.close());

const heading = (page: Page) => page.locator('#rollouts-title');
const rollouts = (page: Page) => page.locator('.rollouts');

/** The worker answers between two updates, and slow machines take their time for these. */
const until = <T>(look: () => Promise<T>) => expect.poll(look, { timeout: 20_000 });

/** Everything that is said of the prompts on show: its text, numbers, and images. */
async function shownGroups(page: Page) {
  // The list follows its heading and its controls in slices.
  await rollouts(page).locator('.groups[aria-busy=false] .token').first().waitFor();
  const group = rollouts(page).locator('.groups');
  const images = await group
    .locator('canvas')
    .evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
  const shares = await group
    .locator('.token')
    .evaluateAll((all) => all.map((token) => (token as HTMLElement).style.getPropertyValue('--share')));
  return { text: await textOf(group), images, shares };
}

async function lookAt(page: Page, step: number): Promise<void> {
  await field(page, 'Step').fill(String(step));
  await field(page, 'Step').press('Enter');
  await heading(page)
    .filter({ hasText: `Rollouts of step ${step}` })
    .waitFor();
}

describe('rollouts', () => {
  it('of a past step are there again, with every token’s numbers, after a reload too', async () => {
    const context = await site.newContext();
    const settings =
      'per_device_train_batch_size=24&max_steps=3&num_eval_samples=16&num_iterations=3&learning_rate=1e-3';
    const { page, errors } = await site.open(`#${settings}`, context);
    await status(page, /^Ready/);
    await goTo(page, 'Rollouts');
    await heading(page).filter({ hasText: 'What will be asked' }).waitFor();
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 3, paused/);
    await heading(page).filter({ hasText: 'Rollouts of step 1' }).waitFor({ timeout: 60_000 });
    const one = await shownGroups(page);
    await button(page, 'Go on').click();
    await status(page, /^Step 3 of 3, finished/);
    await heading(page).filter({ hasText: 'Rollouts of step 3' }).waitFor();
    const three = await shownGroups(page);

    await until(() => button(page, 'One step earlier').isEnabled()).toBe(true);
    // Back to step 1: what was shown while it was the newest. Step 3 trained on the same answers once more.
    await lookAt(page, 1);
    expect(await shownGroups(page)).toEqual(one);
    expect(three.text).toContain('Advantage');
    expect(three.shares).not.toEqual(one.shares);
    expect(await field(page, 'Follow the newest').isChecked()).toBe(false);

    // The pointer shows both probabilities.
    const token = rollouts(page).locator('.tokens .token').nth(2);
    await token.hover();
    const tip = page.getByRole('tooltip', { includeHidden: true });
    const probability = async (name: string) => {
      const row = tip.locator('dl > div').filter({ hasText: name });
      return Number((await textOf(row.locator('dd'))).replaceAll('−', '-'));
    };
    const [seen, masked] = [
      await probability('Probability with the image'),
      await probability('with it masked'),
    ];
    for (const share of [seen, masked]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThanOrEqual(1);
    }
    expect(await probability('KL, nats')).toBeGreaterThanOrEqual(0);
    expect(await probability('Policy ratio')).toBe(1);

    // So do the arrow keys; each completion is one stop of the tab key, and what is read aloud has the numbers.
    const list = page.getByRole('listbox', { name: 'Tokens of completion 1' }).first();
    await list.getByRole('option').first().focus();
    await page.keyboard.press('ArrowRight');
    const focused = list.locator('.token:focus');
    await until(() => focused.getAttribute('aria-label')).toMatch(
      /Probability with the image [\d.e−]+, with it masked [\d.e−]+, KL, nats [\d.e−]+, Entropy/,
    );
    expect(await focused.getAttribute('data-token')).toBe('1');
    await page.keyboard.press('End');
    await until(() => list.locator('.token:focus + .token').count()).toBe(0);
    await page.keyboard.press('Tab');
    expect(
      await page.evaluate(() =>
        document.activeElement?.closest('[role=listbox]')?.getAttribute('aria-label'),
      ),
    ).toBe('Tokens of completion 2');
    // → on a token is no step of training.
    await status(page, /^Step 3 of 3, finished/);

    // Other colours: the ratio of step 1 is 1, of step 3 not; every choice has a legend with numbers.
    const colour = (name: string) => page.getByRole('radio', { name, exact: true });
    await colour('policy ratio').click();
    await page.getByRole('list', { name: 'Colours by policy ratio' }).getByText('1.25').waitFor();
    await until(async () => new Set((await shownGroups(page)).shares)).toEqual(new Set(['0%']));
    await lookAt(page, 3);
    await until(async () => new Set((await shownGroups(page)).shares).size).toBeGreaterThan(1);
    await colour('advantage').click();
    await page.getByRole('list', { name: 'Colours by advantage' }).getByText('−2').waitFor();
    await colour('entropy').click();
    await page.getByRole('list', { name: 'Colours by entropy' }).waitFor();
    await colour('KL').click();
    await until(async () => (await shownGroups(page)).shares).toEqual(three.shares);

    // All prompts, fewer of them, and in the order of their KL.
    await button(page, 'Show all 3 prompts').click();
    await until(() => rollouts(page).locator('.group').count()).toBe(3);
    await field(page, 'Order').selectOption('highest mean KL first');
    await until(async () => {
      const hints = await rollouts(page)
        .locator('.group .text > .hint:not(.completion-head)')
        .allTextContents();
      const kls = hints.map((hint) => Number(/Mean KL ([\d.e−]+) nats/.exec(hint)?.[1].replace('−', '-')));
      return kls.length === 3 && kls.every((kl, i) => i === 0 || kl <= kls[i - 1]);
    }).toBe(true);
    await field(page, 'Order').selectOption('as drawn');
    await field(page, 'Prompts').selectOption('with a spread of rewards');
    await page.getByText(/^\d of 3 prompts$/).waitFor();
    expect(errors).toEqual([]);

    // In a new page the run is one of those that are kept.
    await page.reload();
    await status(page, /^Ready/);
    await goTo(page, 'Rollouts');
    const run = rollouts(page).getByLabel('Run', { exact: true });
    const name = await textOf(run.locator('option').nth(1));
    expect(name).toMatch(/to step 3/);
    await run.selectOption(name);
    await heading(page).filter({ hasText: 'Rollouts of step 3' }).waitFor();
    expect(await shownGroups(page)).toEqual(three);
    await button(page, 'One step earlier').click();
    await heading(page).filter({ hasText: 'Rollouts of step 2' }).waitFor();
    await page.getByRole('slider', { name: 'Steps that are kept' }).press('Home');
    await heading(page).filter({ hasText: 'Rollouts of step 1' }).waitFor();
    expect(await shownGroups(page)).toEqual(one);
    await field(page, 'Follow the newest').check();
    await heading(page).filter({ hasText: 'Rollouts of step 3' }).waitFor();
    expect(errors).toEqual([]);
    await context.close();
  });
});
