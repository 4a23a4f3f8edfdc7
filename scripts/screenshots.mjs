// `npm run screenshots`: builds the page, trains a short run, and takes every panel light and dark, wide and narrow.
//   npm run screenshots -- [--out DIR] [--steps N] [--docs]
// --docs also renews the pictures in docs/images that the documents show.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { requireChromium } from './chromium.mjs';
import { root, setup } from './setup.mjs';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'screenshots') },
    steps: { type: 'string', default: '24' },
    docs: { type: 'boolean', default: false },
  },
});
setup();
const executablePath = await requireChromium();
const { build, preview } = await import('vite');
const { chromium } = await import('playwright');

const outDir = mkdtempSync(join(tmpdir(), 'papo-web-screenshots-'));
mkdirSync(values.out, { recursive: true });
await build({ root, logLevel: 'warn', build: { outDir, emptyOutDir: true } });
const server = await preview({ root, logLevel: 'warn', build: { outDir }, preview: { port: 0 } });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const context = await browser.newContext({ serviceWorkers: 'block' });
const page = await context.newPage();
page.on('pageerror', ({ message }) => console.log(`error on the page: ${message}`));

const sizes = { wide: { width: 1440, height: 900 }, narrow: { width: 360, height: 780 } };
const status = (text) => page.getByTestId('status').filter({ hasText: text }).waitFor({ timeout: 600_000 });
const goTo = (panel) => page.getByRole('tab', { name: panel, exact: true }).click();

/** One state of the page in both colours and both sizes. */
async function take(name) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      // Charts are drawn again in the frames after.
      await page.waitForTimeout(400);
      const file = join(values.out, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: size === 'narrow' });
    }
  }
  console.log(name);
}

await page.setViewportSize(sizes.wide);
const settings = {
  per_device_train_batch_size: 64,
  max_steps: values.steps,
  eval_steps: 8,
  num_eval_samples: 64,
};
await page.goto(`${server.resolvedUrls.local[0]}#${new URLSearchParams(settings)}`);
await status(/^Ready/);
const panels = await page.getByRole('tab').allTextContents();
for (const panel of panels) {
  await goTo(panel);
  await take(`${panel.toLowerCase().replaceAll(' ', '-')}-before`);
}
await goTo('Train');
await page.getByRole('button', { name: 'Choose a model…', exact: true }).click();
// What a model needs here is planned in a worker.
await page.getByText('Memory with LoRA').nth(2).waitFor({ timeout: 120_000 });
await page.waitForTimeout(3000);
await take('models');
await page.keyboard.press('Escape');
await page.getByRole('button', { name: 'Train with PAPO', exact: true }).click();
await status(/^Step [3-9]/);
await take('train-during');
await status(/finished/);

const press = (name) => page.getByRole('button', { name, exact: true }).click();
const field = (name) => page.getByLabel(name, { exact: true });
/** What makes a panel show what it is for. */
const actions = {
  async Evaluate() {
    await field('Questions').selectOption('64');
    await press('Evaluate');
    await page.getByText('Difference').first().waitFor({ timeout: 300_000 });
  },
  async 'Try it'() {
    await press('Let the task make one');
    await press('Ask');
    await page
      .getByText(/^8 sampled/)
      .last()
      .waitFor({ timeout: 120_000 });
  },
  async Compare() {
    await field('Steps a run').fill('8');
    await field('Held-out questions').selectOption('64');
    await press('Run both with the same seed');
    await page.getByText('95 % interval').first().waitFor({ timeout: 600_000 });
  },
};
for (const panel of panels) {
  await goTo(panel);
  await actions[panel]?.();
  await take(panel.toLowerCase().replaceAll(' ', '-'));
}
await goTo('Train');
await page.getByRole('button', { name: 'Lesson', exact: true }).click();
await take('lesson');

if (values.docs)
  for (const name of ['train', 'models', 'rollouts', 'look', 'evaluate', 'compare', 'lesson'])
    copyFileSync(join(values.out, `${name}-wide-light.png`), join(root, 'docs/images', `${name}.png`));

await browser.close();
await server.close();
rmSync(outDir, { recursive: true, force: true });
console.log(`in ${values.out}`);
process.exit(0);
