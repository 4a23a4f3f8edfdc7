/** Kind and size of an image from its first bytes, so that a huge or wrong file is refused before it is decoded. */
import { UserError } from '../errors.ts';

/** Pixels of an image, at most: what cameras of telephones give; RGBA of that many is 256 MiB. */
export const mostPixels = 67_108_864;
/** Bytes of an encoded image, at most. */
export const mostImageBytes = 64 * 2 ** 20;
/** How much of the file `readImageHeader` wants to see; a JPEG's size can lie behind its thumbnail and profile. */
export const headerBytes = 256 * 1024;

export interface ImageHeader {
  readonly kind: 'png' | 'jpeg' | 'gif' | 'webp' | 'bmp';
  /** null where it lies behind the bytes given. */
  readonly size: { readonly width: number; readonly height: number } | null;
}

const ascii = (bytes: Uint8Array, at: number, length: number) =>
  String.fromCharCode(...bytes.subarray(at, at + length));

function jpegSize(view: DataView): ImageHeader['size'] {
  let at = 2;
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // Start of frame: C0 to CF but for C4 (tables), C8 and CC.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += alone ? 2 : 2 + Math.max(2, view.getUint16(at + 2));
  }
  return null;
}

function webpSize(bytes: Uint8Array, view: DataView): ImageHeader['size'] {
  if (bytes.length < 30) return null;
  const kind = ascii(bytes, 12, 4);
  if (kind === 'VP8X') {
    const three = (at: number) => 1 + (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16));
    return { width: three(24), height: three(27) };
  }
  if (kind === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** null for what is no PNG, JPEG, GIF, WebP or BMP. `bytes` may be the file's start alone. */
export function readImageHeader(bytes: Uint8Array): ImageHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 24 && ascii(bytes, 0, 8) === '\x89PNG\r\n\x1a\n') {
    return { kind: 'png', size: { width: view.getUint32(16), height: view.getUint32(20) } };
  }
  if (bytes.length >= 4 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) {
    return { kind: 'jpeg', size: jpegSize(view) };
  }
  if (bytes.length >= 10 && /^GIF8[79]a/.test(ascii(bytes, 0, 6))) {
    return { kind: 'gif', size: { width: view.getUint16(6, true), height: view.getUint16(8, true) } };
  }
  if (bytes.length >= 16 && ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 4) === 'WEBP') {
    return { kind: 'webp', size: webpSize(bytes, view) };
  }
  if (bytes.length >= 26 && ascii(bytes, 0, 2) === 'BM') {
    return {
      kind: 'bmp',
      size: { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) },
    };
  }
  return null;
}

/** What is wrong with an encoded image as far as its start tells, or null. */
export async function imageProblem(image: Blob): Promise<string | null> {
  if (image.size === 0) return 'the image is empty';
  if (image.size > mostImageBytes) {
    return `the image has ${image.size} bytes; at most ${mostImageBytes} are allowed`;
  }
  const header = readImageHeader(new Uint8Array(await image.slice(0, headerBytes).arrayBuffer()));
  if (!header) return 'the image is no PNG, JPEG, GIF, WebP or BMP file';
  return header.size && sizeProblem(header.size.width, header.size.height);
}

export function sizeProblem(width: number, height: number): string | null {
  if (!(width > 0) || !(height > 0)) return `the image is ${width} × ${height} pixels`;
  if (width * height <= mostPixels) return null;
  return `the image is ${width} × ${height} pixels; at most ${mostPixels} in all are allowed`;
}

/** Throws UserError where the start of an encoded image tells that it must not be decoded. */
export async function checkImage(image: Blob): Promise<void> {
  const problem = await imageProblem(image);
  if (problem) throw new UserError(problem);
}
