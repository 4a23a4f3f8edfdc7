// An SVG as a PNG, in Node. Text is drawn with the machine's own fonts.
import sharp from 'sharp';

/** A PNG of `scale` pixels for every pixel of the SVG. */
export async function svgToPng(svg: string, scale = 2): Promise<Uint8Array<ArrayBuffer>> {
  // 72 is what sharp calls one pixel an SVG pixel.
  return new Uint8Array(
    await sharp(Buffer.from(svg), { density: 72 * scale })
      .png()
      .toBuffer(),
  );
}
