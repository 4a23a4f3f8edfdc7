/** Image decoding in the page and its workers: the browser's own decoders. */
import { UserError } from '../errors.ts';
import { type DecodeImage, overWhite } from './decode.ts';
import { checkImage, sizeProblem } from './image-header.ts';

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
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw new UserError('the browser gave no canvas to decode the image with');
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: overWhite(context.getImageData(0, 0, width, height).data) };
  } finally {
    bitmap.close();
  }
};
