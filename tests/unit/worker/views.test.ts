import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nanoFiles } from '../../../src/data/nano-files.ts';
import type { RasterImage } from '../../../src/data/raster.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { groupView, rowView } from '../../../src/worker/views.ts';

const root = 'tests/fixtures/smolvlm-processor/folder';
const bytes = TextProcessor.fromFolder(
  Object.fromEntries(readdirSync(root).map((name) => [name, readFileSync(`${root}/${name}`, 'utf8')])),
);
const words = TextProcessor.fromFolder(nanoFiles());

const picture = (width: number, height: number): RasterImage => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(9),
});

function tokensOf(text: TextProcessor, answer: string) {
  const ids = text.encode(answer);
  const none = [ids.map(() => 0)];
  const view = groupView(
    {
      prompt: 0,
      place: { generation: 0, index: 0 },
      tokens: [ids],
      rewards: [{}],
      advantages: [0],
      logps: none,
      masked_logps: none,
      perception_kl: none,
      entropy: none,
      ratio: [[]],
      row: { id: '1', prompt: 'q', image: picture(4, 3), answer: null, columns: {} },
      masked: picture(4, 3),
      completions: [answer],
    } as unknown as Parameters<typeof groupView>[0],
    text,
  );
  return view.completions[0].tokens.map((token) => token.text);
}

describe('tokens of a completion', () => {
  it('byte-level ones have their spaces, and a character of several stands at its last', () => {
    const tokens = tokensOf(bytes, 'a red 🦊.');
    const cut = tokens.filter((token) => /^\\x[0-9A-F]{2}/.test(token));
    expect(cut).toHaveLength(tokens.indexOf('🦊') - tokens.indexOf(' ') - 1);
    expect(cut.length).toBeGreaterThan(0);
    expect(tokens.filter((token) => !cut.includes(token)).join('')).toBe('a red 🦊.');
    expect(tokens.join('')).not.toContain('Ġ');
  });

  it("papo-nano's are words", () => {
    expect(tokensOf(words, '<think> red </think>')).toEqual(['<think>', 'red', '</think>']);
  });
});

it('photographs go to the page no larger than it shows them', () => {
  const view = (image: RasterImage) =>
    rowView({ id: '1', prompt: 'q', image, answer: null, columns: {} }).image;
  expect(view(picture(2000, 500))).toMatchObject({ width: 1024, height: 256 });
  expect(view(picture(640, 480))).toMatchObject({ width: 640, height: 480 });
});
