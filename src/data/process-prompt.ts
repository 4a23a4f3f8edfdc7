/** A question with its image as the policy takes it: what transformers' SmolVLMProcessor makes of one chat. */
import type { PolicyPrompt } from '../policy/layout.ts';
import {
  type ImageGrid,
  type ImageProcessorConfig,
  type ProcessingOptions,
  processImage,
} from './image-processor.ts';
import type { RasterImage } from './raster.ts';
import type { TextProcessor } from './tokenizer.ts';

/**
 * `pixelValues` is [images · 3 · S · S], in the order of the image tokens in `ids`. There is no pixel_attention_mask: each
 * image is a whole square, so that of a single prompt is all 1 (padImages makes that of a batch).
 */
export interface ProcessedPrompt extends Omit<PolicyPrompt, 'images'>, ImageGrid {}

/** Throws UserError where the image cannot be brought to the model's size, or the vocabulary lacks a token for it. */
export function processPrompt(
  text: string,
  image: RasterImage,
  processor: ImageProcessorConfig,
  tokenizer: TextProcessor,
  options: ProcessingOptions = {},
): ProcessedPrompt {
  const processed = processImage(image, processor, options);
  return { ids: tokenizer.buildPrompt(text, processed), ...processed };
}
