// Draws examples side by side with what is asked and answered, for a person to look at.
import { createImage, fillRect, type RasterImage, type Rgb } from '../../../src/data/raster.ts';

/** A 3 × 5 font: a glyph's rows from the top, three bits each (`@`: five bits, in base 32). */
const font: Record<string, string> = {
  a: '75755',
  b: '65656',
  c: '74447',
  d: '65556',
  e: '74647',
  f: '74644',
  g: '74557',
  h: '55755',
  i: '72227',
  j: '11157',
  k: '55655',
  l: '44447',
  m: '57755',
  n: '65555',
  o: '75557',
  p: '75744',
  q: '75571',
  r: '65655',
  s: '74717',
  t: '72222',
  u: '55557',
  v: '55552',
  w: '55775',
  x: '55255',
  y: '55222',
  z: '71247',
  0: '75557',
  1: '26227',
  2: '71747',
  3: '71717',
  4: '55711',
  5: '74717',
  6: '74757',
  7: '71122',
  8: '75757',
  9: '75717',
  '@': 'elnge',
  '+': '02720',
  '-': '00700',
  '=': '07070',
  '>': '42124',
  _: '00007',
  '?': '71202',
};

export interface Tile {
  image: RasterImage;
  lines: readonly { text: string; color: Rgb }[];
}

const zoom = 3;
const dot = 2;
const gap = 28;
const lineHeight = 7 * dot;

export function contactSheet(tiles: readonly Tile[], columns: number): RasterImage {
  const side = 64 * zoom;
  const lines = Math.max(...tiles.map((tile) => tile.lines.length));
  const [cellWidth, cellHeight] = [side + gap, side + lines * lineHeight + gap + 4];
  const rows = Math.ceil(tiles.length / columns);
  const sheet = createImage(columns * cellWidth + gap, rows * cellHeight + gap, [250, 250, 252]);
  tiles.forEach((tile, i) => {
    const left = gap + (i % columns) * cellWidth;
    const top = gap + Math.floor(i / columns) * cellHeight;
    fillRect(sheet, left - 1, top - 1, left + side + 1, top + side + 1, [150, 155, 165]);
    for (let y = 0; y < 64; y++) {
      for (let x = 0; x < 64; x++) {
        const at = (y * 64 + x) * 3;
        const [r, g, b] = tile.image.data.subarray(at, at + 3);
        const [px, py] = [left + x * zoom, top + y * zoom];
        fillRect(sheet, px, py, px + zoom, py + zoom, [r, g, b]);
      }
    }
    tile.lines.forEach((line, n) => {
      drawText(sheet, left, top + side + 4 + n * lineHeight, line.text, line.color);
    });
  });
  return sheet;
}

function drawText(sheet: RasterImage, left: number, top: number, text: string, color: Rgb): void {
  let x = left;
  for (const char of text) {
    const rows = char === ' ' ? '00000' : (font[char] ?? font['?']);
    const width = char === '@' ? 5 : 3;
    for (let row = 0; row < 5; row++) {
      for (let bit = 0; bit < width; bit++) {
        if (!((Number.parseInt(rows[row], 32) >> (width - 1 - bit)) & 1)) continue;
        fillRect(sheet, x + bit * dot, top + row * dot, x + (bit + 1) * dot, top + (row + 1) * dot, color);
      }
    }
    x += (width + 1) * dot;
  }
}
