/** The paper's mask, 14 pixels a patch at 0.6, on what SmolVLM gets of a photograph. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ImageProcessorConfig, toPixelValues } from '../../../src/data/image-processor.ts';
import type { RasterImage } from '../../../src/data/raster.ts';
import { maskImage, maskRandom, maskRecipe } from '../../../src/papo/masked-image.ts';
import { maskedView } from '../../../src/papo/masked-view.ts';
import type { VlmConfig } from '../../../src/policy/config.ts';

const processorOf = (path: string) =>
  JSON.parse(readFileSync(`${path}/preprocessor_config.json`, 'utf8')) as ImageProcessorConfig;
const smolvlm = processorOf('tests/fixtures/smolvlm-processor/folder');
const nano = processorOf('public/models/papo-nano');
const paper = { mask_type: 'patch_black', mask_ratio: 0.6, mask_patch_size: 14 } as const;

const policyOf = (imageProcessor: ImageProcessorConfig, imageSize: number) => ({
  config: { vision: { imageSize, patchSize: 16 } } as VlmConfig,
  imageProcessor,
  pixels: (image: RasterImage) => toPixelValues(image, imageProcessor),
});

/** No pixel is black, so that black is the mask's alone. */
function photograph(width: number, height: number): RasterImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = 60 + ((i * 31 + Math.floor(i / (3 * width)) * 17) % 150);
  return { width, height, data };
}

describe('the masked view of a photograph', () => {
  const policy = policyOf(smolvlm, 512);
  const image = photograph(1200, 900);
  const whole = policy.pixels(image);
  const plane = 512 * 512;
  const columns = Math.ceil(512 / 14);

  /** Per patch of 14 × 14: whether it is black in all three channels, unchanged, or (a fault) something else. */
  function patches(values: Float32Array): ('black' | 'kept' | 'mixed')[] {
    return Array.from({ length: columns * columns }, (_, patch) => {
      const [top, left] = [Math.floor(patch / columns) * 14, (patch % columns) * 14];
      let [black, kept, all] = [0, 0, 0];
      for (let c = 0; c < 3; c++)
        for (let y = top; y < Math.min(512, top + 14); y++)
          for (let x = left; x < Math.min(512, left + 14); x++) {
            const at = c * plane + y * 512 + x;
            all++;
            if (values[at] === -1) black++;
            if (values[at] === whole[at]) kept++;
          }
      return black === all ? 'black' : kept === all ? 'kept' : 'mixed';
    });
  }

  it('is black in whole patches of 14 pixels as the model sees them, six in ten, and the same everywhere else', () => {
    expect(whole.some((value) => value === -1)).toBe(false);
    let black = 0;
    const masks = 12;
    for (let index = 0; index < masks; index++) {
      const random = maskRandom(7, { generation: 0, index });
      const view = maskedView(policy, image, paper, undefined, random);
      const found = patches(view.pixelValues);
      expect(found).not.toContain('mixed');
      const own = found.filter((patch) => patch === 'black').length;
      black += own;
      // Patches at the right and lower edge are cut: 8 pixels.
      expect(Math.abs(view.share - own / found.length)).toBeLessThan(0.02);
      expect([view.masked.width, view.masked.height]).toEqual([512, 512]);
    }
    // Binomial, 12 × 1369 patches: four standard deviations.
    const count = masks * columns * columns;
    expect(Math.abs(black / count - 0.6)).toBeLessThan(4 * Math.sqrt((0.6 * 0.4) / count));
  });

  it('is one for a prompt: the same place, the same mask, and another place another', () => {
    const at = (index: number) =>
      maskImage(image, maskRecipe(policy, paper), undefined, maskRandom(7, { generation: 3, index })).mask
        .keep;
    expect(Buffer.from(at(1)).equals(Buffer.from(at(1)))).toBe(true);
    expect(Buffer.from(at(1)).equals(Buffer.from(at(2)))).toBe(false);
  });

  it('a recipe goes through JSON, and an image that was prepared is masked as the one it was made of', () => {
    const recipe = maskRecipe(policy, paper);
    const kept = JSON.parse(JSON.stringify(recipe)) as typeof recipe;
    const place = { generation: 0, index: 0 };
    const first = maskImage(image, recipe, undefined, maskRandom(1, place));
    const again = maskImage(first.shown, kept, undefined, maskRandom(1, place));
    expect(again.shown === first.shown).toBe(true);
    expect(Buffer.from(again.masked.data).equals(Buffer.from(first.masked.data))).toBe(true);
  });

  it('runs kept before images were prepared are masked as they were: on the image itself, or on the square', () => {
    const small = photograph(40, 30);
    const old = { type: 'patch_black', ratio: 0.5, patchSize: 8, mean: [0.5, 0.5, 0.5] } as const;
    const random = () => maskRandom(1, { generation: 0, index: 0 });
    expect(maskImage(small, { ...old, size: null }, undefined, random()).shown === small).toBe(true);
    expect(maskImage(small, { ...old, size: 64 }, undefined, random()).shown).toMatchObject({
      width: 64,
      height: 64,
    });
  });
});

it("papo-nano's pictures have the model's size: they are masked as they are", () => {
  const image = photograph(64, 64);
  const recipe = maskRecipe(policyOf(nano, 64), { ...paper, mask_patch_size: 8 });
  const { shown } = maskImage(image, recipe, undefined, maskRandom(1, { generation: 0, index: 0 }));
  expect(shown === image).toBe(true);
});
