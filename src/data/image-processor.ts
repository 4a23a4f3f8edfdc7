// Image → pixel_values, driven by a folder's preprocessor_config.json (SmolVLM's and Idefics3's processor for
// one image without splitting).
import { UserError } from '../errors.ts';
import type { RasterImage } from './raster.ts';

/** What is used of preprocessor_config.json. Missing fields take transformers' defaults for Idefics3. */
export interface ImageProcessorConfig {
  do_resize?: boolean;
  do_rescale?: boolean;
  do_normalize?: boolean;
  rescale_factor?: number;
  image_mean?: readonly number[];
  image_std?: readonly number[];
  size?: { longest_edge?: number; height?: number; width?: number };
  max_image_size?: { longest_edge?: number };
}

/** The square the vision tower takes: max_image_size. */
export function targetSize(config: ImageProcessorConfig): number {
  const size = config.max_image_size?.longest_edge ?? config.size?.longest_edge ?? config.size?.height;
  if (size === undefined || !Number.isInteger(size) || size < 1) {
    throw new UserError(
      `preprocessor_config.json: max_image_size.longest_edge is ${size}; expected a positive integer`,
    );
  }
  return size;
}

/**
 * RGB bytes → Float32Array [3, size, size], channels first. An image of another size is first resampled to the
 * square (Lanczos, as PIL does it; one pass where transformers goes by way of `size`).
 */
export function toPixelValues(image: RasterImage, config: ImageProcessorConfig): Float32Array {
  const { width, height, data } = image;
  if (data.length !== width * height * 3) {
    throw new UserError(
      `image: ${data.length} bytes of data; expected ${width} × ${height} × 3 = ${width * height * 3}`,
    );
  }
  const size = targetSize(config);
  const fits = width === size && height === size;
  if (!fits && config.do_resize === false) {
    throw new UserError(
      `image: ${width} × ${height} pixels; expected ${size} × ${size}, as do_resize is false`,
    );
  }
  const { data: pixels } = fits ? image : resizeImage(image, size, size);
  const plane = size * size;
  const out = new Float32Array(3 * plane);
  const factor = config.do_rescale === false ? 1 : (config.rescale_factor ?? 1 / 255);
  for (let c = 0; c < 3; c++) {
    const mean = config.do_normalize === false ? 0 : (config.image_mean?.[c] ?? 0.5);
    const std = config.do_normalize === false ? 1 : (config.image_std?.[c] ?? 0.5);
    for (let i = 0; i < plane; i++) out[c * plane + i] = (pixels[i * 3 + c] * factor - mean) / std;
  }
  return out;
}

/** Lanczos-3 with antialiasing, separable, columns first, rounded to bytes between the passes as PIL does. */
export function resizeImage(image: RasterImage, width: number, height: number): RasterImage {
  const across = resampleAxis(image.data, image.height, image.width, width);
  const turned = resampleAxis(transpose(across, image.height, width), width, image.height, height);
  return { width, height, data: transpose(turned, width, height) };
}

/** data [rows, from, 3] → [rows, to, 3]. */
function resampleAxis(data: Uint8Array, rows: number, from: number, to: number): Uint8Array {
  if (from === to) return data;
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = 3 * stretch;
  const out = new Uint8Array(rows * to * 3);
  for (let x = 0; x < to; x++) {
    const center = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(from, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: last - first }, (_, k) =>
      lanczos((first + k - center + 0.5) / stretch),
    );
    const total = weights.reduce((sum, w) => sum + w, 0);
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[(row * from + first + k) * 3 + c];
        out[(row * to + x) * 3 + c] = Math.min(255, Math.max(0, Math.floor(sum / total + 0.5)));
      }
    }
  }
  return out;
}

/** [rows, columns, 3] → [columns, rows, 3]. */
function transpose(data: Uint8Array, rows: number, columns: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      for (let k = 0; k < 3; k++) out[(c * rows + r) * 3 + k] = data[(r * columns + c) * 3 + k];
    }
  }
  return out;
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const t = Math.PI * x;
  return (3 * Math.sin(t) * Math.sin(t / 3)) / (t * t);
}
