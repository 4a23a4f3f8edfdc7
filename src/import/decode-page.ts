/** Image decoding in the page and its workers: the browser's own decoders. */
import { UserError } from '../errors.ts';
import { type DecodeImage, overWhite } from './decode.ts';
import { checkImage, sizeProblem } from './image-header.ts';

const mostBandPixels = 1 << 20;

/** The first frame, upright by its EXIF orientation, transparency over white. */
export const decodeImage: DecodeImage = async (image) => {
  await checkImage(image);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image, {
      imageOrientation: 'from-image',
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
    });
  } catch {
    throw new UserError('the image could not be decoded: it is damaged or cut off');
  }
  try {
    const { width, height } = bitmap;
    const problem = sizeProblem(width, height);
    if (problem) throw new UserError(problem);
    // In bands: a canvas of the whole and its RGBA would take another eight bytes a pixel.
    const band = Math.min(height, Math.max(1, Math.floor(mostBandPixels / width)));
    const context = new OffscreenCanvas(width, band).getContext('2d', { willReadFrequently: true });
    if (!context) throw new UserError('the browser gave no canvas to decode the image with');
    context.globalCompositeOperation = 'copy';
    const data = new Uint8Array(width * height * 3);
    for (let top = 0; top < height; top += band) {
      const rows = Math.min(band, height - top);
      context.drawImage(bitmap, 0, -top);
      data.set(overWhite(context.getImageData(0, 0, width, rows).data), top * width * 3);
    }
    return { width, height, data };
  } finally {
    bitmap.close();
  }
};
