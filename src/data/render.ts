// Draws a scene: 64 × 64 pixels, a cell is 16 × 16, so that one image token of papo-nano (8-pixel patches,
// pixel shuffle 2) is one cell.
import { drawEmoji } from './draw-emoji.ts';
import { createImage, EIGHTHS, fillRect, fillShape, outlines, type RasterImage, type Rgb } from './raster.ts';
import { barCount, type Color, cellCount, gridSize, type Scene, thingAt } from './world.ts';

export const imageSize = 64;
export const cellSize = imageSize / gridSize;
const barUnit = 8;

export const palette: Record<Color, Rgb> = {
  red: [226, 48, 52],
  blue: [42, 98, 236],
  green: [34, 168, 76],
  yellow: [248, 204, 32],
  purple: [160, 62, 200],
  cyan: [40, 200, 220],
};

function shaded(color: Color, shade: number): Rgb {
  const [r, g, b] = palette[color];
  return [(r * shade) >> 8, (g * shade) >> 8, (b * shade) >> 8];
}

function background(scene: Scene): { ground: Rgb; line: Rgb } {
  const { tone, dark } = scene;
  if (dark) return { ground: [44 + tone, 48 + tone, 58 + tone], line: [58 + tone, 62 + tone, 73 + tone] };
  return { ground: [238 + tone, 239 + tone, 242 + tone], line: [222 + tone, 224 + tone, 229 + tone] };
}

/** Scene → RGB image, 64 × 64. */
export function renderScene(scene: Scene): RasterImage {
  const { ground, line } = background(scene);
  const image = createImage(imageSize, imageSize, ground);
  const chart = scene.bars.length > 0;
  for (let at = cellSize; at < imageSize; at += cellSize) {
    fillRect(image, 0, at, imageSize, at + 1, line);
    if (!chart) fillRect(image, at, 0, at + 1, imageSize, line);
  }
  const center = (i: number, { dx, dy }: { dx: number; dy: number }) => ({
    cx: ((i % gridSize) * cellSize + cellSize / 2 + dx) * EIGHTHS,
    cy: (Math.floor(i / gridSize) * cellSize + cellSize / 2 + dy) * EIGHTHS,
  });
  scene.emoji?.forEach((item, i) => {
    if (item) drawEmoji(image, item.emoji, { ...item, ...center(i, item) });
  });
  scene.cells.forEach((item, i) => {
    if (!item) return;
    const { cx, cy } = center(i, item);
    fillShape(image, cx, cy, item.half + 4, shaded(item.color, item.shade), outlines[item.shape](item.half));
  });
  scene.bars.forEach((bar, i) => {
    const left = i * cellSize + ((cellSize - bar.width) >> 1);
    const top = Math.max(1, imageSize - bar.value * barUnit + bar.trim);
    fillRect(image, left, top, left + bar.width, imageSize, shaded(bar.color, bar.shade));
  });
  return image;
}

/** The words for one cell's content; null where there is nothing to say. */
export interface CellContent {
  color: string | null;
  shape: string | null;
}

/**
 * What each of the 16 cells shows, in words of the vocabulary: targets for a loss on the image tokens.
 * In a bar chart the cell where a bar ends says its value, the cells below it say `bar`.
 */
export function expectedCellContents({ scene }: { scene: Scene }): CellContent[] {
  const { cells, bars } = scene;
  if (bars.length === 0)
    return cells.map((_, i) => {
      const thing = thingAt(scene, i);
      return { color: thing?.color ?? null, shape: thing?.shape ?? null };
    });
  const contents = Array.from({ length: cellCount }, (): CellContent => ({ color: null, shape: null }));
  for (let b = 0; b < barCount; b++) {
    const topRow = gridSize - Math.ceil((bars[b].value * barUnit) / cellSize);
    for (let row = topRow; row < gridSize; row++) {
      contents[row * gridSize + b] = {
        color: bars[b].color,
        shape: row === topRow ? String(bars[b].value) : 'bar',
      };
    }
  }
  return contents;
}
