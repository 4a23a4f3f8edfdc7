/** One image as the masked view shows it: what the trainer makes of a prompt's image, and what the page lets one look at. */
import type { RasterImage } from '../data/raster.ts';
import type { Policy } from '../policy/policy.ts';
import type { ResolvedConfig } from './config.ts';
import { maskImage, maskRecipe } from './masked-image.ts';
import { applyMaskNormalised, maskedFraction } from './masks.ts';

export interface MaskedView {
  /** Raw pixels, to look at. */
  readonly masked: RasterImage;
  /** As the policy takes it. */
  readonly pixelValues: Float32Array;
  /** Share of the values that are masked. */
  readonly share: number;
}

/** `saliency`: of each patch of the vision tower, where mask_type is semantic. `random` gives numbers in [0, 1). */
export function maskedView(
  policy: Pick<Policy, 'config' | 'imageProcessor' | 'pixels'>,
  image: RasterImage,
  settings: Pick<ResolvedConfig, 'mask_type' | 'mask_ratio' | 'mask_patch_size'>,
  saliency: ArrayLike<number> | undefined,
  random: () => number,
): MaskedView {
  const { image_mean = [0.5, 0.5, 0.5], image_std = [0.5, 0.5, 0.5] } = policy.imageProcessor;
  const { mask, shown, masked } = maskImage(image, maskRecipe(policy, settings), saliency, random);
  const pixelValues =
    mask.fill === 'black'
      ? policy.pixels(masked)
      : applyMaskNormalised(policy.pixels(shown), mask, image_mean, image_std);
  return { masked, pixelValues, share: maskedFraction(mask) };
}
