// A rasteriser in integer arithmetic alone, so that Node and every browser draw the same bytes.
// Lengths are in eighths of a pixel; each pixel is sampled at 4 × 4 points (odd eighths) and blended by coverage.

/** An RGB image: `data` holds height × width × 3 bytes, row by row. */
export interface RasterImage {
  width: number;
  height: number;
  data: Uint8Array;
  /** Set by prepareImage (image-processor.ts): whose pixels these are, so that they are not resized again. */
  readonly prepared?: string;
}

export type Rgb = readonly [number, number, number];

/** Whether the point (dx, dy), in eighths of a pixel from the shape's centre, lies inside. */
export type Inside = (dx: number, dy: number) => boolean;

export const EIGHTHS = 8;

export function createImage(width: number, height: number, color: Rgb): RasterImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i += 3) data.set(color, i);
  return { width, height, data };
}

/** Fills pixels [x0, x1) × [y0, y1), cut to the image. */
export function fillRect(
  image: RasterImage,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  color: Rgb,
): void {
  for (let y = Math.max(0, y0); y < Math.min(image.height, y1); y++) {
    for (let x = Math.max(0, x0); x < Math.min(image.width, x1); x++) {
      image.data.set(color, (y * image.width + x) * 3);
    }
  }
}

/** Paints a shape whose centre is (cx, cy) eighths and which reaches no further than `reach` eighths from it. */
export function fillShape(
  image: RasterImage,
  cx: number,
  cy: number,
  reach: number,
  color: Rgb,
  inside: Inside,
): void {
  const x0 = Math.max(0, Math.floor((cx - reach) / EIGHTHS));
  const y0 = Math.max(0, Math.floor((cy - reach) / EIGHTHS));
  const x1 = Math.min(image.width, Math.ceil((cx + reach) / EIGHTHS));
  const y1 = Math.min(image.height, Math.ceil((cy + reach) / EIGHTHS));
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      let covered = 0;
      for (let sy = 1; sy < EIGHTHS; sy += 2) {
        for (let sx = 1; sx < EIGHTHS; sx += 2) {
          if (inside(x * EIGHTHS + sx - cx, y * EIGHTHS + sy - cy)) covered++;
        }
      }
      if (covered > 0) blend(image, x, y, color, covered);
    }
  }
}

/** Mixes `color` into a pixel with weight covered / 16, rounded to the nearest byte. */
function blend(image: RasterImage, x: number, y: number, color: Rgb, covered: number): void {
  const at = (y * image.width + x) * 3;
  for (let c = 0; c < 3; c++) {
    image.data[at + c] = (image.data[at + c] * (16 - covered) + color[c] * covered + 8) >> 4;
  }
}

/** Eighths rounded to whole pixels: straight edges then fall between pixels and stay crisp. */
const whole = (eighths: number) => ((eighths + 4) >> 3) * EIGHTHS;

/** The outlines, for half the extent `h` in eighths of a pixel; none reaches further than h + 4. */
export const outlines = {
  square: (h) => (dx, dy) => Math.max(Math.abs(dx), Math.abs(dy)) <= whole((7 * h) >> 3),
  circle: (h) => (dx, dy) => dx * dx + dy * dy <= h * h,
  triangle: (h) => (dx, dy) => 8 * dy <= 7 * h && 16 * Math.abs(dx) <= 9 * (dy + h),
  diamond: (h) => (dx, dy) => 5 * Math.abs(dx) + 4 * Math.abs(dy) <= 4 * h + (h >> 2),
  cross: (h) => (dx, dy) => {
    const near = Math.min(Math.abs(dx), Math.abs(dy));
    const far = Math.max(Math.abs(dx), Math.abs(dy));
    return near <= 2 * EIGHTHS && far <= whole(h);
  },
} satisfies Record<string, (h: number) => Inside>;
