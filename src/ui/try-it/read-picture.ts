/** Pictures in any format and size that this browser can draw, as files that the worker reads. */
import { imageProblem } from '../../import/image-header.ts';
import { text } from '../text.ts';

/** The model sees far less than that. */
const mostSide = 2048;
/** Vector graphics may have no size of their own. */
const usualSide = 512;

/**
 * The file itself where the worker's decoder takes it; else (AVIF, SVG, more pixels than that takes) what the browser
 * makes of it, upright, as PNG. Throws an Error in words where the browser makes nothing of it.
 */
export async function readablePicture(file: Blob, name: string): Promise<Blob> {
  if ((await imageProblem(file)) === null) return file;
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const [width, height] = [image.naturalWidth || usualSide, image.naturalHeight || usualSide];
    return await toPng(image, width, height);
  } catch {
    throw new Error(text.tryIt.errors.unreadable(name));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** What the browser can draw, as PNG; smaller where it is very large. */
export async function toPng(source: CanvasImageSource, width: number, height: number): Promise<Blob> {
  const scale = Math.min(1, mostSide / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext('2d')?.drawImage(source, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error(text.tryIt.errors.noPng);
  return blob;
}
