// The world the questions are about: sixteen cells named @1 … @16 that hold coloured shapes or emoji, or four bars.
// What is common in it and what is rare is fixed here: that is the prior a model can guess from without looking.
import type { RandomStream } from '../papo/random.ts';
import { emojiByColor, turnCount } from './emoji.ts';

/** A shape's value is its place in this list, counted from 1. */
export const shapes = ['square', 'circle', 'triangle', 'diamond', 'cross'] as const;
export const colors = ['red', 'blue', 'green', 'yellow', 'purple', 'cyan'] as const;
export type Shape = (typeof shapes)[number];
export type Color = (typeof colors)[number];

export const gridSize = 4;
export const cellCount = gridSize * gridSize;
export const barCount = 4;
export const maxBarValue = 8;
export const maxCount = 4;

/** How often each thing occurs; a sharpened prior is what the lazy demonstrator draws from. */
export const priors = {
  shape: [0.38, 0.26, 0.17, 0.11, 0.08],
  color: [0.32, 0.23, 0.17, 0.12, 0.09, 0.07],
  /** The inner four cells are asked for more often than the edges, the corners least. */
  cell: Array.from({ length: cellCount }, (_, i) => {
    const inner = (n: number) => n === 1 || n === 2;
    const [row, column] = [Math.floor(i / gridSize), i % gridSize];
    return inner(row) && inner(column) ? 0.13 : inner(row) || inner(column) ? 0.05 : 0.02;
  }),
  bar: [0.1, 0.15, 0.2, 0.17, 0.14, 0.1, 0.08, 0.06],
  count: [0.4, 0.3, 0.2, 0.1],
} as const;

/** What stands in a cell. Jitter is in pixels, `half` (half the extent) in eighths, `shade` in 1/256. */
export interface Item {
  shape: Shape;
  color: Color;
  dx: number;
  dy: number;
  half: number;
  shade: number;
}

/** An emoji in a cell, `size` pixels wide, turned by the angle of this number. */
export interface EmojiItem {
  emoji: string;
  color: Color;
  dx: number;
  dy: number;
  size: number;
  turn: number;
  shade: number;
}

/** A bar: `value` 1 … 8; `trim` shortens the drawn top by −1 … 1 pixels, `width` is in pixels. */
export interface Bar {
  value: number;
  color: Color;
  trim: number;
  width: number;
  shade: number;
}

export interface Scene {
  /** Sixteen cells, row by row: @1 is cells[0]. Empty of items when the scene is a bar chart or has emoji. */
  cells: readonly (Item | null)[];
  bars: readonly Bar[];
  /** Sixteen cells too, where they hold emoji. */
  emoji?: readonly (EmojiItem | null)[];
  dark: boolean;
  /** Background level added to the light or dark base, −8 … 8. */
  tone: number;
}

export function shapeValue(shape: Shape): number {
  return shapes.indexOf(shape) + 1;
}

export function cellName(index: number): string {
  return `@${index + 1}`;
}

/** p ∝ prior^sharpness: 1 is the prior itself, larger is surer of the common thing, 0 is uniform. */
export function sharpen(prior: readonly number[], sharpness: number): readonly number[] {
  // The prior untouched where it can be: engines may round a power differently, and examples must not differ.
  return sharpness === 1 ? prior : prior.map((p) => p ** sharpness);
}

function drawItem(random: RandomStream): Item {
  return {
    shape: shapes[random.weighted(priors.shape)],
    color: colors[random.weighted(priors.color)],
    dx: random.int(3) - 1,
    dy: random.int(3) - 1,
    half: 44 + 4 * random.int(3),
    shade: 226 + random.int(31),
  };
}

function drawEmojiItem(random: RandomStream): EmojiItem {
  const color = colors[random.weighted(priors.color)];
  return {
    emoji: random.pick(emojiByColor[color]),
    color,
    dx: random.int(3) - 1,
    dy: random.int(3) - 1,
    size: 13 + random.int(3),
    turn: random.int(turnCount),
    shade: 226 + random.int(31),
  };
}

/** Five to ten cells hold something; the inner cells fill first, as their prior says. */
function fillCells<T>(random: RandomStream, draw: (random: RandomStream) => T): (T | null)[] {
  const cells: (T | null)[] = new Array(cellCount).fill(null);
  const weights: number[] = [...priors.cell];
  const filled = 5 + random.int(6);
  for (let n = 0; n < filled; n++) {
    const at = random.weighted(weights);
    weights[at] = 0;
    cells[at] = draw(random);
  }
  return cells;
}

const drawGround = (random: RandomStream) => ({ dark: random.int(2) === 1, tone: random.int(17) - 8 });

export function drawGrid(random: RandomStream): Scene {
  return { cells: fillCells(random, drawItem), bars: [], ...drawGround(random) };
}

export function drawEmojiGrid(random: RandomStream): Scene {
  const emoji = fillCells(random, drawEmojiItem);
  return { cells: new Array(cellCount).fill(null), bars: [], emoji, ...drawGround(random) };
}

/** Four bars of four different colours. */
export function drawChart(random: RandomStream): Scene {
  const palette = random.shuffle(colors);
  const bars = Array.from({ length: barCount }, (_, i) => ({
    value: random.weighted(priors.bar) + 1,
    color: palette[i],
    trim: random.int(3) - 1,
    width: 9 + random.int(3),
    shade: 226 + random.int(31),
  }));
  return { cells: new Array(cellCount).fill(null), bars, ...drawGround(random) };
}

/** What the scene says, without how it is drawn: the split into train and test depends on this alone. */
export function sceneKey(scene: Scene): string {
  if (scene.bars.length > 0) return `bars ${scene.bars.map((bar) => bar.value).join(' ')}`;
  if (scene.emoji) return scene.emoji.map((item) => item?.emoji ?? '-').join(',');
  return scene.cells.map((item) => (item ? `${item.color} ${item.shape}` : '-')).join(',');
}

/** What stands in a cell, by its words: an emoji has a colour alone. */
export function thingAt(scene: Scene, cell: number): { color: Color; shape: Shape | null } | null {
  const emoji = scene.emoji?.[cell];
  return emoji ? { color: emoji.color, shape: null } : (scene.cells[cell] ?? null);
}

/** The cells that hold what is described; null stands for any. */
export function matchingCells(scene: Scene, color: Color | null, shape: Shape | null): number[] {
  const found: number[] = [];
  for (let i = 0; i < cellCount; i++) {
    const thing = thingAt(scene, i);
    if (thing && (color === null || thing.color === color) && (shape === null || thing.shape === shape))
      found.push(i);
  }
  return found;
}
