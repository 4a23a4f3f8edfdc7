/** The page as a visitor meets it, in Chromium without a GPU. */
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, stepOf, textOf } from './steps.ts';

let site: Site;

beforeAll(async () => {
  site = await serveSite();
});

afterAll(async () => {
  await site?.close();
});

/** Opens every group of settings, and types. */
async function setAll(page: Page, settings: Record<string, string>): Promise<void> {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll('.settings details')) details.setAttribute('open', '');
  });
  for (const [name, value] of Object.entries(settings)) await field(page, name).fill(value);
}

// Two prompts a step, so that two slow cores get through it in seconds.
const small = {
  per_device_train_batch_size: '16',
  num_eval_samples: '16',
  eval_steps: '2',
  // More than any machine does before the test says pause.
  max_steps: '500',
};

describe('the page', () => {
  it('trains, pauses, steps and stops, on the CPU where WebGPU is software', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    const label = await textOf(page.getByText(/^CPU \(onnxruntime-web/));
    expect(label).toContain(cores === 1 ? '1 thread' : `${Math.min(cores, 8)} threads`);
    expect(await textOf(page.locator('.run .notice'))).toMatch(
      /Training on the CPU: .*(software|no GPU|no WebGPU)/,
    );
    expect(await page.getByText(/papo-nano, .* parameters/).count()).toBe(1);

    await setAll(page, small);
    // React draws what was typed a moment later.
    await expect.poll(() => page.locator('.setting.changed').count()).toBe(4);
    await button(page, 'Train with PAPO').click();
    await status(page, /^Step ([2-9]|\d\d)/);
    await button(page, 'Pause').click();
    await status(page, /paused/);

    // Curves have their numbers, and drew something.
    const reward = page.getByRole('img', { name: /^Reward over \d+ steps\. Last values: mean [0-9.−]+\./ });
    expect(await reward.count()).toBe(1);
    for (const title of [
      'Accuracy',
      'Perception KL',
      'Entropy',
      'Loss',
      'Gradient norm',
      'Completion length',
    ]) {
      const name = await page
        .getByRole('img', { name: new RegExp(`^${title} over`) })
        .getAttribute('aria-label');
      expect(name, title).not.toContain('–');
    }
    await expect.poll(() => drawnPixels(page, '.plot canvas')).toBeGreaterThan(100);
    // Rollouts: two images that differ, eight completions, highest advantage first.
    await goTo(page, 'Rollouts');
    const group = page.locator('.rollouts .group').first();
    await group.locator('.advantage').first().waitFor();
    expect(await group.locator('canvas').count()).toBe(2);
    const pictures = await group
      .locator('canvas')
      .evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
    expect(pictures[0]).not.toBe(pictures[1]);
    const advantages = (await group.locator('.advantage').allTextContents()).map((text) =>
      Number(text.replace('−', '-')),
    );
    expect(advantages).toHaveLength(8);
    expect(advantages).toEqual([...advantages].sort((a, b) => b - a));
    expect(await group.locator('.token').count()).toBeGreaterThan(8);
    await goTo(page, 'Train');
    // Held-out accuracy before and now, as shares of 16 questions.
    const score = await textOf(page.getByTestId('score'));
    expect(score.match(/\d+ %(before training|after \d+ steps?)± \d+ %/g)).toHaveLength(2);

    // Paused means paused.
    const paused = await stepOf(page);
    await page.waitForTimeout(1500);
    expect(await stepOf(page)).toBe(paused);
    await button(page, 'Single step').click();
    await status(page, new RegExp(`^Step ${paused + 1} of 500, paused`));
    await page.waitForTimeout(1000);
    expect(await stepOf(page)).toBe(paused + 1);

    // A live setting changes the next update; one that is not live cannot be touched.
    await expect.poll(() => field(page, 'mask_ratio').isDisabled()).toBe(true);
    const lossNow = async () => {
      const name = await page.getByRole('img', { name: /^Loss over/ }).getAttribute('aria-label');
      return Number(/loss (\S+)\.$/.exec(name ?? '')?.[1].replaceAll('−', '-'));
    };
    expect(Math.abs(await lossNow())).toBeLessThan(10);
    await field(page, 'perception_loss_weight').fill('1e6');
    await page.locator('.setting.changed', { hasText: 'perception_loss_weight' }).waitFor();
    await button(page, 'Single step').click();
    await status(page, new RegExp(`^Step ${paused + 2} of 500, paused`));
    expect(await lossNow()).toBeLessThan(-10);
    await button(page, 'Stop').click();
    await status(page, /stopped/);
    expect(await button(page, 'Pause').count()).toBe(0);
    await expect.poll(() => button(page, 'Stop').isDisabled()).toBe(true);
    expect(errors).toEqual([]);
    await page.close();
  });

  it('starts a stopped run over from the same weights, and finishes', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    await setAll(page, { ...small, max_steps: '2', eval_steps: '1' });
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of 2, paused/);
    await page.getByText('The same numbers as a table').click();
    const first = await numbersOf(page);
    await button(page, 'Stop').click();
    await status(page, /stopped/);
    await button(page, 'Train again from the start').click();
    await status(page, /^Step 2 of 2, finished/);
    await page.getByText('The same numbers as a table').click();
    const again = await numbersOf(page);
    expect(again.slice(0, 2)).toEqual(first);
    expect(await textOf(page.getByTestId('said'))).toMatch(/^Training is finished\. Held-out accuracy \d+ %/);
    expect(errors).toEqual([]);
    await page.close();
  });

  it('names the field of a wrong setting and does not start', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    await setAll(page, { mask_ratio: '2', num_generations: '7' });
    const problems = page.locator('.settings .problem');
    await problems.first().waitFor();
    // Fields are judged one by one first, then together.
    expect(await problems.allTextContents()).toEqual([
      'mask_ratio: expected a number, at least 0 and at most 1, got 2.',
    ]);
    await button(page, 'Train with PAPO').click();
    await page.locator('[aria-invalid="true"]:focus').waitFor();
    expect(await field(page, 'mask_ratio').evaluate((input) => input === document.activeElement)).toBe(true);
    await field(page, 'mask_ratio').fill('0.5');
    await page.getByText('num_generations: expected a divisor of the generation batch').waitFor();
    await field(page, 'learning_rate').fill('fast');
    await page.getByText('learning_rate: expected a number, at least 0, got "fast".').waitFor();
    expect(await textOf(page.getByTestId('status'))).toMatch(/^Ready/);
    expect(errors).toEqual([]);
    await page.close();
  });

  it('says what is wrong with a model that is not there', async () => {
    const { page } = await site.open('?model=models/nowhere/');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await textOf(alert)).toMatch(/models\/nowhere\/ has no config\.json/);
    await expect.poll(() => button(page, 'Train with PAPO').isDisabled()).toBe(true);
    await page.close();
  });

  it('takes a step on WebGPU when asked to', async () => {
    const { page, errors } = await site.open();
    await status(page, /^Ready/);
    await field(page, 'Device').selectOption('webgpu');
    await page.getByText(/^WebGPU \(.*\)\.$/).waitFor({ timeout: 60_000 });
    await status(page, /^Ready/);
    await setAll(page, { num_generations: '2', per_device_train_batch_size: '2', num_eval_samples: '1' });
    await button(page, 'Single step').click();
    await status(page, /^Step 1 of \d+, paused/, 180_000);
    const loss = await page.getByRole('img', { name: /^Loss over 1 steps/ }).getAttribute('aria-label');
    expect(loss).toMatch(/loss −?\d/);
    expect(errors).toEqual([]);
    await page.close();
  });
});

/** Pixels of the canvases that are not transparent. */
function drawnPixels(page: Page, selector: string): Promise<number> {
  return page.locator(selector).evaluateAll((all) =>
    Math.min(
      ...all.map((element) => {
        const { width, height } = element as HTMLCanvasElement;
        const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
        let drawn = 0;
        for (let i = 3; i < data.length; i += 4) if (data[i] > 0) drawn++;
        return drawn;
      }),
    ),
  );
}

/** The table, row by row, without its last column: how fast a step was is no result. */
async function numbersOf(page: Page): Promise<string[]> {
  await page.locator('.curves tbody tr').first().waitFor();
  return page.locator('.curves tbody tr').evaluateAll((rows) =>
    rows.map((row) =>
      [...row.children]
        .slice(0, -1)
        .map((cell) => cell.textContent)
        .join(' '),
    ),
  );
}
