/**
 * The masked image that goes with a prompt's image. It is a pure function of the image, the settings, and the prompt's
 * place, so that it is never kept: whoever looks at an old update makes it again with these very functions.
 */
import { type ImageProcessorConfig, type ProcessingOptions, prepareImage } from '../data/image-processor.ts';
import type { RasterImage } from '../data/raster.ts';
import { resizeImage } from '../data/resample.ts';
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
   * How an image is brought to the pixels that the tower gets before it is masked. So a patch is patchSize pixels of the
   * picture as the model sees it, however large the photograph was: on the photograph itself, patches of the paper's 14
   * pixels would be averaged to grey. The authors mask after resizing to the model's limit, too (papo_utils.py).
   */
  readonly processor?: Pick<ImageProcessorConfig, 'do_resize' | 'resample' | 'size' | 'max_image_size'> &
    ProcessingOptions;
  /** Runs kept before that have no `processor`, but pixels a side; null: the image stayed as it was. */
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
  const { do_resize, resample, size, max_image_size, image_mean } = policy.imageProcessor;
  return {
    type,
    ratio,
    // Saliencies are of patches of the tower.
    patchSize: type === 'semantic' ? policy.config.vision.patchSize : mask_patch_size,
    processor: { do_resize, resample, size, max_image_size },
    size: null,
    mean: image_mean ?? [0.5, 0.5, 0.5],
  };
}

/** The random numbers of a prompt's mask. */
export function maskRandom(seed: number, { generation, index }: MaskPlace): () => number {
  const stream = new RandomStream(seed, Purpose.mask, generation, index);
  return () => stream.next();
}

function beforeMask(image: RasterImage, { processor, size }: MaskRecipe): RasterImage {
  if (processor) return prepareImage(image, processor, processor);
  return size === null ? image : resizeImage(image, size, size);
}

/**
 * `saliency`: attention that each of the image's patches receives, where the type is semantic. `shown` is the image as
 * before the mask, as the tower gets it.
 */
export function maskImage(
  image: RasterImage,
  recipe: MaskRecipe,
  saliency: ArrayLike<number> | undefined,
  random: () => number,
): { mask: ImageMask; shown: RasterImage; masked: RasterImage } {
  const { type, ratio, patchSize, mean } = recipe;
  const shown = beforeMask(image, recipe);
  const { width, height } = shown;
  const mask = makeMask(type, { width, height, ratio, patchSize, saliency }, random);
  const meanColour = mean.map((m) => 255 * m);
  return { mask, shown, masked: applyMask(shown, mask, meanColour) };
}
