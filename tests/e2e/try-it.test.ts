/** The panel Try it: pictures from everywhere, questions, and the base beside the trained model. */
import { encode } from 'fast-png';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateExample } from '../../src/data/examples.ts';
import { launchChromium, type Served, serve } from './served.ts';
import { button, field, goTo, status, textOf } from './steps.ts';

/** The machine may be busy. */
const patient = { timeout: 30_000 };

let served: Served;
let browser: Browser;
beforeAll(async () => {
  served = await serve('site');
  browser = await launchChromium('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

async function open(hash = ''): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, serviceWorkers: 'block' });
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(served.url + hash);
  await status(page, /^Ready/);
  await goTo(page, 'Try it');
  return { page, errors };
}

const picture = (page: Page) => page.locator('.try-picture canvas.picture');
/** The colour in the middle of a cell, @1 to @16. */
const colorAt = (page: Page, cell: number): Promise<number[]> =>
  picture(page).evaluate((element, index) => {
    const canvas = element as HTMLCanvasElement;
    const at = (i: number) => ((i + 0.5) * canvas.width) / 4;
    const { data } = canvas
      .getContext('2d')!
      .getImageData(at(index % 4) + 2, at(Math.floor(index / 4)) + 2, 1, 1);
    return [...data.subarray(0, 3)];
  }, cell - 1);

/** An RGBA PNG: top half of one colour, bottom half transparent. */
function png(width: number, height: number, [r, g, b]: readonly number[]): Buffer {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < (width * height) / 2; i++) data.set([r, g, b, 255], 4 * i);
  return Buffer.from(encode({ width, height, data, channels: 4 }));
}
const isNear = (color: number[], wanted: number[]) =>
  color.every((value, c) => Math.abs(value - wanted[c]) < 12);
const side = (page: Page, name: string) => page.getByRole('article', { name });
const answered = (page: Page, name: string) =>
  side(page, name)
    .getByText(/^8 sampled/)
    .waitFor({ timeout: 60_000 });

describe('Try it', () => {
  it('asks about a picture of the task, right or wrong, with words that it does not know named', async () => {
    const { page, errors } = await open();
    expect(await button(page, 'Ask').isDisabled()).toBe(true);
    await button(page, 'Let the task make one').click();
    const example = generateExample(0, 'train', 1000, 'shapes');
    await expect.poll(() => field(page, 'Question').inputValue(), patient).toBe(example.prompt);
    await button(page, 'Ask').click();
    await answered(page, 'Base model');
    const base = side(page, 'Base model');
    const answer = /^(\S+)/.exec(await textOf(base.locator('.said-answer')))![1];
    expect(await textOf(base.locator('.said-answer .tag'))).toBe(
      answer === example.answer ? 'right' : 'wrong',
    );
    const times = await base.locator('.times').allTextContents();
    expect(times.reduce((sum, text) => sum + Number.parseInt(text, 10), 0)).toBe(8);
    // Nothing is trained: it says so, and the way there.
    await page.getByText('Nothing is trained yet.').waitFor();
    const row = page.locator('.try-history tbody tr');
    expect(await textOf(row)).toContain(example.prompt);

    await field(page, 'Question').fill('which dog @3 zebra');
    await page.getByText('papo-nano knows 89 words; it does not know “dog”, “zebra”: to it').waitFor();
    await field(page, 'Ask with the picture masked too, and tint tokens by the KL').check();
    await button(page, 'Ask').click();
    await answered(page, 'Base model');
    await base.locator('.token-strip button').first().waitFor();
    // Nobody knows the answer to that.
    expect(await base.locator('.said-answer .tag').count()).toBe(0);
    expect(await row.count()).toBe(2);
    await row.last().getByRole('button').click();
    expect(await field(page, 'Question').inputValue()).toBe(example.prompt);

    // What is asked here can be looked at closely.
    await goTo(page, 'Look');
    await button(page, 'The one from “Try it”').click();
    await page.getByText(`Question: ${example.prompt}`).waitFor();
    await goTo(page, 'Try it');
    await button(page, 'Go to Train').click();
    await button(page, 'Train with PAPO').waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('takes drawn pictures: stamps, strokes, the keyboard, undo', async () => {
    const { page, errors } = await open();
    await button(page, 'Draw').click();
    const board = page.getByRole('application', { name: 'Drawing board' });
    const ground = await colorAt(page, 6);
    await button(page, 'blue').click();
    await button(page, 'square').click();
    const { width } = (await board.boundingBox())!;
    await board.click({ position: { x: (width * 3) / 8, y: (width * 3) / 8 } });
    expect(await colorAt(page, 6)).toEqual([42, 98, 236]);
    // By keyboard: @1, to the right, down: @6 is emptied.
    await board.focus();
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'Delete']) await page.keyboard.press(key);
    expect(await colorAt(page, 6)).toEqual(ground);
    await button(page, 'red').click();
    await board.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    expect(await colorAt(page, 1)).toEqual([226, 48, 52]);
    // A stroke across the last row.
    await button(page, 'Brush, 8 pixels').click();
    const box = (await board.boundingBox())!;
    await page.mouse.move(box.x + 8, box.y + box.height * 0.875);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 8, box.y + box.height * 0.875, { steps: 4 });
    await page.mouse.up();
    for (const cell of [13, 14, 15, 16]) expect(await colorAt(page, cell)).toEqual([226, 48, 52]);
    await button(page, 'Undo').click();
    expect(await colorAt(page, 14)).toEqual(ground);
    await button(page, 'Done drawing').click();
    await field(page, 'Question').fill('which color @1');
    await button(page, 'Ask').click();
    await answered(page, 'Base model');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('takes files, what is pasted, and the camera; what is no picture is refused in words', async () => {
    const { page, errors } = await open();
    const upload = page.locator('.try-picture input[type=file]');
    await upload.setInputFiles({
      name: 'red.png',
      mimeType: 'image/png',
      buffer: png(300, 200, [226, 48, 52]),
    });
    await page.getByText('Scaled from 300 × 200').waitFor();
    // Transparency goes over white.
    expect(isNear(await colorAt(page, 1), [226, 48, 52])).toBe(true);
    expect(isNear(await colorAt(page, 16), [255, 255, 255])).toBe(true);

    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><rect width="90" height="90" fill="#22a84c"/></svg>';
    await upload.setInputFiles({ name: 'green.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(svg) });
    await page.getByText('Scaled from 90 × 90').waitFor();
    expect(await colorAt(page, 8)).toEqual([34, 168, 76]);

    await upload.setInputFiles({
      name: 'notes.png',
      mimeType: 'image/png',
      buffer: Buffer.from('no picture'),
    });
    await page.getByText('notes.png could not be read as an image').waitFor();
    expect(await colorAt(page, 8)).toEqual([34, 168, 76]);

    const bytes = [...png(50, 70, [42, 98, 236])];
    await page.evaluate((data) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(data)], 'image.png', { type: 'image/png' }));
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true }));
    }, bytes);
    await page.getByText('Scaled from 50 × 70').waitFor();
    expect(isNear(await colorAt(page, 1), [42, 98, 236])).toBe(true);

    // A picture that is dropped on the panel is the panel's, not a dataset for the page.
    await page.evaluate(
      (data) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(data)], 'dropped.png', { type: 'image/png' }));
        const event = { dataTransfer: transfer, bubbles: true, cancelable: true };
        const panel = document.querySelector('.try-it')!;
        for (const type of ['dragenter', 'drop']) panel.dispatchEvent(new DragEvent(type, event));
      },
      [...png(40, 60, [248, 204, 32])],
    );
    await page.getByText('Scaled from 40 × 60').waitFor();
    expect(await page.getByTestId('drop').count()).toBe(0);
    expect(await page.getByRole('alert').count()).toBe(0);

    await button(page, 'Photograph…').click();
    await button(page, 'Take the picture').click();
    await page.getByText(/Scaled from \d{3,} × \d{3,}/).waitFor();
    expect(await page.locator('dialog').count()).toBe(0);
    // Without a camera, or without permission, it says what to do.
    for (const [name, words] of [
      ['NotAllowedError', 'The camera is not allowed for this page.'],
      ['NotFoundError', 'No camera was found.'],
    ]) {
      await page.evaluate((error) => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', error));
      }, name);
      await button(page, 'Photograph…').click();
      await page.getByText(words).waitFor();
      await button(page, 'Close').click();
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  it('asks the base and the trained model side by side', async () => {
    const { page, errors } = await open(
      '#per_device_train_batch_size=16&num_eval_samples=16&max_steps=2&learning_rate=1e-2',
    );
    await button(page, 'Train with PAPO').click();
    await status(page, /finished/);
    await button(page, 'Let the task make one').click();
    await picture(page).waitFor();
    await button(page, 'Ask').click();
    await answered(page, 'Trained model');
    const said = async (name: string) => textOf(side(page, name).locator('.sampled'));
    const trained = await said('Trained model');
    expect(trained).not.toBe(await said('Base model'));
    expect(await textOf(side(page, 'Trained model').locator('h4 .tag'))).toBe(
      'The model that trains here, step 2',
    );
    // Its last checkpoint answers as it does; its first one as the base.
    const checkpoints = field(page, 'Which trained model').locator('option');
    await expect.poll(() => checkpoints.count(), patient).toBeGreaterThanOrEqual(3);
    const options = await checkpoints.evaluateAll((all) =>
      all.map((one) => (one as HTMLOptionElement).value),
    );
    for (const [step, as] of [
      [2, trained],
      [0, await said('Base model')],
    ] as const) {
      await field(page, 'Which trained model').selectOption(
        options.find((value) => value.endsWith(` ${step}`))!,
      );
      await button(page, 'Ask').click();
      await side(page, 'Trained model').getByText(`step ${step}`, { exact: false }).first().waitFor();
      await answered(page, 'Trained model');
      expect(await said('Trained model')).toBe(as);
    }
    expect(errors).toEqual([]);
    await page.close();
  });
});
