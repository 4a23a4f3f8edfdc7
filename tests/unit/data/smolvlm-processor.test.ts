/**
 * Against transformers' AutoProcessor: tests/fixtures/smolvlm-processor, made by generate/smolvlm_processor.py. Images are
 * decoded, prepared, cut and normalised, and prompts written, by what the command line uses.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type ImageProcessorConfig,
  imageGrid,
  padImages,
  prepareImage,
  processImage,
} from '../../../src/data/image-processor.ts';
import { processPrompt } from '../../../src/data/process-prompt.ts';
import { type ChatMessage, TextProcessor } from '../../../src/data/tokenizer.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { readSafetensors } from '../../../src/store/safetensors.ts';

const root = 'tests/fixtures/smolvlm-processor';
const folder = Object.fromEntries(
  readdirSync(`${root}/folder`).map((name) => [name, readFileSync(`${root}/folder/${name}`, 'utf8')]),
);
const tokenizer = TextProcessor.fromFolder(folder);
const real = JSON.parse(folder['preprocessor_config.json']) as ImageProcessorConfig;

interface Case {
  image: string;
  size: 'real' | 'small';
  splitting: boolean;
  rows: number;
  columns: number;
  images: number;
  input_ids: number[];
  sha256: string;
  stride: number;
}
const expected = JSON.parse(readFileSync(`${root}/expected.json`, 'utf8')) as {
  sizes: Record<string, [number, number]>;
  cases: Case[];
  batch: { names: string[]; shape: number[]; mask_sha256: string; values_sha256: string; images: number[] };
  chats: {
    label: string;
    messages: ChatMessage[];
    prompt: string;
    input_ids: number[];
    decoded: string;
    without_special: string;
  }[];
};
const arrays = readSafetensors(readFileSync(`${root}/expected.safetensors`));

const config = (size: string): ImageProcessorConfig => {
  const [longest_edge, square] = expected.sizes[size];
  return { ...real, size: { longest_edge }, max_image_size: { longest_edge: square } };
};
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const open = (name: string) => decodeImage(new Blob([readFileSync(`${root}/images/${name}`)]));
const question = 'How many shapes are there?';

/** [images, 3, S, S] normalised → [images, S, S, 3] bytes, undoing mean = std = 0.5 and 1/255. */
function toBytes(values: Float32Array, square: number): Uint8Array {
  const plane = square * square;
  const out = new Uint8Array(values.length);
  let at = 0;
  for (let image = 0; image < values.length; image += 3 * plane)
    for (let i = 0; i < plane; i++)
      for (let c = 0; c < 3; c++) out[at++] = Math.round((values[image + c * plane + i] * 0.5 + 0.5) * 255);
  return out;
}

describe('images', () => {
  for (const one of expected.cases) {
    const name = `${one.size} ${one.image} ${one.splitting ? 'split' : 'whole'}`;
    test(name, async () => {
      const settings = config(one.size);
      const options = { do_image_splitting: one.splitting };
      const image = await open(one.image);
      const prompt = processPrompt(question, image, settings, tokenizer, options);
      expect(prompt.ids).toEqual(one.input_ids);
      const { rows, columns, images } = one;
      expect(prompt).toMatchObject({ rows, columns, images });
      expect(imageGrid(image, settings, options)).toEqual({ rows, columns, images });
      expect(prompt.ids.filter((id) => id === tokenizer.imageTokenId)).toHaveLength(
        images * tokenizer.imageSeqLen,
      );
      const square = settings.max_image_size!.longest_edge!;
      expect(prompt.pixelValues).toHaveLength(images * 3 * square * square);
      const bytes = toBytes(prompt.pixelValues, square);
      const kept = arrays.get(name)!.bytes;
      const side = square / one.stride;
      let [worst, at] = [0, 0];
      for (let n = 0; n < images; n++)
        for (let y = 0; y < side; y++)
          for (let x = 0; x < side; x++)
            for (let c = 0; c < 3; c++) {
              const own = bytes[((n * square + y * one.stride) * square + x * one.stride) * 3 + c];
              worst = Math.max(worst, Math.abs(own - kept[at++]));
            }
      expect(at).toBe(kept.length);
      expect(worst).toBe(0);
      expect(sha256(bytes)).toBe(one.sha256);
    });
  }
});

test('a batch is padded in number of images, and the mask says where there are pictures', async () => {
  const { names, shape, images } = expected.batch;
  const settings = config('small');
  const prompts = await Promise.all(
    names.map(async (name) => processImage(await open(name), settings, { do_image_splitting: true })),
  );
  expect(prompts.map((prompt) => prompt.images)).toEqual(images);
  const batch = padImages(prompts, settings);
  expect([prompts.length, batch.images, 3, 64, 64]).toEqual(shape);
  expect(sha256(batch.pixelAttentionMask)).toBe(expected.batch.mask_sha256);
  const bytes = Uint8Array.from(batch.pixelValues, (value) => Math.round((value * 0.5 + 0.5) * 255 - 1e-6));
  // Padding is 0 after normalising: 127.5, which NumPy rounds to the even 128.
  const rounded = bytes.map((byte, i) => (batch.pixelValues[i] === 0 ? 128 : byte));
  expect(sha256(rounded)).toBe(expected.batch.values_sha256);
});

describe('chats', () => {
  for (const { label, messages, prompt, input_ids, decoded, without_special } of expected.chats) {
    test(label, () => {
      const images = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
      const grid = { rows: 0, columns: 0, images: 1 };
      const rendered = tokenizer.renderChat(
        messages,
        images.map(() => grid),
      );
      const one = `<fake_token_around_image><global-img>${'<image>'.repeat(64)}<fake_token_around_image>`;
      expect(rendered).toBe(prompt.replaceAll('<image>', one));
      const ids = tokenizer.encode(rendered);
      expect(ids).toEqual(input_ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(without_special);
      expect(tokenizer.tokenTexts(ids).join('')).toBe(decoded);
      const [first] = messages;
      const text = first.content.map((part) => ('text' in part ? part.text : '')).join('');
      if (messages.length === 1) expect(tokenizer.buildPrompt(text)).toEqual(ids);
    });
  }

  test('an image that has no place, a place without an image, and a mark in the text are refused', () => {
    const { messages } = expected.chats[0];
    const grid = { rows: 0, columns: 0, images: 1 };
    expect(() => tokenizer.renderChat(messages, [])).toThrow(
      /stands 1 times in the prompt; expected 0 times/,
    );
    expect(() => tokenizer.renderChat(messages, [grid, grid])).toThrow(/expected 2 times/);
    expect(() => tokenizer.buildPrompt('and this <image>?')).toThrow(/each prompt has one image/);
    expect(() => tokenizer.buildPrompt('', { rows: 7, columns: 1, images: 8 })).toThrow(
      /no token "<row_7_col_1>"/,
    );
  });
});

describe('tokens, as they are shown', () => {
  test('a character of several tokens stands at its last one, and they add up to the text', () => {
    // The tokenizer knows no emoji but one, so that each is bytes: four tokens, or more where they are joined.
    const text = 'see 🦊 and 👩‍👩‍👧 ½?';
    const ids = tokenizer.encode(text);
    const texts = tokenizer.tokenTexts(ids);
    expect(texts).toHaveLength(ids.length);
    expect(texts.join('')).toBe(text);
    expect(texts.some((piece) => piece.includes('\uFFFD'))).toBe(false);
    const fox = texts.findIndex((piece) => piece.includes('🦊'));
    expect(texts[fox]).toBe('🦊');
    expect(texts.slice(0, fox).join('')).toBe('see ');
    // What adds nothing yet is shown by its bytes: every token can be seen.
    const shown = tokenizer.shownTokens(ids);
    expect(shown.every((piece) => piece !== '')).toBe(true);
    expect(shown[fox - 1]).toMatch(/^\\x[0-9A-F]{2}/);
    expect(shown[fox]).toBe('🦊');
  });

  test('a text that ends inside a character, and bytes that are none, add up as well', () => {
    const fox = tokenizer.encode('🦊');
    const letter = tokenizer.encode('a');
    for (const ids of [
      fox.slice(0, -1),
      [...fox.slice(0, 2), ...letter],
      [...letter, fox[fox.length - 1], ...fox, ...fox.slice(1)],
      [fox[0], fox[0], fox[0], fox[0], fox[0], fox[0], ...fox],
      [],
    ])
      expect(tokenizer.tokenTexts(ids).join('')).toBe(tokenizer.decode(ids));
  });

  test('alone, a token is what its bytes say', () => {
    const [space, ...rest] = tokenizer.encode(' 🦊').map((id) => tokenizer.tokenText(id));
    expect([space, ...rest].join('')).toMatch(/^ (\\x[0-9A-F]{2})+$/);
    expect(tokenizer.encode('The picture\n').map((id) => tokenizer.tokenText(id))).toEqual(
      tokenizer.tokenTexts(tokenizer.encode('The picture\n')),
    );
    expect(tokenizer.tokenText(tokenizer.imageTokenId)).toBe('<image>');
  });
});

describe('prepared images', () => {
  test('are not resized again, and give the same pixels', async () => {
    const image = await open('alpha.png');
    for (const do_image_splitting of [false, true]) {
      const prepared = prepareImage(image, real, { do_image_splitting });
      expect(prepareImage(prepared, real, { do_image_splitting }) === prepared).toBe(true);
      const [again, first] = [prepared, image].map((one) => {
        const { pixelValues } = processImage(one, real, { do_image_splitting });
        return sha256(new Uint8Array(pixelValues.buffer));
      });
      expect(again).toBe(first);
    }
    const prepared = prepareImage(image, real);
    expect([prepared.width, prepared.height]).toEqual([512, 512]);
    // Without its mark, a picture of the model's size is one that somebody brought: by way of 2048, as in transformers.
    const { prepared: _, ...brought } = prepared;
    expect(sha256(prepareImage(brought, real).data)).not.toBe(sha256(prepared.data));
    expect(() => prepareImage(prepared, config('small'))).toThrow(/prepared for/);
  });

  test('settings that make no sense are refused by name', async () => {
    const image = await open('dot.png');
    const refused = (settings: ImageProcessorConfig, message: RegExp) =>
      expect(() => processImage(image, { ...real, ...settings })).toThrow(message);
    refused({ size: { longest_edge: 0 } }, /size\.longest_edge is 0/);
    refused({ size: { height: 64 } }, /size\.width is undefined/);
    refused({ max_image_size: { longest_edge: 1e9 } }, /max_image_size\.longest_edge is 1000000000/);
    refused({ resample: 3 }, /resample is 3; only 1, Lanczos/);
    expect(() => processImage({ width: 0, height: 0, data: new Uint8Array(0) }, real)).toThrow(/0 bytes/);
  });
});
