/** What decoding an image gives on every platform, and how transparency goes. */
import type { RasterImage } from '../data/raster.ts';

/** Encoded bytes → RGB, [height, width, 3]. Throws UserError where they are no image that can be read. */
export type DecodeImage = (image: Blob) => Promise<RasterImage>;

/**
 * RGBA [n, 4] → RGB [n, 3] over white. transformers 5 composites onto white (`convert_to_rgb` of image_transforms.py);
 * transformers 4 and PIL's convert('RGB') dropped alpha, which shows whatever colour lay under transparent pixels.
 */
export function overWhite(rgba: Uint8Array | Uint8ClampedArray): Uint8Array {
  const pixels = rgba.length / 4;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const alpha = rgba[i * 4 + 3];
    for (let c = 0; c < 3; c++) {
      rgb[i * 3 + c] = Math.round((rgba[i * 4 + c] * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return rgb;
}
