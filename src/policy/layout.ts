/** How a batch lies in memory: left-padded prefixes, then completions; see ops/attention.ts for the order of rows. */
import { UserError } from '../errors.ts';
import { imageTokens, type VlmConfig } from './config.ts';

/** A prompt as the policy sees it. */
export interface PolicyPrompt {
  /** With one run of image tokens. */
  readonly ids: readonly number[];
  /** [3·S·S], normalised, channel first. */
  readonly pixelValues: Float32Array;
}

export interface Counts {
  readonly prefixes: number;
  readonly prefixLength: number;
  readonly group: number;
  readonly completionLength: number;
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
  const inputs: LayoutInputs = {
    pixel_values: new Float32Array(P * pixels),
    input_ids: new Int32Array(rows).fill(padToken),
    place: new Int32Array(rows).fill(-1),
    origin: new Int32Array(P * tokens),
    positions: new Int32Array(rows),
    key_mask: new Float32Array(P * L),
  };
  if (prompts.length !== P) throw new Error(`layout: ${prompts.length} prompts for ${P} prefixes`);
  prompts.forEach(({ ids, pixelValues }, p) => {
    if (pixelValues.length !== pixels)
      throw new UserError(`prompt ${p}: an image of ${pixelValues.length} values; the model takes ${pixels}`);
    inputs.pixel_values.set(pixelValues, p * pixels);
    const padding = L - ids.length;
    let image = 0;
    ids.forEach((id, i) => {
      const row = p * L + padding + i;
      inputs.input_ids[row] = id;
      inputs.positions[row] = i;
      inputs.key_mask[row] = 1;
      if (id !== config.imageTokenId) return;
      if (image < tokens) {
        inputs.place[row] = p * tokens + image;
        inputs.origin[p * tokens + image] = row;
      }
      image++;
    });
    if (image !== tokens)
      throw new UserError(
        `prompt ${p}: ${image} image tokens; the model takes one image of ${tokens} tokens a prompt`,
      );
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
