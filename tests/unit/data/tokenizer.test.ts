import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lazyDemonstration } from '../../../src/data/demonstrators.ts';
import { generateExample } from '../../../src/data/examples.ts';
import { toPixelValues } from '../../../src/data/image-processor.ts';
import { nanoFiles, nanoVocabulary } from '../../../src/data/nano-files.ts';
import type { RasterImage } from '../../../src/data/raster.ts';
import { resizeImage } from '../../../src/data/resample.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';
import golden from './golden/golden.json' with { type: 'json' };

const files = nanoFiles();
const json = (name: string) => JSON.parse(files[name]);
const nanoText = {
  tokenizer: json('tokenizer.json'),
  tokenizerConfig: json('tokenizer_config.json'),
  config: json('config.json'),
  generationConfig: json('generation_config.json'),
  chatTemplate: files['chat_template.jinja'],
};
const nano = TextProcessor.fromFiles(nanoText);

test('the committed folder is what the generator writes', () => {
  for (const [name, content] of Object.entries(files)) {
    expect(readFileSync(`public/models/papo-nano/${name}`, 'utf8'), name).toBe(content);
  }
  expect(new Set(nanoVocabulary).size).toBe(nanoVocabulary.length);
  expect(nano.vocabSize).toBe(nanoVocabulary.length);
});

test('prompts and completions get the ids and the texts that transformers gives them', () => {
  for (const { text, ids, decoded } of golden.prompts) {
    expect(nano.buildPrompt(text), text).toEqual(ids);
    expect(nano.decode(ids), text).toBe(decoded);
  }
  for (const { text, ids, decoded } of golden.completions) {
    expect(nano.encode(text), text).toEqual(ids);
    expect(nano.decode(ids), text).toBe(decoded);
    expect(nano.tokenTexts(ids).join(''), text).toBe(decoded);
    expect(nano.shownTokens(ids)).toEqual(ids.map((id) => nano.tokenText(id)));
  }
});

test('every prompt and demonstration comes back from its ids, in known words and few of them', () => {
  const unknown = nano.tokenId('<unk>');
  for (let i = 0; i < 400; i++) {
    const example = generateExample(21, i % 2 ? 'train' : 'test', i, i % 4 < 2 ? 'shapes' : 'all');
    const lazy = lazyDemonstration(example, new RandomStream(1, Purpose.demonstration, i), 1);
    for (const text of [example.prompt, example.demonstration, lazy, nano.renderPrompt(example.prompt)]) {
      const ids = nano.encode(text);
      expect(nano.decode(ids)).toBe(text);
      expect(ids).not.toContain(unknown);
    }
    expect(nano.encode(example.prompt).length).toBeLessThanOrEqual(14);
    // With the end token.
    const budget = example.level === 'default' ? 14 : 17;
    expect(nano.encode(example.demonstration).length + 1, example.demonstration).toBeLessThanOrEqual(budget);
  }
});

test('special tokens are skipped on demand, markers stay', () => {
  const ids = [...nano.encode('<think> @5 red </think> \\boxed{red}'), nano.eosTokenId, nano.padTokenId];
  expect(nano.decode(ids, { skipSpecialTokens: true })).toBe('<think> @5 red </think> \\boxed{red}');
  expect(nano.decode(ids)).toContain('<end_of_utterance>');
  expect(nano.decode([])).toBe('');
});

test('the prompt holds the image tokens between the fake ones, as many as the vision tower gives', () => {
  const ids = nano.buildPrompt('add @3 @7');
  expect(nano.imageSeqLen).toBe(16);
  const first = ids.indexOf(nano.imageTokenId);
  expect(ids.filter((id) => id === nano.imageTokenId)).toHaveLength(16);
  expect(ids.slice(first, first + 16).every((id) => id === nano.imageTokenId)).toBe(true);
  expect(nano.tokenText(ids[first - 1])).toBe('<global-img>');
  expect(nano.tokenText(ids[first - 2])).toBe('<fake_token_around_image>');
  expect(nano.tokenText(ids[first + 16])).toBe('<fake_token_around_image>');
  expect(nano.tokenText(ids.at(-1)!)).toBe('\nAssistant:');
});

test('a byte-level BPE folder with other ids works the same, everything read from the folder', () => {
  const bytes = [...'abcdefghijklmnopqrstuvwxyzUA:ĠĊ'];
  const special = [
    '<|im_start|>',
    '<|im_end|>',
    '<fake_token_around_image>',
    '<image>',
    '<end_of_utterance>',
    '<global-img>',
  ];
  const vocab = Object.fromEntries([...bytes, 'se', 'ser', 'Ġr'].map((token, i) => [token, i + 3]));
  const added = special.map((content, i) => ({
    id: 100 + 2 * i,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  }));
  const bpe = TextProcessor.fromFiles({
    tokenizer: {
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        vocab,
        merges: [
          ['s', 'e'],
          ['se', 'r'],
          ['Ġ', 'r'],
        ],
        unk_token: null,
      },
    },
    tokenizerConfig: {
      eos_token: { content: '<end_of_utterance>' },
      pad_token: '<|im_end|>',
      chat_template: nanoText.chatTemplate,
    },
    config: {
      image_token_id: 106,
      scale_factor: 4,
      text_config: { vocab_size: 120 },
      vision_config: { image_size: 512, patch_size: 16 },
    },
  });
  expect(bpe.imageSeqLen).toBe(64);
  expect(bpe.eosTokenIds).toEqual([108]);
  expect(bpe.padTokenId).toBe(102);
  const ids = bpe.buildPrompt('a red');
  expect(ids[0]).toBe(100);
  // `User:` is U, ser, the colon: the merges were used.
  expect(ids.slice(1, 4)).toEqual([vocab.U, vocab.ser, vocab[':']]);
  expect(ids.slice(4, 6)).toEqual([104, 110]);
  expect(ids.slice(6, 70)).toEqual(new Array(64).fill(106));
  expect(ids.slice(70, 74)).toEqual([104, vocab.a, vocab.Ġr, vocab.e]);
  expect(bpe.decode(ids)).toBe(bpe.renderPrompt('a red'));
});

test('a folder that contradicts itself is refused with the reason', () => {
  const wrongImage = { ...nanoText, config: { ...nanoText.config, image_token_id: 2 } };
  expect(() => TextProcessor.fromFiles(wrongImage)).toThrow(/<image> is token 2, tokenizer.json says 6/);
  const noTemplate = { ...nanoText, chatTemplate: undefined };
  expect(() => TextProcessor.fromFiles(noTemplate)).toThrow(/chat_template.jinja/);
  const oddScale = { ...nanoText, config: { ...nanoText.config, scale_factor: 3 } };
  expect(() => TextProcessor.fromFiles(oddScale)).toThrow(/not a whole number/);
  expect(TextProcessor.fromFolder(files).eosTokenIds).toEqual(nano.eosTokenIds);
  expect(() => TextProcessor.fromFolder({ ...files, 'tokenizer.json': undefined })).toThrow(
    /has no tokenizer.json/,
  );
  expect(() => TextProcessor.fromFolder({ ...files, 'config.json': '{' })).toThrow(/config.json is not JSON/);
  expect(() => nano.buildPrompt('what is <image>')).toThrow(/one image/);
});

function picture(width: number, height: number): RasterImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++)
        data[(y * width + x) * 3 + c] = (x * x * 3 + y * 17 + x * y * c + 40 * c) % 256;
    }
  }
  return { width, height, data };
}

test('pixel values are those of transformers', () => {
  const values = toPixelValues(picture(64, 64), json('preprocessor_config.json'));
  const { row, values: expected } = golden.pixelRows;
  let worst = 0;
  for (let c = 0; c < 3; c++) {
    const plane = values.subarray(c * 4096, (c + 1) * 4096);
    for (let x = 0; x < 64; x++)
      worst = Math.max(worst, Math.abs(plane[row * 64 + x] - expected[c * 64 + x]));
    const sum = plane.reduce((total, v) => total + v, 0);
    expect(Math.abs(sum - golden.pixelSums[c])).toBeLessThan(1e-3);
  }
  expect(worst).toBeLessThan(1e-6);
});

test("Lanczos resampling, down and up, is torchvision's to the byte", () => {
  for (const { width, height, bytes } of golden.resized) {
    const { data } = resizeImage(picture(40, 30), width, height);
    expect(Array.from(data)).toEqual(bytes);
  }
});

test('an image of another size is resampled, a broken one is refused', () => {
  const config = json('preprocessor_config.json');
  expect(toPixelValues(picture(40, 30), config)).toHaveLength(3 * 64 * 64);
  expect(() => toPixelValues(picture(40, 30), { ...config, do_resize: false })).toThrow(/expected 64 × 64/);
  const short = { width: 64, height: 64, data: new Uint8Array(10) };
  expect(() => toPixelValues(short, config)).toThrow(/10 bytes/);
});
