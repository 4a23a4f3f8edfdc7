/**
 * Renders the emoji of the emoji tasks from the SVGs of @iconify-json/fluent-emoji-flat into one file of pixels.
 *   node scripts/run.mjs build/emoji-atlas.ts
 * Its output is committed, because SVG renderers round differently and examples must be the same bytes everywhere; a
 * test renders anew and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { emojiByColor } from '../src/data/emoji.ts';

/** Half again as many as an emoji covers in a picture at most. */
export const atlasSize = 24;

interface IconSet {
  readonly icons: Readonly<Record<string, { readonly body: string }>>;
  readonly width?: number;
  readonly height?: number;
}

const packageFile = (name: string): string =>
  join(dirname(createRequire(import.meta.url).resolve('@iconify-json/fluent-emoji-flat/icons.json')), name);

/** RGBA of every emoji, by name. */
export async function renderAtlas(): Promise<Record<string, Buffer>> {
  const set = JSON.parse(readFileSync(packageFile('icons.json'), 'utf8')) as IconSet;
  const box = `0 0 ${set.width ?? 16} ${set.height ?? 16}`;
  const pixels: Record<string, Buffer> = {};
  for (const name of Object.values(emojiByColor).flat()) {
    const icon = set.icons[name];
    if (!icon) throw new Error(`@iconify-json/fluent-emoji-flat has no "${name}"`);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${atlasSize}" height="${atlasSize}" viewBox="${box}">${icon.body}</svg>`;
    pixels[name] = await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer();
  }
  return pixels;
}

export async function main(): Promise<void> {
  const rendered = await renderAtlas();
  const { name, version, license } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
  const atlas = {
    source: `${name} ${version}, ${license}, Microsoft`,
    size: atlasSize,
    pixels: Object.fromEntries(
      Object.entries(rendered).map(([emoji, bytes]) => [emoji, bytes.toString('base64')]),
    ),
  };
  const file = join(import.meta.dirname, '../src/data/emoji-atlas.json');
  writeFileSync(file, `${JSON.stringify(atlas, null, 2)}\n`);
  console.log(`${file}: ${Object.keys(rendered).length} emoji`);
}
