/**
 * Draws an emoji from its pixels in emoji-atlas.json, which build/emoji-atlas.ts renders. Integer arithmetic, like the
 * rasteriser's: the same bytes everywhere.
 */
import atlas from './emoji-atlas.json' with { type: 'json' };
import { EIGHTHS, type RasterImage } from './raster.ts';

/** Cosine and sine in 1/1024, of −16°, −8°, 0°, 8° and 16°. */
const turns: readonly (readonly [number, number])[] = [
  [984, -282],
  [1014, -143],
  [1024, 0],
  [1014, 143],
  [984, 282],
];

/** RGBA by name, atlas.size × atlas.size; decoded when first drawn. */
const decoded = new Map<string, Uint8Array>();

export function emojiPixels(name: string): Uint8Array {
  const known = decoded.get(name);
  if (known) return known;
  const text = (atlas.pixels as Readonly<Record<string, string>>)[name];
  if (text === undefined) throw new Error(`emoji-atlas.json has no ${name}: run build/emoji-atlas.ts`);
  const pixels = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  decoded.set(name, pixels);
  return pixels;
}

/** Draws an emoji `size` pixels wide around (cx, cy), which are in eighths of a pixel. `turn` numbers the angles. */
export function drawEmoji(
  image: RasterImage,
  name: string,
  { cx, cy, size, turn, shade }: { cx: number; cy: number; size: number; turn: number; shade: number },
): void {
  const pixels = emojiPixels(name);
  const [cos, sin] = turns[turn];
  const from = (center: number) => Math.max(0, Math.floor(center / EIGHTHS) - size);
  const to = (center: number, most: number) => Math.min(most, Math.ceil(center / EIGHTHS) + size);
  /** From 1/1024 of an eighth to a column or row of the atlas. */
  const place = (at: number) => Math.floor(atlas.size / 2 + (at * atlas.size) / (size * EIGHTHS * 1024));
  for (let y = from(cy); y < to(cy, image.height); y++)
    for (let x = from(cx); x < to(cx, image.width); x++) {
      const sum = [0, 0, 0, 0];
      for (let sy = 1; sy < EIGHTHS; sy += 2)
        for (let sx = 1; sx < EIGHTHS; sx += 2) {
          const [dx, dy] = [x * EIGHTHS + sx - cx, y * EIGHTHS + sy - cy];
          const [u, v] = [place(dx * cos + dy * sin), place(dy * cos - dx * sin)];
          if (u < 0 || v < 0 || u >= atlas.size || v >= atlas.size) continue;
          const at = (v * atlas.size + u) * 4;
          const alpha = pixels[at + 3];
          for (let c = 0; c < 3; c++) sum[c] += pixels[at + c] * alpha;
          sum[3] += alpha;
        }
      if (sum[3] > 0) blend(image, x, y, sum, shade);
    }
}

/** Lays what 16 samples summed up to over a pixel; colours are multiplied by their alpha, `shade` is in 1/256. */
function blend(image: RasterImage, x: number, y: number, sum: readonly number[], shade: number): void {
  const at = (y * image.width + x) * 3;
  const whole = 16 * 255;
  for (let c = 0; c < 3; c++) {
    const over = Math.floor((sum[c] * shade) / 256);
    image.data[at + c] = Math.floor((image.data[at + c] * (whole - sum[3]) + over + whole / 2) / whole);
  }
}
