/** A picture that is drawn, in the model's own pixels, with the colours and shapes of the built-in world. */
import {
  createImage,
  EIGHTHS,
  fillRect,
  fillShape,
  outlines,
  type RasterImage,
  type Rgb,
} from '../../data/raster.ts';
import { imageSize, palette, renderScene } from '../../data/render.ts';
import { type Color, cellCount, colors, gridSize, type Shape, shapes } from '../../data/world.ts';
import type { ImageView } from '../../worker/protocol.ts';

export { type Color, colors, gridSize, type Shape, shapes };
export type Ink = Color | 'ground';
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Half the extent of a shape in a cell, in eighths of the world's pixels: the middle of what the world draws. */
const half = 48;
const mostUndo = 30;

export const colorOf = (color: Color): string => `rgb(${palette[color].join(' ')})`;

export class Drawing {
  private readonly earlier: RasterImage[] = [];
  private image: RasterImage;
  private ground: Rgb;

  /** `side`: pixels of the model's image; `picture`: to draw on. */
  constructor(
    readonly side: number,
    picture?: ImageView,
  ) {
    this.image = this.blank(false);
    if (picture?.width === side && picture.height === side) this.image = rgb(picture);
    this.ground = mostCommon(this.image);
  }

  get canUndo(): boolean {
    return this.earlier.length > 0;
  }

  get cellSide(): number {
    return this.side / gridSize;
  }

  view(): ImageView {
    const { width, height, data } = this.image;
    const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
    for (let i = 0; i < width * height; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    return { width, height, data: rgba };
  }

  /** What follows is one piece of work, undone as one. */
  begin(): void {
    this.earlier.push({ ...this.image, data: this.image.data.slice() });
    if (this.earlier.length > mostUndo) this.earlier.shift();
  }

  undo(): void {
    this.image = this.earlier.pop() ?? this.image;
    this.ground = mostCommon(this.image);
  }

  /** An empty picture as the world has them, its cells drawn as faint lines. */
  clear(isDark: boolean): void {
    this.begin();
    this.image = this.blank(isDark);
    this.ground = mostCommon(this.image);
  }

  /** A line with a round brush of so many pixels. */
  stroke(from: Point, to: Point, ink: Ink, size: number): void {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
    for (let i = 0; i <= steps; i++) {
      const x = from.x + ((to.x - from.x) * i) / steps;
      const y = from.y + ((to.y - from.y) * i) / steps;
      this.dot(x, y, ink, size);
    }
  }

  /** A shape in the middle of a cell (0 to 15), as the world draws it. */
  stamp(cell: number, shape: Shape, ink: Ink): void {
    const center = (index: number) => Math.round((index + 0.5) * this.cellSide) * EIGHTHS;
    const size = Math.round((half * this.side) / imageSize);
    const [cx, cy] = [center(cell % gridSize), center(Math.floor(cell / gridSize))];
    fillShape(this.image, cx, cy, size + EIGHTHS, this.rgbOf(ink), this.outline(shape, size));
  }

  /** Empties a cell; the faint lines around it stay. */
  empty(cell: number): void {
    const [x, y] = [(cell % gridSize) * this.cellSide, Math.floor(cell / gridSize) * this.cellSide];
    const line = Math.max(1, Math.round(this.side / imageSize));
    fillRect(this.image, x + line, y + line, x + this.cellSide, y + this.cellSide, this.ground);
  }

  cellAt({ x, y }: Point): number {
    const index = (value: number) => Math.min(gridSize - 1, Math.max(0, Math.floor(value / this.cellSide)));
    return index(y) * gridSize + index(x);
  }

  private dot(x: number, y: number, ink: Ink, size: number): void {
    const radius = (size * EIGHTHS) / 2;
    const [cx, cy] = [Math.round(x * EIGHTHS), Math.round(y * EIGHTHS)];
    const inside = (dx: number, dy: number) => dx * dx + dy * dy <= radius * radius;
    fillShape(this.image, cx, cy, radius, this.rgbOf(ink), inside);
  }

  private rgbOf(ink: Ink): Rgb {
    return ink === 'ground' ? this.ground : palette[ink];
  }

  /** The cross has arms of a fixed width in the world; in larger pictures they grow with it. */
  private outline(shape: Shape, size: number) {
    if (shape !== 'cross' || this.side === imageSize) return outlines[shape](size);
    const scale = this.side / imageSize;
    return (dx: number, dy: number) => outlines.cross(half)(dx / scale, dy / scale);
  }

  private blank(isDark: boolean): RasterImage {
    const cells = Array.from({ length: cellCount }, () => null);
    const world = renderScene({ cells, bars: [], dark: isDark, tone: 0 });
    const image = createImage(this.side, this.side, [0, 0, 0]);
    for (let y = 0; y < this.side; y++)
      for (let x = 0; x < this.side; x++) {
        const [wx, wy] = [x, y].map((value) => Math.floor((value * imageSize) / this.side));
        const at = (wy * imageSize + wx) * 3;
        image.data.set(world.data.subarray(at, at + 3), (y * this.side + x) * 3);
      }
    return image;
  }
}

function rgb({ width, height, data }: ImageView): RasterImage {
  return { width, height, data: Uint8Array.from(data).filter((_, i) => i % 4 !== 3) };
}

/** What a rubber leaves: the colour that most pixels have. */
function mostCommon({ data }: RasterImage): Rgb {
  const counts = new Map<number, number>();
  let best = 0;
  for (let i = 0; i < data.length; i += 3) {
    const key = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count > (counts.get(best) ?? 0)) best = key;
  }
  return [best >> 16, (best >> 8) & 255, best & 255];
}
