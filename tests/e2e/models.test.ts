/** A real model's way through the page: found, loaded, trained with LoRA, gone on with after a reload, handed out, deleted. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { memorySource, modelFolderFiles } from '../../src/export/model-folder.ts';
import type { OutFile } from '../../src/export/out-file.ts';
import { toNodeFolder } from '../../src/export/to-node-folder.ts';
import { zipStream } from '../../src/export/zip-out.ts';
import { FakeModelHub, fetchFrom } from '../model-hub.ts';
import { tinyNano } from '../tiny-nano.ts';
import { tinySmolvlm } from '../tiny-smolvlm.ts';
import { type Site, serveSite } from './site.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

const id = 'own/tiny-smolvlm';
/** Two LoRA steps of the preset for SmolVLM, small enough for two busy cores. */
const small = new URLSearchParams({
  device: 'cpu',
  num_generations: '2',
  per_device_train_batch_size: '2',
  gradient_accumulation_steps: '2',
  max_completion_length: '6',
  max_steps: '2',
  num_eval_samples: '4',
  eval_steps: '2',
  save_steps: '1',
});

let site: Site;
let folder: string;
let zip: string;
const hub = new FakeModelHub();
hub.hubUrl = 'https://huggingface.co';

/** A folder beside papo-nano's, as a host may have one. */
const onSite = 'e2e-tiny';
const siteFolder = () => join(inject('site'), 'models');

beforeAll(async () => {
  const tiny = await tinyNano();
  await toNodeFolder(
    modelFolderFiles({ config: tiny.config, sideFiles: tiny.files, tensors: memorySource(tiny.weights) }),
    join(siteFolder(), onSite),
  );
  await writeFile(join(siteFolder(), 'index.json'), JSON.stringify(['papo-nano', onSite]));
  site = await serveSite();
  folder = await mkdtemp(join(tmpdir(), 'papo-web-models-'));
  zip = join(folder, 'tiny-smolvlm.zip');
  const files = tinySmolvlm();
  await writeFile(zip, zipStream(files).stream as never);
  hub.commit(id, Object.fromEntries(await Promise.all(files.map(contentOf))));
});
afterAll(async () => {
  await site?.close();
  await rm(folder, { recursive: true, force: true });
  // Other tests have the same site.
  await rm(join(siteFolder(), onSite), { recursive: true, force: true });
  await writeFile(join(siteFolder(), 'index.json'), '["papo-nano"]');
});

async function contentOf(file: OutFile): Promise<[string, Uint8Array]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.chunks()) chunks.push(chunk.slice());
  return [file.name, new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer())];
}

/** The Hub, answered here; `isThere` can be taken away. */
async function withHub(context: BrowserContext): Promise<{ isThere: boolean; asked: string[] }> {
  const state = { isThere: true, asked: [] as string[] };
  const answer = fetchFrom(hub);
  await context.route('https://huggingface.co/**', async (route) => {
    const request = route.request();
    state.asked.push(request.url());
    if (!state.isThere) return route.abort('internetdisconnected');
    const headers = await request.allHeaders();
    const cors = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': '*',
      'Access-Control-Expose-Headers': '*',
    };
    if (request.method() === 'OPTIONS') return route.fulfill({ status: 204, headers: cors });
    const response = await answer(request.url(), { headers });
    let body = Buffer.from(await response.arrayBuffer());
    // What a card says.
    if (request.url().includes('cardData'))
      body = Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), cardData: { license: 'mit' } }));
    return route.fulfill({
      status: response.status,
      headers: { ...Object.fromEntries(response.headers), ...cors },
      body,
    });
  });
  return state;
}

const dialog = (page: Page) => page.getByRole('dialog', { name: 'Choose a model' });
const chosen = (page: Page) => page.locator('.chosen-model');
/** The tests' own look for requests to other places; those to the Hub are what this is about. */
const others = (errors: readonly string[]) => errors.filter((error) => !error.includes('huggingface.co'));

it('is found on the Hub, trained with LoRA, gone on with from the cache, handed out and deleted', async () => {
  const context = await site.newContext({ acceptDownloads: true });
  const there = await withHub(context);
  const { page, errors } = await site.open(`#${small}`, context);
  await status(page, /^Ready/);
  await button(page, 'Choose a model…').click();
  await dialog(page)
    .getByRole('listitem', { name: 'papo-nano' })
    .getByRole('button', { name: 'papo-nano is loaded' })
    .waitFor();
  expect(there.asked).toEqual([]);

  // A model that is not there gets a sentence, and the dialog stays.
  await field(page, 'Name').fill('own/nothing');
  await button(page, 'Look it up').click();
  await dialog(page).getByRole('alert').filter({ hasText: 'own/nothing' }).waitFor();

  await field(page, 'Name').fill(id);
  await button(page, 'Look it up').click();
  const found = dialog(page).getByRole('listitem', { name: id });
  await found.waitFor();
  expect(await textOf(found)).toContain('MIT, says its card');
  expect(await textOf(found)).toMatch(/32\.\d million/);
  expect(await textOf(found)).toMatch(/Memory with LoRA[\d.]+ [MG]B/);
  await found.getByRole('button', { name: `Load ${id}` }).click();
  await chosen(page).getByText(id, { exact: true }).waitFor({ timeout: 90_000 });
  await status(page, /^Ready/);
  expect(await textOf(chosen(page))).toContain('from the Hub');
  // The preset came along, and says so.
  await chosen(page).getByText('The preset is smolvlm-lora now').waitFor();
  expect(await field(page, 'Preset').inputValue()).toBe('smolvlm-lora');
  // The plan is there, as a table too.
  const plan = page.getByRole('table', { name: 'What the run would hold in memory, by kind' });
  await plan.getByRole('row', { name: 'LoRA adapter' }).waitFor({ timeout: 60_000 });
  await plan.getByRole('row', { name: 'Frozen weights, half floats' }).waitFor();
  await chosen(page)
    .getByText(/About \d+ s a step/)
    .waitFor({ timeout: 60_000 });

  await button(page, 'Single step').click();
  await status(page, /^Step 1 of 2, paused/, 180_000);
  await button(page, 'Stop').click();
  await status(page, /^Step 1 of 2, stopped/);

  // Another visit, without the Hub: the base comes from the cache.
  there.isThere = false;
  await page.reload();
  await status(page, /^Ready/);
  expect(await textOf(chosen(page))).toContain('papo-nano');
  await goTo(page, 'Runs');
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await status(page, /^Step 2 of 2, finished/, 180_000);
  await goTo(page, 'Train');
  await chosen(page).getByText(id, { exact: true }).waitFor();

  // The checkpoint answers on the base.
  await goTo(page, 'Try it');
  await goTo(page, 'Runs');
  await page.locator('.kept-list').getByRole('button', { name: 'Download', exact: true }).click();
  await field(page, 'What').selectOption('adapter');
  const download = page.waitForEvent('download');
  await button(page, 'Download zip').click();
  expect((await download).suggestedFilename()).toMatch(/-step-2-adapter\.zip$/);
  await page.keyboard.press('Escape');

  // It is not deleted while it is loaded. Back to the small one; then the large one goes.
  await goTo(page, 'Train');
  await button(page, 'Choose a model…').click();
  await dialog(page)
    .getByRole('button', { name: `Delete ${id} from this browser` })
    .click();
  await dialog(page)
    .getByRole('alert')
    .filter({ hasText: `${id} is loaded` })
    .waitFor();
  await page.keyboard.press('Escape');
  await goTo(page, 'Train');
  await button(page, 'Choose a model…').click();
  await dialog(page).getByRole('button', { name: 'Load papo-nano' }).click();
  await chosen(page).getByText('papo-nano', { exact: true }).waitFor();
  await chosen(page).getByText('The preset is papo-nano now').waitFor();
  await button(page, 'Choose a model…').click();
  const kept = dialog(page).getByRole('list', { name: 'Kept in this browser' }).getByRole('listitem');
  await kept.waitFor();
  expect(await textOf(kept)).toMatch(/own\/tiny-smolvlm ccccccc \d+(\.\d)? MB/);
  await dialog(page)
    .getByRole('button', { name: `Delete ${id} from this browser` })
    .click();
  await dialog(page).getByText('Nothing yet.').waitFor();
  await page.keyboard.press('Escape');
  expect(others(errors)).toEqual([]);
  await context.close();
}, 600_000);

it('comes as a zip from the disk, and its tokens are looked at with and without the picture', async () => {
  const { page, errors } = await site.open(`#${small}`);
  await status(page, /^Ready/);
  await button(page, 'Choose a model…').click();
  await dialog(page).getByLabel('Pick a zip…').setInputFiles(zip);
  await chosen(page).getByText('tiny-smolvlm', { exact: true }).waitFor({ timeout: 90_000 });
  expect(await textOf(chosen(page))).toContain('from your files');
  // The visitor may go back to the other preset.
  await chosen(page).getByRole('button', { name: 'Back to papo-nano' }).click();
  await expect.poll(() => field(page, 'Preset').inputValue()).toBe('papo-nano');
  await field(page, 'Preset').selectOption('smolvlm-lora');
  // A setting that does not go with the model is named at its field.
  await page.getByLabel('Search names and meanings').fill('lora_target_modules');
  await field(page, 'lora_target_modules').fill('["query"]');
  await page.getByRole('alert').filter({ hasText: 'query is no linear module of text' }).first().waitFor();
  await field(page, 'lora_target_modules').fill('["q_proj"]');

  await goTo(page, 'Look');
  await page.getByText(/^Computed in \d+ ms/).waitFor({ timeout: 90_000 });
  const tokens = page.locator('.look .token-strip .token');
  await tokens.first().waitFor();
  // Each names itself and how much the picture moved it.
  expect(await tokens.first().getAttribute('aria-label')).toMatch(/nats/);
  expect(await page.locator('.token-choices tbody tr').count()).toBeGreaterThanOrEqual(5);

  await goTo(page, 'Try it');
  await button(page, 'Let the task make one').click();
  await field(page, 'Question').fill('Which zebra crosses the street?');
  await button(page, 'Ask').click();
  await page
    .getByText(/^8 sampled/)
    .last()
    .waitFor({ timeout: 90_000 });
  // Every text has tokens here.
  expect(await page.getByText('does not know').count()).toBe(0);

  await button(page, 'Single step').click();
  await status(page, /^Step 1 of 2, paused/, 180_000);
  await goTo(page, 'Rollouts');
  await page.locator('.rollouts .groups[aria-busy=false] .token').first().waitFor({ timeout: 60_000 });
  await goTo(page, 'Evaluate');
  await field(page, 'Questions').selectOption('16');
  await button(page, 'Evaluate').click();
  await page.getByTestId('evaluation').getByText('Difference').first().waitFor({ timeout: 180_000 });
  await button(page, 'Stop').click();
  expect(errors).toEqual([]);
  await page.close();
}, 300_000);

it('comes from a folder of the site, which the picker lists', async () => {
  const { page, errors } = await site.open('#device=cpu');
  await status(page, /^Ready/);
  await button(page, 'Choose a model…').click();
  const listed = dialog(page).getByRole('list', { name: 'On this site' }).getByRole('listitem');
  await listed.waitFor();
  expect(await textOf(listed)).toContain(onSite);
  await listed.getByRole('button', { name: `Load ${onSite}` }).click();
  await chosen(page).getByText(onSite, { exact: true }).waitFor();
  await status(page, /^Ready/);
  expect(await textOf(chosen(page))).toContain('from this site');
  // The preset of small models stays, for one of another size too.
  expect(await field(page, 'Preset').inputValue()).toBe('papo-nano');
  // Where nothing is, the model that was there stays.
  await button(page, 'Choose a model…').click();
  await field(page, 'Folder').fill('models/nowhere');
  await button(page, 'Load the folder').click();
  await page.getByRole('alert').filter({ hasText: 'models/nowhere' }).waitFor();
  await chosen(page).getByText(onSite, { exact: true }).waitFor();
  expect(errors.filter((error) => !error.includes('nowhere') && !error.includes('404'))).toEqual([]);
  await page.close();
}, 120_000);

it('can be stopped while it is downloaded: the model that was there stays', async () => {
  const context = await site.newContext();
  await withHub(context);
  const { page, errors } = await site.open(`#${small}`, context);
  await status(page, /^Ready/);
  const weights = (isHeld: boolean) =>
    isHeld
      ? context.route('**/resolve/**/model.safetensors', () => new Promise(() => {}))
      : context.unroute('**/resolve/**/model.safetensors');
  await weights(true);
  await button(page, 'Choose a model…').click();
  await field(page, 'Name').fill(id);
  await button(page, 'Load it').click();
  await button(page, 'Cancel loading').click();
  await page.getByRole('alert').filter({ hasText: 'Loading was cancelled.' }).waitFor();
  // What was there is there still.
  await status(page, /^Ready/);
  await chosen(page).getByText('papo-nano', { exact: true }).waitFor();
  await weights(false);
  await button(page, 'Choose a model…').click();
  await field(page, 'Name').fill(id);
  await button(page, 'Load it').click();
  await chosen(page).getByText(id, { exact: true }).waitFor({ timeout: 90_000 });
  expect(others(errors)).toEqual([]);
  await context.close();
}, 240_000);
