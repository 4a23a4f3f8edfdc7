/** Image decoding in Node, by sharp (libvips). */
import sharp from 'sharp';
import { UserError } from '../errors.ts';
import { type DecodeImage, overWhite } from './decode.ts';
import { checkImage, mostPixels } from './image-header.ts';

/** The first frame, upright by its EXIF orientation, transparency over white. */
export const decodeImage: DecodeImage = async (image) => {
  await checkImage(image);
  try {
    const { data, info } = await sharp(Buffer.from(await image.arrayBuffer()), {
      limitInputPixels: mostPixels,
      failOn: 'error',
      // As PIL and transformers: the numbers in the file, whatever profile goes with them.
      ignoreIcc: true,
    })
      .rotate()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3 && channels !== 4) throw new Error(`it has ${channels} channels`);
    return { width, height, data: channels === 3 ? new Uint8Array(data) : overWhite(data) };
  } catch (error) {
    throw new UserError(`the image could not be decoded: ${(error as Error).message}`);
  }
};
