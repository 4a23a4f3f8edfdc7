/**
 * The masked image that goes with a prompt's image. It is a pure function of the image, the settings, and the prompt's
 * place, so that it is never kept: whoever looks at an old update makes it again with these very functions.
 */
import { resizeImage } from '../data/image-processor.ts';
import type { RasterImage } from '../data/raster.ts';
import type { Policy } from '../policy/policy.ts';
import type { ResolvedConfig } from './config.ts';
import { applyMask, type ImageMask, makeMask } from './masks.ts';
import { Purpose, RandomStream } from './random.ts';
import type { MaskType } from './settings.ts';

/** What masks depend on beside images and random numbers; the same for a whole run. */
export interface MaskRecipe {
  readonly type: MaskType;
  readonly ratio: number;
  /** Pixels. */
  readonly patchSize: number;
  /**
   * Pixels a side that an image is brought to first; null: it stays as it is. Saliencies are of patches of what the
   * tower sees, so that is what is masked.
   */
  readonly size: number | null;
  /** image_mean of the image processor, which masks of the mean colour show. */
  readonly mean: readonly number[];
}

/** Where a prompt stood: the number of its generation, and its own in there. */
export interface MaskPlace {
  readonly generation: number;
  readonly index: number;
}

export function maskRecipe(
  policy: Pick<Policy, 'config' | 'imageProcessor'>,
  settings: Pick<ResolvedConfig, 'mask_type' | 'mask_ratio' | 'mask_patch_size'>,
): MaskRecipe {
  const { mask_type: type, mask_ratio: ratio, mask_patch_size } = settings;
  const { vision } = policy.config;
  const isSemantic = type === 'semantic';
  return {
    type,
    ratio,
    patchSize: isSemantic ? vision.patchSize : mask_patch_size,
    size: isSemantic ? vision.imageSize : null,
    mean: policy.imageProcessor.image_mean ?? [0.5, 0.5, 0.5],
  };
}

/** The random numbers of a prompt's mask. */
export function maskRandom(seed: number, { generation, index }: MaskPlace): () => number {
  const stream = new RandomStream(seed, Purpose.mask, generation, index);
  return () => stream.next();
}

/**
 * `saliency`: attention that each of the image's patches receives, where the type is semantic. `shown` is the image as
 * it was before the mask.
 */
export function maskImage(
  image: RasterImage,
  { type, ratio, patchSize, size, mean }: MaskRecipe,
  saliency: ArrayLike<number> | undefined,
  random: () => number,
): { mask: ImageMask; shown: RasterImage; masked: RasterImage } {
  const isShown = size === null || (image.width === size && image.height === size);
  const shown = isShown ? image : resizeImage(image, size, size);
  const { width, height } = shown;
  const mask = makeMask(type, { width, height, ratio, patchSize, saliency }, random);
  const meanColour = mean.map((m) => 255 * m);
  return { mask, shown, masked: applyMask(shown, mask, meanColour) };
}
