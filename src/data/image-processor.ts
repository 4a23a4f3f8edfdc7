/**
 * Image → pixel_values, driven by a folder's preprocessor_config.json, as transformers' SmolVLM and Idefics3
 * processors do it (models/smolvlm/image_processing_smolvlm.py of 5.24, the torchvision one, which AutoProcessor
 * takes): to size.longest_edge with the aspect kept, then squeezed into the tower's square, or cut into squares.
 */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';
import type { RasterImage } from './raster.ts';
import { resizeImage } from './resample.ts';

/** What is used of preprocessor_config.json. Missing fields take transformers' defaults. */
export interface ImageProcessorConfig {
  do_resize?: boolean;
  do_rescale?: boolean;
  do_normalize?: boolean;
  rescale_factor?: number;
  /** PIL's number of a filter; 1 is Lanczos, the only one known here. */
  resample?: number;
  image_mean?: readonly number[];
  image_std?: readonly number[];
  size?: { longest_edge?: number; height?: number; width?: number };
  max_image_size?: { longest_edge?: number };
}

/**
 * A folder's image processor: preprocessor_config.json, or the part of processor_config.json where transformers 5 saves
 * it. Throws UserError where there is neither.
 */
export function imageProcessorConfig(
  json: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
): ImageProcessorConfig {
  const found = json.get('preprocessor_config.json') ?? json.get('processor_config.json')?.image_processor;
  if (typeof found === 'object' && found !== null) return found;
  throw new UserError('the model folder has no preprocessor_config.json');
}

export interface ProcessingOptions {
  /**
   * Cut large images into squares of their own, with the whole image as one more. Default false, whatever the folder
   * says: SmolVLM's would make 13 images of most photographs, 17 of a square one, each as dear as the one without.
   */
  readonly do_image_splitting?: boolean;
}

/** How an image is cut. `rows` and `columns` are 0 where it is not; `images` counts the whole image, too. */
export interface ImageGrid {
  readonly rows: number;
  readonly columns: number;
  readonly images: number;
}

export interface ProcessedImage extends ImageGrid {
  /** [images · 3 · S · S], normalised, channel first: squares row by row, the whole image last. */
  readonly pixelValues: Float32Array;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** transformers' MAX_IMAGE_SIZE. */
const largestEdge = 4096;
/** An image that is not cut. */
export const wholeImage: ImageGrid = { rows: 0, columns: 0, images: 1 };

function pixels(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 16) return value;
  throw new UserError(`preprocessor_config.json: ${name} is ${show(value)}; expected a positive integer`);
}

/** The square the vision tower takes: max_image_size. */
export function targetSize(config: ImageProcessorConfig): number {
  const size = config.max_image_size?.longest_edge ?? config.size?.longest_edge ?? config.size?.height;
  const checked = pixels(size, 'max_image_size.longest_edge');
  if (checked > largestEdge)
    throw new UserError(
      `preprocessor_config.json: max_image_size.longest_edge is ${checked}; at most ${largestEdge} is allowed`,
    );
  return checked;
}

/** `size`: the longest edge at that length, the other one even and as long as the aspect asks. */
function toLongestEdge({ width, height }: Size, { size }: ImageProcessorConfig): Size {
  if (size?.longest_edge === undefined && size?.height !== undefined)
    return { width: pixels(size.width, 'size.width'), height: pixels(size.height, 'size.height') };
  const edge = pixels(size?.longest_edge ?? 4 * 364, 'size.longest_edge');
  const even = (length: number) => Math.max(1, length + (length % 2));
  const aspect = width / height;
  const wanted =
    width >= height
      ? { width: edge, height: even(Math.trunc(edge / aspect)) }
      : { width: even(Math.trunc(edge * aspect)), height: edge };
  if (edge <= largestEdge) return wanted;
  const bounded = wanted.width / wanted.height;
  return wanted.width >= wanted.height
    ? { width: largestEdge, height: Math.max(1, Math.trunc(largestEdge / bounded)) }
    : { width: Math.max(1, Math.trunc(largestEdge * bounded)), height: largestEdge };
}

/** Both edges at multiples of the square's, the aspect kept as far as that goes. */
function toSquares({ width, height }: Size, square: number): Size {
  const up = (length: number) => Math.ceil(length / square) * square;
  const aspect = width / height;
  return width >= height
    ? { width: up(width), height: up(Math.trunc(up(width) / aspect)) }
    : { width: up(Math.trunc(up(height) * aspect)), height: up(height) };
}

/** The sizes that an image is brought to one after the other before it is cut and normalised. */
function steps(image: Size, config: ImageProcessorConfig, options: ProcessingOptions): Size[] {
  const square = targetSize(config);
  const first = config.do_resize === false ? [] : [toLongestEdge(image, config)];
  const last = options.do_image_splitting
    ? toSquares(first[0] ?? image, square)
    : { width: square, height: square };
  return [...first, last];
}

/** How an image of this size will be cut; nothing of it needs to be read for that. */
export function imageGrid(
  size: Size,
  config: ImageProcessorConfig,
  options: ProcessingOptions = {},
): ImageGrid {
  if (!options.do_image_splitting) return wholeImage;
  return gridOf(steps(size, config, options).at(-1)!, targetSize(config));
}

/** Says which processor an image was prepared for. */
function preparation(config: ImageProcessorConfig, options: ProcessingOptions): string {
  const { longest_edge, height, width } = config.size ?? {};
  const edge = config.do_resize === false ? 'as it is' : (longest_edge ?? `${width} × ${height}`);
  return `${edge}, ${targetSize(config)}${options.do_image_splitting ? ', split' : ''}`;
}

/**
 * The image with the pixels that the tower gets: the square, or with splitting what is cut into squares. Whoever keeps
 * images keeps these, and masks are made on them, so that a patch of a mask is one of the picture as the model sees it.
 * An image that has been prepared is not resized again; one that is of the right size comes back itself.
 */
export function prepareImage(
  image: RasterImage,
  config: ImageProcessorConfig,
  options: ProcessingOptions = {},
): RasterImage {
  const { width, height, data } = image;
  if (data.length !== width * height * 3 || data.length === 0)
    throw new UserError(
      `image: ${data.length} bytes of data; expected ${width} × ${height} × 3 = ${width * height * 3}`,
    );
  const prepared = preparation(config, options);
  if (image.prepared === prepared) return image;
  if (image.prepared !== undefined)
    throw new Error(`an image prepared for ${image.prepared} cannot be prepared for ${prepared}`);
  const wanted = steps(image, config, options);
  const square = targetSize(config);
  if (config.do_resize === false && !options.do_image_splitting && (width !== square || height !== square))
    throw new UserError(
      `image: ${width} × ${height} pixels; expected ${square} × ${square}, as do_resize is false`,
    );
  let resized = image;
  for (const size of wanted) resized = resizeWith(config, resized, size);
  return resized === image ? image : { ...resized, prepared };
}

/** `prepareImage` for one model, as datasets take it. Images with equal `key` are prepared in the same way. */
export interface ImagePreparation {
  readonly key: string;
  prepare(image: RasterImage): RasterImage;
}

export const imagePreparation = (
  config: ImageProcessorConfig,
  options: ProcessingOptions = {},
): ImagePreparation => ({
  key: preparation(config, options),
  prepare: (image) => prepareImage(image, config, options),
});

function resizeWith({ resample = 1 }: ImageProcessorConfig, image: RasterImage, { width, height }: Size) {
  if (image.width === width && image.height === height) return image;
  if (resample !== 1)
    throw new UserError(
      `preprocessor_config.json: resample is ${show(resample)}; only 1, Lanczos, is known here`,
    );
  return resizeImage(image, width, height);
}

/** What the model gets of an image, prepared or as it was decoded. */
export function processImage(
  image: RasterImage,
  config: ImageProcessorConfig,
  options: ProcessingOptions = {},
): ProcessedImage {
  const square = targetSize(config);
  const prepared = prepareImage(image, config, options);
  const grid = gridOf(prepared, square);
  const { rows, columns, images } = grid;
  const values = normalisedBytes(config);
  const length = 3 * square * square;
  const pixelValues = new Float32Array(images * length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      normalise(
        prepared,
        column * square,
        row * square,
        square,
        values,
        pixelValues.subarray((row * columns + column) * length),
      );
  normalise(
    resizeWith(config, prepared, { width: square, height: square }),
    0,
    0,
    square,
    values,
    pixelValues.subarray((images - 1) * length),
  );
  return { ...grid, pixelValues };
}

function gridOf({ width, height }: Size, square: number): ImageGrid {
  if (width <= square && height <= square) return wholeImage;
  const [rows, columns] = [height / square, width / square];
  return { rows, columns, images: rows * columns + 1 };
}

/** RGB bytes → Float32Array [3, S, S], channels first, without splitting. */
export function toPixelValues(image: RasterImage, config: ImageProcessorConfig): Float32Array {
  return processImage(image, config).pixelValues;
}

/** [3, 256]: what each byte becomes in each channel. */
function normalisedBytes(config: ImageProcessorConfig): Float32Array {
  const factor = config.do_rescale === false ? 1 : (config.rescale_factor ?? 1 / 255);
  const values = new Float32Array(3 * 256);
  for (let c = 0; c < 3; c++) {
    const mean = config.do_normalize === false ? 0 : (config.image_mean?.[c] ?? 0.5);
    const std = config.do_normalize === false ? 1 : (config.image_std?.[c] ?? 0.5);
    for (let byte = 0; byte < 256; byte++) values[c * 256 + byte] = (byte * factor - mean) / std;
  }
  return values;
}

/** The square at (left, top) of an image into out [3, square, square]. */
function normalise(
  { width, data }: RasterImage,
  left: number,
  top: number,
  square: number,
  values: Float32Array,
  out: Float32Array,
): void {
  const plane = square * square;
  for (let y = 0; y < square; y++) {
    let source = ((top + y) * width + left) * 3;
    for (let i = y * square; i < (y + 1) * square; i++) {
      out[i] = values[data[source++]];
      out[plane + i] = values[256 + data[source++]];
      out[2 * plane + i] = values[512 + data[source++]];
    }
  }
}

export interface ImageBatch {
  /** Of each prompt: the most that one has. */
  readonly images: number;
  /** [prompts · images · 3 · S · S]; zero where a prompt has fewer. */
  readonly pixelValues: Float32Array;
  /** [prompts · images · S · S], 1 where there is a picture. */
  readonly pixelAttentionMask: Uint8Array;
}

/**
 * do_pad: prompts with images of different number as one batch. Images are padded in number alone, never at their edges,
 * since each is a whole square; a single prompt's mask is therefore all 1, and transformers' model drops the zero images.
 */
export function padImages(
  prompts: readonly { readonly images: number; readonly pixelValues: Float32Array }[],
  config: ImageProcessorConfig,
): ImageBatch {
  const plane = targetSize(config) ** 2;
  const images = prompts.reduce((most, prompt) => Math.max(most, prompt.images), 0);
  const pixelValues = new Float32Array(prompts.length * images * 3 * plane);
  const pixelAttentionMask = new Uint8Array(prompts.length * images * plane);
  prompts.forEach((prompt, p) => {
    pixelValues.set(prompt.pixelValues, p * images * 3 * plane);
    pixelAttentionMask.fill(1, p * images * plane, (p * images + prompt.images) * plane);
  });
  return { images, pixelValues, pixelAttentionMask };
}
