/** The emoji task: what its pictures show is what its words say. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { atlasSize, renderAtlas } from '../../../build/emoji-atlas.ts';
import { lazyDemonstration } from '../../../src/data/demonstrators.ts';
import { diagnose } from '../../../src/data/diagnose.ts';
import { emojiPixels } from '../../../src/data/draw-emoji.ts';
import { emojiByColor } from '../../../src/data/emoji.ts';
import { type Example, generateExample, generateQuestion, splitOf } from '../../../src/data/examples.ts';
import { nanoFiles } from '../../../src/data/nano-files.ts';
import { expectedCellContents } from '../../../src/data/render.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { type Color, cellName, colors, sceneKey } from '../../../src/data/world.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';

const many = (count: number, split: 'train' | 'test' = 'train') =>
  Array.from({ length: count }, (_, i) => generateQuestion(3, split, i, 'emoji'));
const questions = many(3000);
const names = Object.values(emojiByColor).flat();

/** Hues of the six colours, in degrees; what lies between them (orange, pink, lime) belongs to none. */
const hues: Record<Color, readonly [number, number]> = {
  red: [345, 374],
  yellow: [36, 64],
  green: [80, 165],
  cyan: [168, 201],
  blue: [206, 250],
  purple: [256, 315],
};

/** The colour's word for a pixel, null where it is grey, dark or between two colours. */
function wordOf(r: number, g: number, b: number): Color | null {
  const most = Math.max(r, g, b);
  const range = most - Math.min(r, g, b);
  if (most < 76 || range < 0.3 * most) return null;
  const sector =
    most === r ? ((g - b) / range + 6) % 6 : most === g ? (b - r) / range + 2 : (r - g) / range + 4;
  const hue = 60 * sector;
  return (
    colors.find((color) => [hue, hue + 360].some((h) => h >= hues[color][0] && h <= hues[color][1])) ?? null
  );
}

function shares(pixels: Uint8Array | Buffer): Map<Color, number> {
  const counts = new Map<Color, number>();
  let all = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] < 128) continue;
    all++;
    const word = wordOf(pixels[at], pixels[at + 1], pixels[at + 2]);
    if (word) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return new Map([...counts].map(([color, count]) => [color, count / all]));
}

test('each emoji has one dominating colour, and its word is that colour', () => {
  expect(names).toHaveLength(48);
  expect(new Set(names).size).toBe(48);
  for (const color of colors)
    for (const name of emojiByColor[color]) {
      const found = shares(emojiPixels(name));
      const others = Math.max(
        0,
        ...[...found].filter(([other]) => other !== color).map(([, share]) => share),
      );
      expect(found.get(color) ?? 0, name).toBeGreaterThan(0.55);
      expect(others, name).toBeLessThan(0.3);
    }
});

test('the committed pixels are what the package renders to', async () => {
  const rendered = await renderAtlas();
  expect(Object.keys(rendered)).toEqual(names);
  for (const name of names) {
    const [kept, made] = [emojiPixels(name), rendered[name]];
    expect(kept).toHaveLength(atlasSize ** 2 * 4);
    // Another version of the renderer may smooth an edge otherwise.
    let [far, sum] = [0, 0];
    for (let i = 0; i < kept.length; i++) {
      // Colours of transparent pixels are of no consequence.
      const alpha = kept[i - (i % 4) + 3] / 255;
      const difference = Math.abs(kept[i] - made[i]) * (i % 4 === 3 ? 1 : alpha);
      sum += difference;
      if (difference > 32) far++;
    }
    expect(sum / kept.length, name).toBeLessThan(2);
    expect(far / kept.length, name).toBeLessThan(0.02);
  }
});

test('an example is a pure function of its arguments', () => {
  expect(generateExample(3, 'train', 17, 'emoji')).toEqual(generateExample(3, 'train', 17, 'emoji'));
  const { image, ...rest } = generateExample(3, 'train', 17, 'emoji');
  expect(rest).toEqual(questions[17]);
  expect(image).toMatchObject({ width: 64, height: 64 });
});

test('the other tasks ask and draw what they did before there were emoji', () => {
  // Of examples made by the version that papo-nano was warmed up with.
  const before = {
    shapes: '6265485862b97c48',
    counting: 'f9fd0838efc79907',
    comparing: 'f9e9386b577a7e4c',
    reasoning: '4297d251394dafcf',
    all: 'bc9089a999efd31a',
  } as const;
  for (const [task, digest] of Object.entries(before)) {
    const hash = createHash('sha256');
    for (let i = 0; i < 300; i++)
      for (const split of ['train', 'test'] as const) {
        const e = generateExample(5, split, i, task as keyof typeof before);
        hash.update(e.image.data);
        hash.update(`${e.id}|${e.prompt}|${e.answer}|${e.demonstration}|${e.vision_dependency}`);
      }
    expect(hash.digest('hex').slice(0, 16), task).toBe(digest);
  }
});

test('no scene is in both splits', () => {
  const held = many(500, 'test');
  const train = new Set(questions.map(({ scene }) => sceneKey(scene)));
  expect(held.filter(({ scene }) => train.has(sceneKey(scene)))).toEqual([]);
  for (const { scene } of held) expect(splitOf(scene)).toBe('test');
});

test('the answer is the colour of the emoji in the cell that is asked about', () => {
  for (const { prompt, scene, answer } of questions) {
    const [, name] = /^which color (@\d+)( (surely|maybe) \w+)?$/.exec(prompt) ?? [];
    const cell = Array.from({ length: 16 }, (_, i) => cellName(i)).indexOf(name);
    expect(emojiByColor[answer as Color], prompt).toContain(scene.emoji?.[cell]?.emoji);
  }
});

test('right completions are sound, and each kind of mistake is told apart', () => {
  for (const example of questions) {
    expect(diagnose(example.demonstration, example)).toMatchObject({ correct: true, error: null });
    const other = colors[(colors.indexOf(example.answer as Color) + 1) % 6];
    const cell = cellName(example.question.cells[0]);
    const elsewhere = cellName((example.question.cells[0] + 1) % 16);
    const wrong = {
      [`<think> ${cell} ${other} </think> \\boxed{${other}}`]: 'perception',
      [`<think> ${cell} ${example.answer} </think> \\boxed{${other}}`]: 'reasoning',
      [`<think> ${cell} square </think> \\boxed{${example.answer}}`]: 'format',
      [`\\boxed{${example.answer}}`]: 'format',
    };
    for (const [text, error] of Object.entries(wrong))
      expect(diagnose(text, example as Example).error, text).toBe(error);
    expect(
      diagnose(`<think> ${elsewhere} ${example.answer} </think> \\boxed{${example.answer}}`, example).error,
    ).not.toBe(null);
  }
});

test('papo-nano knows every word of questions and completions', () => {
  const files = nanoFiles();
  const json = (name: string) => JSON.parse(files[name]);
  const text = TextProcessor.fromFiles({
    tokenizer: json('tokenizer.json'),
    tokenizerConfig: json('tokenizer_config.json'),
    config: json('config.json'),
    generationConfig: json('generation_config.json'),
    chatTemplate: files['chat_template.jinja'],
  });
  const unknown = text.tokenId('<unk>');
  for (const [i, example] of questions.slice(0, 500).entries()) {
    const random = new RandomStream(1, Purpose.demonstration, i);
    const lazy = lazyDemonstration(example as Example, random, 1);
    for (const written of [example.prompt, example.demonstration, lazy])
      expect(text.encode(written), written).not.toContain(unknown);
    expect(text.encode(example.demonstration).length + 1).toBeLessThanOrEqual(14);
  }
});

test('a drawn cell shows its colour more than any other, and empty cells are ground alone', () => {
  const confusion = { right: 0, all: 0 };
  for (let i = 0; i < 200; i++) {
    const { scene, image } = generateExample(3, 'test', i, 'emoji');
    const contents = expectedCellContents({ scene });
    scene.emoji!.forEach((item, cell) => {
      expect(contents[cell]).toEqual({ color: item?.color ?? null, shape: null });
      if (!item) return;
      const counts = new Map<Color, number>();
      for (let y = 2; y < 14; y++)
        for (let x = 2; x < 14; x++) {
          const at = (((cell >> 2) * 16 + y) * 64 + (cell % 4) * 16 + x) * 3;
          const word = wordOf(image.data[at], image.data[at + 1], image.data[at + 2]);
          if (word) counts.set(word, (counts.get(word) ?? 0) + 1);
        }
      const [most] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
      confusion.all++;
      if (most === item.color) confusion.right++;
    });
  }
  expect(confusion.right / confusion.all).toBeGreaterThan(0.98);
});
