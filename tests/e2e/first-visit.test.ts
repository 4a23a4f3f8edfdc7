/** The whole of a first visit, in one go: what a visitor of a workshop does from opening the page to taking weights home. */
import { readFile } from 'node:fs/promises';
import { BlobReader, type FileEntry, TextWriter, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSafetensors } from '../../src/store/safetensors.ts';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, stepOf, textOf } from './steps.ts';

let site: Site;
beforeAll(async () => {
  site = await serveSite();
});
afterAll(async () => {
  await site?.close();
});

const small = {
  per_device_train_batch_size: '16',
  num_eval_samples: '16',
  eval_steps: '4',
  save_steps: '2',
  max_steps: '8',
};

it('open, train, pause, look, change γ, compare, reload, resume, download, open the zip', {
  timeout: 240_000,
}, async () => {
  const { page, errors } = await site.open(`#${new URLSearchParams(small)}`);
  await status(page, /^Ready/);

  // Train, and pause.
  await button(page, 'Train with PAPO').click();
  await status(page, /^Step [2-7]/);
  await button(page, 'Pause').click();
  await status(page, /paused/);
  const at = await stepOf(page);
  const before = await textOf(page.getByTestId('score'));
  expect(before).toMatch(/\d+ %before training/);

  // Look at a rollout: two images, eight completions, and which words looked at the picture.
  await goTo(page, 'Rollouts');
  const group = page.locator('.rollouts .group').first();
  await group.locator('.advantage').first().waitFor();
  expect(await group.locator('.advantage').count()).toBe(8);
  expect(await group.locator('canvas').count()).toBe(2);

  // Change γ while it is going on: what is drawn next was trained with it.
  await goTo(page, 'Train');
  await field(page, 'perception_loss_weight').fill('0.02');
  await page.locator('.setting.changed', { hasText: 'perception_loss_weight' }).waitFor();
  await button(page, 'Single step').click();
  await status(page, new RegExp(`^Step ${at + 1} of 8, paused`));
  await button(page, 'Stop').click();
  await status(page, /stopped/);

  // A second run with the new γ, over the first.
  await button(page, 'Train again from the start').click();
  await status(page, /^Step 8 of 8, finished/);
  await goTo(page, 'Runs');
  const runs = page.locator('.kept-list > li');
  expect(await runs.count()).toBe(2);
  await runs.nth(0).getByText('perception_loss_weight').first().waitFor();
  await runs.nth(1).getByRole('button', { name: 'Show', exact: true }).click();
  await goTo(page, 'Train');
  await page.getByRole('img', { name: /^Reward\. .* over 8 steps,.* over \d+ steps,/ }).waitFor();
  await page.getByText('The same numbers as a table').click();
  await page.locator('.curves table').first().waitFor();

  // Reload: the first run was stopped half way, and goes on to its end.
  await page.reload();
  await status(page, /^Ready/);
  await goTo(page, 'Runs');
  await runs.nth(1).getByRole('button', { name: 'Resume', exact: true }).click();
  await status(page, /^Step 8 of 8, finished/);

  // Download, and open the zip.
  await runs.nth(1).getByRole('button', { name: 'Download', exact: true }).click();
  const downloads = page.waitForEvent('download');
  await button(page, 'Download zip').click();
  const zip = await readFile(await (await downloads).path());
  const entries = await new ZipReader(new BlobReader(new Blob([zip]))).getEntries();
  const entry = (name: string) => entries.find(({ filename }) => filename === name) as FileEntry;
  const config = JSON.parse(await entry('config.json').getData(new TextWriter()));
  expect(config.model_type).toBe('smolvlm');
  const tensors = readSafetensors(await entry('model.safetensors').getData(new Uint8ArrayWriter()));
  const parameters = [...tensors.values()].reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  expect(parameters).toBe(1_025_280);
  expect(errors).toEqual([]);
  await page.close();
});
