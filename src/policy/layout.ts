/** How a batch lies in memory: left-padded prefixes, then completions; see ops/attention.ts for the order of rows. */
import { UserError } from '../errors.ts';
import { imageTokens, type VlmConfig } from './config.ts';

/** A prompt as the policy sees it. */
export interface PolicyPrompt {
  /** With the image tokens of its images, in their order. */
  readonly ids: readonly number[];
  /** [images, 3·S·S], normalised, channel first. */
  readonly pixelValues: Float32Array;
  /** An image that was split has several: its tiles and the whole. Default 1. */
  readonly images?: number;
}

export interface Counts {
  readonly prefixes: number;
  readonly prefixLength: number;
  readonly group: number;
  readonly completionLength: number;
  /** Images of all prefixes together; default one each. */
  readonly images?: number;
  /** Positions beyond the prefix that the graph may reach although its rows do not (generation). */
  readonly extraPositions?: number;
}

export interface LayoutInputs {
  pixel_values: Float32Array;
  input_ids: Int32Array;
  place: Int32Array;
  origin: Int32Array;
  positions: Int32Array;
  key_mask: Float32Array;
  [name: string]: Float32Array | Int32Array;
}

export const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/** Images of these prompts together. */
export const imagesOf = (prompts: readonly Pick<PolicyPrompt, 'images'>[]) =>
  prompts.reduce((sum, { images = 1 }) => sum + images, 0);

/**
 * The graph inputs of policyGraph. `completions`: ids [P · G, T] row-major, padded behind; absent when G·T = 0.
 * Throws UserError when a prompt has no image or not the model's number of image tokens.
 */
export function layout(
  config: VlmConfig,
  counts: Counts,
  prompts: readonly PolicyPrompt[],
  padToken: number,
  completions?: Int32Array,
): LayoutInputs {
  const { prefixes: P, prefixLength: L, group: G, completionLength: T } = counts;
  const tokens = imageTokens(config);
  const pixels = 3 * config.vision.imageSize ** 2;
  const rows = P * L + P * G * T;
  const images = counts.images ?? P;
  const inputs: LayoutInputs = {
    pixel_values: new Float32Array(images * pixels),
    input_ids: new Int32Array(rows).fill(padToken),
    place: new Int32Array(rows).fill(-1),
    origin: new Int32Array(images * tokens),
    positions: new Int32Array(rows),
    key_mask: new Float32Array(P * L),
  };
  if (prompts.length !== P) throw new Error(`layout: ${prompts.length} prompts for ${P} prefixes`);
  if (imagesOf(prompts) !== images)
    throw new Error(`layout: ${imagesOf(prompts)} images for a graph of ${images}`);
  let firstImage = 0;
  prompts.forEach(({ ids, pixelValues, images: own = 1 }, p) => {
    if (pixelValues.length !== own * pixels)
      throw new UserError(
        `prompt ${p}: ${own} image${own > 1 ? 's' : ''} of ${pixelValues.length / own} values; the model takes ${pixels}`,
      );
    inputs.pixel_values.set(pixelValues, firstImage * pixels);
    const padding = L - ids.length;
    const first = firstImage * tokens;
    let image = 0;
    ids.forEach((id, i) => {
      const row = p * L + padding + i;
      inputs.input_ids[row] = id;
      inputs.positions[row] = i;
      inputs.key_mask[row] = 1;
      if (id !== config.imageTokenId) return;
      if (image < own * tokens) {
        inputs.place[row] = first + image;
        inputs.origin[first + image] = row;
      }
      image++;
    });
    if (image !== own * tokens)
      throw new UserError(
        `prompt ${p}: ${image} image tokens; ${own} image${own > 1 ? 's' : ''} of ${tokens} tokens each are expected`,
      );
    firstImage += own;
    for (let r = 0; r < G * T; r++) inputs.positions[P * L + p * G * T + r] = ids.length + (r % T);
  });
  if (completions) inputs.input_ids.set(completions, P * L);
  return inputs;
}

/**
 * The rows whose hidden states predict the completions' tokens, [P · G · T]: for the first token of a completion the
 * prefix's last row (left padding puts it there), for the others the row before.
 */
export function predictingRows({
  prefixes: P,
  prefixLength: L,
  group: G,
  completionLength: T,
}: Counts): Int32Array {
  return Int32Array.from({ length: P * G * T }, (_, i) =>
    i % T === 0 ? Math.floor(i / (G * T)) * L + L - 1 : P * L + i - 1,
  );
}
