/** Rewards as a visitor writes them: errors on their line, what they give to samples, and training with them. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

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
  max_steps: '2',
};

async function openReward(code?: string): Promise<{ page: Page; errors: string[] }> {
  const hash = new URLSearchParams({ panel: 'reward', ...(code !== undefined && { reward: code }) });
  const opened = await site.open(`?${new URLSearchParams(tiny)}#${hash}`);
  await status(opened.page, /^Ready/);
  return opened;
}

const editor = (page: Page) => page.locator('.cm-content').and(page.getByLabel('Own reward code'));
const problem = (page: Page, text: string | RegExp) =>
  page.getByTestId('code-problem').filter({ hasText: text }).waitFor();
/** Numbers of the lines that have a mark in the editor's margin. */
const marked = (page: Page) =>
  page.locator('.cm-lint-marker-error').evaluateAll((marks) =>
    marks.map((mark) => {
      const { top, height } = mark.getBoundingClientRect();
      const lines = (mark.getRootNode() as ShadowRoot).querySelectorAll('.cm-lineNumbers .cm-gutterElement');
      const isBeside = (line: Element) => {
        const box = line.getBoundingClientRect();
        return box.height > 0 && box.top <= top + height / 2 && top + height / 2 < box.bottom;
      };
      return Number([...lines].find(isBeside)?.textContent);
    }),
  );
const heads = (page: Page) => page.locator('.trial thead th').allTextContents();
/** Of the first question's completions: right, wrong, in no form. */
const firstRows = async (page: Page) =>
  page
    .locator('.trial tbody')
    .first()
    .locator('tr')
    .evaluateAll((rows) =>
      rows.slice(1).map((row) => [...row.children].slice(1).map((cell) => cell.textContent)),
    );

const typed = `function reward({ completions, answer }: { completions: string[]; answer: string[] }): number[] {
  return completions.map((text: string, i) => (text.includes(answer[i]) ? 2 : 0.5));
}`;

it('an error stands on its line; mended, the code is tried on samples and trained with, types and all', async () => {
  const { page, errors } = await openReward();
  await expect.poll(() => heads(page)).toEqual(['Completion', 'boxed_answer', 'Sum']);
  expect(await firstRows(page)).toEqual([
    ['1', '1'],
    ['0', '0'],
    ['0', '0'],
  ]);

  // What cannot be read is said without running anything.
  await editor(page).fill('function reward({ completions }) {\n  return [1,;\n}');
  await problem(page, /^Line 2: SyntaxError/);
  await expect.poll(() => marked(page)).toEqual([2]);
  expect(await page.locator('iframe').count()).toBe(0);
  await editor(page).fill('function reward({ completions }) {\n\n  return nowhere;\n}');
  await problem(page, /^The code is read as you type/);
  expect(await marked(page)).toEqual([]);
  expect(await page.locator('iframe').count()).toBe(0);

  await field(page, 'Run this code').check();
  await problem(page, "Line 3: ReferenceError: 'nowhere' is not defined");
  await expect.poll(() => marked(page)).toEqual([3]);

  await editor(page).fill(typed);
  await expect.poll(() => heads(page)).toEqual(['Completion', 'boxed_answer', 'own_reward', 'Sum']);
  await expect
    .poll(() => firstRows(page))
    .toEqual([
      ['1', '2', '3'],
      ['0', '0.500', '0.500'],
      ['0', '2', '2'],
    ]);
  expect(await marked(page)).toEqual([]);

  // A weight goes into the setting, and into the sum.
  await field(page, 'Weight of own_reward').fill('0.5');
  await expect
    .poll(() => firstRows(page))
    .toEqual([
      ['1', '2', '2'],
      ['0', '0.500', '0.250'],
      ['0', '2', '1'],
    ]);
  expect(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('reward_weights')).toBe('[1, 0.5]');
  await field(page, 'Weight of own_reward').fill('much');
  await page.getByText(/reward_weights: expected a list of numbers/).waitFor();
  await field(page, 'Weight of own_reward').fill('0.5');
  await field(page, 'boxed_answer').uncheck();
  expect(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('reward_weights')).toBe('[0.5]');

  await button(page, 'Train with PAPO').click();
  await status(page, /^Step 2 of 2, finished/);
  await page.getByText(/On \d+ completions of step 2\./).waitFor();
  await goTo(page, 'Rollouts');
  const given = (await page.locator('.rollouts').allTextContents()).join(' ');
  expect(given).toMatch(/own_reward (2|0\.50)/);
  expect(errors).toEqual([]);
  await page.close();
});

it('rewards that tell nothing apart are pointed out, and code that hangs is ended', async () => {
  const { page, errors } = await openReward();
  await editor(page).fill('const reward = ({ completions }) => completions.map(() => null);');
  await button(page, 'Try it on the samples').click();
  await page.getByText('own_reward gives no reward to 12 of 12.').waitFor();
  await field(page, 'boxed_answer').uncheck();
  await page.getByText(/so nothing would be learned from these/).waitFor();
  // Agreed to once, it is tried as it is typed.
  await editor(page).focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText('const reward = () => { for (;;); };');
  await problem(page, /it took more than 2000 ms/);
  expect(errors).toEqual([]);
  await page.close();
});

it('code of a link is not run before the visitor agrees, whatever else is changed', async () => {
  const { page, errors } = await openReward('function reward() { return nowhere; }');
  await problem(page, /^The code is read as you type/);
  await field(page, 'format').check();
  await expect.poll(() => heads(page)).toEqual(['Completion', 'boxed_answer', 'format', 'Sum']);
  expect(await page.locator('iframe').count()).toBe(0);
  await button(page, 'Try it on the samples').click();
  await problem(page, 'Line 1: ReferenceError');
  expect(await page.locator('iframe').count()).toBe(1);
  expect(await field(page, 'Run this code').isChecked()).toBe(false);
  expect(errors).toEqual([]);
  await page.close();
});

it('the editor lets go of the keyboard: Tab indents, Escape and Tab leave', async () => {
  const { page } = await openReward();
  await page.getByText('Begin with an example').click();
  await button(page, 'Exact answer').click();
  await expect.poll(() => textOf(editor(page))).toContain('the last \\boxed{…}');
  await editor(page).focus();
  const before = await textOf(editor(page));
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Tab');
  expect(await textOf(editor(page))).not.toBe(before);
  // Space is typed, and starts no run.
  await page.keyboard.press(' ');
  // Completions that are being looked for would take the first Escape.
  await page.waitForTimeout(500);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await expect
    .poll(() => field(page, 'Run this code').evaluate((box) => box === document.activeElement))
    .toBe(true);
  await status(page, /^Ready/);
  await page.close();
});
