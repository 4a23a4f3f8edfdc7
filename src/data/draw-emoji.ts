/**
 * Draws an emoji from its pixels in emoji-atlas.json, which build/emoji-atlas.ts renders. Sums,
 * products and floors of doubles alone: the same bytes everywhere.
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
  const [middle, side] = [atlas.size / 2, atlas.size];
  // Read once: in the loop, another module's constant is looked up anew for every sample.
  const unit = EIGHTHS;
  /** From 1/1024 of an eighth to columns and rows of the atlas. */
  const scale = side / (size * unit * 1024);
  // Half a turned square, and a pixel more: (cos 16° + sin 16°) / 2 is below 5 / 8.
  const reach = Math.ceil((5 * size) / 8) + 1;
  const sum = [0, 0, 0, 0];
  const [x0, x1] = range(cx, reach, image.width);
  const [y0, y1] = range(cy, reach, image.height);
  for (let y = y0; y < y1; y++)
    for (let x = x0; x < x1; x++) {
      sum.fill(0);
      for (let sy = 1; sy < unit; sy += 2)
        for (let sx = 1; sx < unit; sx += 2) {
          const dx = x * unit + sx - cx;
          const dy = y * unit + sy - cy;
          const u = Math.floor(middle + (dx * cos + dy * sin) * scale);
          const v = Math.floor(middle + (dy * cos - dx * sin) * scale);
          if (u < 0 || v < 0 || u >= side || v >= side) continue;
          const at = (v * side + u) * 4;
          const alpha = pixels[at + 3];
          sum[0] += pixels[at] * alpha;
          sum[1] += pixels[at + 1] * alpha;
          sum[2] += pixels[at + 2] * alpha;
          sum[3] += alpha;
        }
      if (sum[3] > 0) blend(image, x, y, sum, shade);
    }
}

/** Whole pixels within reach of a centre, cut to the image. */
const range = (center: number, reach: number, most: number): [number, number] => [
  Math.max(0, Math.floor(center / EIGHTHS) - reach),
  Math.min(most, Math.ceil(center / EIGHTHS) + reach),
];

/** Lays what 16 samples summed up to over a pixel; colours are multiplied by their alpha, `shade` is in 1/256. */
function blend(image: RasterImage, x: number, y: number, sum: readonly number[], shade: number): void {
  const at = (y * image.width + x) * 3;
  const whole = 16 * 255;
  for (let c = 0; c < 3; c++) {
    const over = Math.floor((sum[c] * shade) / 256);
    image.data[at + c] = Math.floor((image.data[at + c] * (whole - sum[3]) + over + whole / 2) / whole);
  }
}
