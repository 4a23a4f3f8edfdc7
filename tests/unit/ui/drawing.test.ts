/** What is drawn by hand is what the world draws. */
import { describe, expect, it } from 'vitest';
import { renderScene } from '../../../src/data/render.ts';
import { cellCount, type Item, shapes } from '../../../src/data/world.ts';
import { Drawing } from '../../../src/ui/try-it/drawing.ts';
import { imageView } from '../../../src/worker/views.ts';

const scene = (items: Readonly<Record<number, Pick<Item, 'shape' | 'color'>>>, dark = false) =>
  imageView(
    renderScene({
      cells: Array.from({ length: cellCount }, (_, i) =>
        items[i] ? { ...items[i], dx: 0, dy: 0, half: 48, shade: 256 } : null,
      ),
      bars: [],
      dark,
      tone: 0,
    }),
  );

describe('Drawing', () => {
  it.each(shapes)('stamps a %s as the world draws it', (shape) => {
    const drawing = new Drawing(64);
    drawing.stamp(5, shape, 'purple');
    expect(drawing.view()).toEqual(scene({ 5: { shape, color: 'purple' } }));
  });

  it('empties a cell, clears, and takes both back', () => {
    const full = scene({ 0: { shape: 'square', color: 'red' }, 15: { shape: 'circle', color: 'cyan' } });
    const drawing = new Drawing(64, full);
    drawing.begin();
    drawing.empty(0);
    expect(drawing.view()).toEqual(scene({ 15: { shape: 'circle', color: 'cyan' } }));
    drawing.clear(true);
    expect(drawing.view()).toEqual(scene({}, true));
    drawing.undo();
    drawing.undo();
    expect(drawing.view()).toEqual(full);
    expect(drawing.canUndo).toBe(false);
  });

  it('strokes without gaps, and rubs out to the background', () => {
    const drawing = new Drawing(64);
    const at = (x: number, y: number) => [
      ...drawing.view().data.subarray((y * 64 + x) * 4, (y * 64 + x) * 4 + 3),
    ];
    const ground = at(8, 8);
    drawing.stroke({ x: 2, y: 8 }, { x: 62, y: 8 }, 'green', 4);
    for (let x = 3; x < 61; x++) expect(at(x, 8), String(x)).toEqual([34, 168, 76]);
    drawing.stroke({ x: 2, y: 8 }, { x: 62, y: 8 }, 'ground', 8);
    for (let x = 3; x < 61; x++) expect(at(x, 8), String(x)).toEqual(ground);
  });

  it('draws in larger pictures at the same places', () => {
    const [small, large] = [new Drawing(64), new Drawing(512)];
    for (const drawing of [small, large]) {
      drawing.stamp(3, 'cross', 'yellow');
      drawing.stamp(10, 'diamond', 'blue');
    }
    const [a, b] = [small.view().data, large.view().data];
    let different = 0;
    for (let i = 0; i < 64 * 64; i++) {
      const [x, y] = [(i % 64) * 8 + 4, Math.floor(i / 64) * 8 + 4];
      const isSame = [0, 1, 2].every((c) => Math.abs(a[4 * i + c] - b[(y * 512 + x) * 4 + c]) < 100);
      if (!isSame) different++;
    }
    // Edges are blended in the small one.
    expect(different).toBeLessThan(40);
    expect(large.cellAt({ x: 511, y: 0 })).toBe(3);
  });
});
