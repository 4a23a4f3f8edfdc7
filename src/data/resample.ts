/**
 * Lanczos-3 with antialiasing on bytes, as transformers' image processors resize: torchvision ≥ 0.27 on uint8, whose
 * rounding this repeats to the byte. Columns first, then rows; the filter is stretched by the factor where the image
 * shrinks; weights are whole numbers of 16 bits, sums are rounded to bytes after each pass.
 *
 * PIL differs by one level at most where both sides shrink, since its weights have 22 bits, and by more where it goes
 * over the rows first.
 */
import type { RasterImage } from './raster.ts';

/** `image` at width × height; the image itself where it has that size. */
export function resizeImage(image: RasterImage, width: number, height: number): RasterImage {
  if (image.width === width && image.height === height) return image;
  const across = resampleColumns(image.data, image.height, image.width, width);
  return { width, height, data: resampleRows(across, image.height, width, height) };
}

/** `image` with its longest edge no longer than that, for looking at. */
export function reduceImage(image: RasterImage, longestEdge: number): RasterImage {
  const scale = longestEdge / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const edge = (length: number) => Math.max(1, Math.round(length * scale));
  return resizeImage(image, edge(image.width), edge(image.height));
}

/** What each of `to` values is made of: `first` value, then `counts` weights from `offsets` on, in units of 2^-bits. */
interface Filter {
  readonly bits: number;
  readonly first: Int32Array;
  readonly counts: Int32Array;
  readonly offsets: Int32Array;
  readonly weights: Int32Array;
}

function lanczosFilter(from: number, to: number): Filter {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = 3 * stretch;
  const first = new Int32Array(to);
  const counts = new Int32Array(to);
  const offsets = new Int32Array(to);
  const exact: number[] = [];
  let largest = 0;
  for (let i = 0; i < to; i++) {
    const center = scale * (i + 0.5);
    const begin = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), from);
    const own: number[] = [];
    let total = 0;
    for (let k = begin; k < end; k++) {
      own.push(lanczos((k - center + 0.5) * (1 / stretch)));
      total += own[own.length - 1];
    }
    first[i] = begin;
    counts[i] = own.length;
    offsets[i] = exact.length;
    for (const weight of own) {
      exact.push(weight / total);
      largest = Math.max(largest, weight / total);
    }
  }
  // As many bits as leave the largest weight inside 16, sign included.
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  const weights = Int32Array.from(exact, (weight) =>
    Math.trunc(weight * 2 ** bits + (weight < 0 ? -0.5 : 0.5)),
  );
  return { bits, first, counts, offsets, weights };
}

/** data [rows, from, 3] → [rows, to, 3]. */
function resampleColumns(data: Uint8Array, rows: number, from: number, to: number): Uint8Array {
  if (from === to) return data;
  const { bits, first, counts, offsets, weights } = lanczosFilter(from, to);
  const half = 1 << (bits - 1);
  const out = new Uint8ClampedArray(rows * to * 3);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < to; x++) {
      let r = half;
      let g = half;
      let b = half;
      let source = (row * from + first[x]) * 3;
      const end = offsets[x] + counts[x];
      for (let k = offsets[x]; k < end; k++) {
        const weight = weights[k];
        r = (r + Math.imul(weight, data[source++])) | 0;
        g = (g + Math.imul(weight, data[source++])) | 0;
        b = (b + Math.imul(weight, data[source++])) | 0;
      }
      out[at++] = r >> bits;
      out[at++] = g >> bits;
      out[at++] = b >> bits;
    }
  }
  return new Uint8Array(out.buffer);
}

/** data [from, columns, 3] → [to, columns, 3]. */
function resampleRows(data: Uint8Array, from: number, columns: number, to: number): Uint8Array {
  if (from === to) return data;
  const { bits, first, counts, offsets, weights } = lanczosFilter(from, to);
  const half = 1 << (bits - 1);
  const length = columns * 3;
  const sums = new Int32Array(length);
  const out = new Uint8ClampedArray(to * length);
  for (let y = 0; y < to; y++) {
    sums.fill(half);
    // Three at a time: the sums are read and written less often, which is what takes the time.
    for (let k = 0; k < counts[y]; k += 3) {
      const at = offsets[y] + k;
      const w0 = weights[at];
      const w1 = k + 1 < counts[y] ? weights[at + 1] : 0;
      const w2 = k + 2 < counts[y] ? weights[at + 2] : 0;
      const s0 = (first[y] + k) * length;
      const s1 = w1 === 0 ? s0 : s0 + length;
      const s2 = w2 === 0 ? s0 : s0 + 2 * length;
      for (let i = 0; i < length; i++)
        sums[i] += Math.imul(w0, data[s0 + i]) + Math.imul(w1, data[s1 + i]) + Math.imul(w2, data[s2 + i]);
    }
    const row = y * length;
    for (let i = 0; i < length; i++) out[row + i] = sums[i] >> bits;
  }
  return new Uint8Array(out.buffer);
}

function lanczos(x: number): number {
  const distance = Math.abs(x);
  if (distance === 0) return 1;
  if (distance >= 3) return 0;
  const t = Math.PI * distance;
  return ((Math.sin(t) / t) * Math.sin(t / 3)) / (t / 3);
}
