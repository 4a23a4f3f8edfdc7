// The masked view of an image. A mask is made once a prompt, before normalisation, and shared by its group.
//
// Two fills, because the sources differ: the paper and the authors blacken raw pixels (RGB 0), TRL zeroes values
// after normalisation, which shows the mean colour. A trap: transformers' Idefics3 model drops images whose
// normalised pixels are all 0, so there TRL's masks at ratio 1 remove the image's place, not only its content;
// black is −1 after normalising with mean = std = 0.5, never 0.

import type { RasterImage } from '../data/raster.ts';
import type { MaskType } from './settings.ts';

export interface ImageMask {
  width: number;
  height: number;
  /** [height][width], or [height][width][3] where channels are masked apart; 1 = kept, 0 = masked. */
  keep: Uint8Array;
  fill: 'black' | 'mean';
}

export interface MaskOptions {
  /** Pixels. */
  width: number;
  height: number;
  /** mask_ratio, 0 to 1. */
  ratio: number;
  /** Pixels; for patch_black and semantic. */
  patchSize: number;
  /** [rows × columns] of the patch grid, row by row; for semantic: the higher, the sooner masked. */
  saliency?: ArrayLike<number>;
}

/** Patches down and across; the last ones are cut where the side is not a multiple of patchSize. */
export function patchGrid(
  width: number,
  height: number,
  patchSize: number,
): { rows: number; columns: number } {
  return { rows: Math.ceil(height / patchSize), columns: Math.ceil(width / patchSize) };
}

/** Masks a rectangle of keep [height][width], cut at the image's edges. */
function clearRect(mask: ImageMask, top: number, left: number, height: number, width: number): void {
  const bottom = Math.min(top + height, mask.height);
  const right = Math.min(left + width, mask.width);
  for (let y = top; y < bottom; y++) mask.keep.fill(0, y * mask.width + left, y * mask.width + right);
}

/** A patch grid from the top left, row by row: each patch for which `masked(index)` says so. */
function clearPatches(mask: ImageMask, patchSize: number, masked: (index: number) => boolean): void {
  const { rows, columns } = patchGrid(mask.width, mask.height, patchSize);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!masked(row * columns + column)) continue;
      clearRect(mask, row * patchSize, column * patchSize, patchSize, patchSize);
    }
  }
}

/** The k = floor(ratio × N) patches of highest saliency (the paper, G.2); of equals the first. */
function mostSalient(options: MaskOptions): Set<number> {
  const { rows, columns } = patchGrid(options.width, options.height, options.patchSize);
  const { saliency } = options;
  if (!saliency || saliency.length !== rows * columns) {
    throw new RangeError(
      `makeMask: semantic needs ${rows * columns} saliencies (${rows} × ${columns} patches), got ${saliency?.length ?? 'none'}`,
    );
  }
  const order = Array.from({ length: rows * columns }, (_, i) => i);
  order.sort((a, b) => saliency[b] - saliency[a] || a - b);
  return new Set(order.slice(0, Math.floor(options.ratio * order.length)));
}

/**
 * One mask for an image of width × height pixels. `random` gives numbers in [0, 1).
 * - patch_black: a grid of patches, each blackened with probability ratio (the paper, G.1; the authors'
 *   papo_utils.py:17-30, row by row).
 * - semantic: the most salient patches blackened (the paper, G.2).
 * - random: each value of each channel set to the mean with probability ratio (TRL, papo_trainer.py:171-172).
 * - patch: one rectangle of int(H √ratio) × int(W √ratio) set to the mean (TRL, 174-197).
 * - grid: int(√(1/ratio))² equal cells, each set to the mean with probability ratio; rows and columns left over are
 *   never masked, and above ratio 0.25 there is a single cell (TRL, 199-209). TRL draws the cells once for a whole
 *   batch; here, as everything else, once a prompt.
 * Throws a RangeError for sizes, ratios and saliencies that make no sense.
 */
export function makeMask(kind: MaskType, options: MaskOptions, random: () => number): ImageMask {
  const { width, height, ratio, patchSize } = options;
  if (!(ratio >= 0 && ratio <= 1)) throw new RangeError(`makeMask: ratio is from 0 to 1, got ${ratio}`);
  if (!(width >= 1 && height >= 1)) throw new RangeError(`makeMask: no image of ${width} × ${height} pixels`);
  const mask: ImageMask = {
    width,
    height,
    keep: new Uint8Array(width * height * (kind === 'random' ? 3 : 1)).fill(1),
    fill: kind === 'patch_black' || kind === 'semantic' ? 'black' : 'mean',
  };
  switch (kind) {
    case 'patch_black':
      clearPatches(mask, patchSize, () => random() < ratio);
      break;
    case 'semantic': {
      const masked = mostSalient(options);
      clearPatches(mask, patchSize, (index) => masked.has(index));
      break;
    }
    case 'random':
      // TRL keeps where rand > ratio.
      for (let i = 0; i < mask.keep.length; i++) mask.keep[i] = random() > ratio ? 1 : 0;
      break;
    case 'patch': {
      const rectHeight = Math.trunc(height * Math.sqrt(ratio));
      const rectWidth = Math.trunc(width * Math.sqrt(ratio));
      const top = Math.floor(random() * (height - rectHeight + 1));
      const left = Math.floor(random() * (width - rectWidth + 1));
      clearRect(mask, top, left, rectHeight, rectWidth);
      break;
    }
    case 'grid': {
      if (ratio === 0) throw new RangeError('makeMask: grid divides by the ratio, which is 0');
      const cells = Math.trunc(Math.sqrt(1 / ratio));
      const cellHeight = Math.floor(height / cells);
      const cellWidth = Math.floor(width / cells);
      for (let i = 0; i < cells; i++) {
        for (let j = 0; j < cells; j++) {
          if (random() < ratio) clearRect(mask, i * cellHeight, j * cellWidth, cellHeight, cellWidth);
        }
      }
      break;
    }
  }
  return mask;
}

/** Channels that are masked apart: 3, or 1 for all together. */
function maskChannels(mask: ImageMask, width: number, height: number): number {
  if (mask.width !== width || mask.height !== height) {
    throw new RangeError(`mask of ${mask.width} × ${mask.height} pixels on an image of ${width} × ${height}`);
  }
  return mask.keep.length / (width * height);
}

/**
 * A masked copy of raw pixels. meanColour [3], 0 to 255 (image_mean × 255), is what "mean" shows, rounded to a
 * whole number: for a mean of 0.5 that is 128, which normalises to 0.004 instead of TRL's 0. Where that matters,
 * use applyMaskNormalised.
 */
export function applyMask(image: RasterImage, mask: ImageMask, meanColour: ArrayLike<number>): RasterImage {
  const { width, height } = image;
  const channels = maskChannels(mask, width, height);
  const colour = mask.fill === 'black' ? [0, 0, 0] : Array.from(meanColour, Math.round);
  const data = image.data.slice();
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < 3; c++) {
      if (mask.keep[channels === 3 ? pixel * 3 + c : pixel] === 0) data[pixel * 3 + c] = colour[c];
    }
  }
  return { ...image, data };
}

/**
 * A masked copy of normalised pixels [3][height][width]: 0 for "mean", exactly as TRL; for "black" what raw 0
 * becomes, −image_mean / image_std a channel.
 */
export function applyMaskNormalised(
  pixels: Float32Array,
  mask: ImageMask,
  imageMean: ArrayLike<number>,
  imageStd: ArrayLike<number>,
): Float32Array {
  const area = mask.width * mask.height;
  if (pixels.length !== 3 * area) {
    throw new RangeError(
      `mask of ${mask.width} × ${mask.height} pixels on ${pixels.length} values, expected ${3 * area}`,
    );
  }
  const channels = maskChannels(mask, mask.width, mask.height);
  const out = pixels.slice();
  for (let c = 0; c < 3; c++) {
    const value = mask.fill === 'black' ? -imageMean[c] / imageStd[c] : 0;
    for (let pixel = 0; pixel < area; pixel++) {
      if (mask.keep[channels === 3 ? pixel * 3 + c : pixel] === 0) out[c * area + pixel] = value;
    }
  }
  return out;
}

/** Share of values (pixels, or channel values where they are masked apart) that are masked. */
export function maskedFraction(mask: ImageMask): number {
  let kept = 0;
  for (const value of mask.keep) kept += value;
  return 1 - kept / mask.keep.length;
}
