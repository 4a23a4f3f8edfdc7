/** Fewer points, nothing lost: extremes, ends and gaps of every column of pixels. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnBounds, decimate, type Point } from '../../../src/ui/curves/decimate.ts';

const absent = Number.NaN;
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
const numbers = (points: Point[]) => points.filter((p) => typeof p === 'number');

/** A run with steps that ascend by 1 to 3, and values with gaps. */
const run = fc
  .array(
    fc.record({
      by: fc.integer({ min: 1, max: 3 }),
      value: fc.oneof(
        { weight: 5, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
        { weight: 1, arbitrary: fc.constantFrom(absent, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
      ),
    }),
    { minLength: 1, maxLength: 600 },
  )
  .map((rows) => {
    let step = -1;
    const steps = rows.map(({ by }) => {
      step += by;
      return step;
    });
    return { steps, values: Float64Array.from(rows, ({ value }) => value) };
  });

describe('decimation by column', () => {
  it('keeps first, smallest, largest and last of every column, and says where there is none', () => {
    fc.assert(
      fc.property(run, fc.integer({ min: 2, max: 40 }), ({ steps, values }, columns) => {
        const max = steps[steps.length - 1] + 1;
        const { x, y } = decimate([{ steps, lines: [{ values }] }], 0, max, columns);
        const [points] = y;
        if (steps.length <= 2 * columns) {
          // Few enough: all as they are.
          expect(x).toEqual(steps);
          expect(points).toEqual(Array.from(values, (v) => (Number.isFinite(v) ? v : null)));
          return;
        }
        expect(x).toHaveLength(4 * (columns + 2));
        expect(x.every((at, i) => i === 0 || at > x[i - 1])).toBe(true);
        const width = max / columns;
        const bounds = columnBounds(steps, -width, width, columns + 2);
        for (let c = 0; c < columns + 2; c++) {
          const own = points.slice(4 * c, 4 * c + 4);
          const rows = steps.flatMap((step, row) =>
            row >= bounds[c] && row < bounds[c + 1] ? [{ step, row }] : [],
          );
          const found = rows.map(({ row }) => values[row]).filter(Number.isFinite);
          if (rows.length === 0) expect(own).toEqual([undefined, undefined, undefined, undefined]);
          else if (found.length === 0) expect(own).toEqual([null, null, null, null]);
          else {
            expect(own[0]).toBe(found[0]);
            expect(own[3]).toBe(found[found.length - 1]);
            expect(Math.min(...numbers(own))).toBe(Math.min(...found));
            expect(Math.max(...numbers(own))).toBe(Math.max(...found));
            // In the order in which they came.
            expect(own[1] === found[found.findIndex((v) => v === own[1] || v === own[2])]).toBe(true);
          }
        }
        // Every row is in one column.
        expect(bounds[0]).toBe(0);
        expect(bounds[columns + 2]).toBe(steps.length);
      }),
      { numRuns: 300 },
    );
  });

  it('puts each step into the column that its pixel is in', () => {
    fc.assert(
      fc.property(run, fc.integer({ min: 1, max: 50 }), ({ steps }, columns) => {
        // Powers of two divide exactly.
        const width = 2 ** Math.ceil(Math.log2((steps[steps.length - 1] + 1) / columns));
        const bounds = columnBounds(steps, 0, width, columns);
        for (let c = 0; c < columns; c++)
          for (let row = bounds[c]; row < bounds[c + 1]; row++)
            expect(Math.floor(steps[row] / width)).toBe(c);
      }),
    );
  });

  it('draws the point before and the point behind what is seen', () => {
    const steps = upTo(100);
    const { x } = decimate([{ steps, lines: [{ values: Float64Array.from(steps) }] }], 39.5, 60.5, 500);
    expect(x[0]).toBe(39);
    expect(x[x.length - 1]).toBe(61);
  });

  it('joins runs with other steps without breaking their lines', () => {
    const a = { steps: [0, 1, 2, 3], lines: [{ values: Float64Array.of(10, 11, absent, 13) }] };
    const b = {
      steps: [0, 2, 4],
      lines: [
        { values: Float64Array.of(20, 22, 24) },
        { values: Float64Array.of(30, absent, 34), isSparse: true },
      ],
    };
    expect(decimate([a, b], 0, 10, 100)).toEqual({
      isDense: false,
      x: [0, 1, 2, 3, 4],
      y: [
        [10, 11, null, 13, undefined],
        [20, undefined, 22, undefined, 24],
        [30, undefined, undefined, undefined, 34],
      ],
    });
  });

  it('never breaks what is measured now and then', () => {
    const steps = upTo(10_000);
    const values = Float64Array.from(steps, (step) => (step % 500 === 0 ? step : absent));
    const [points] = decimate([{ steps, lines: [{ values, isSparse: true }] }], 0, 9_999, 300).y;
    expect(points).not.toContain(null);
    expect(new Set(numbers(points))).toEqual(new Set(steps.filter((step) => step % 500 === 0)));
  });

  it('shows one spike among a hundred thousand, at any zoom', () => {
    const steps = upTo(100_000);
    const values = new Float64Array(100_000);
    values[54_321] = 7;
    for (const [min, max] of [
      [0, 100_000],
      [54_000, 55_000],
      [54_321, 54_330],
      [20_000, 54_321],
    ])
      expect(numbers(decimate([{ steps, lines: [{ values }] }], min, max, 300).y[0])).toContain(7);
    expect(numbers(decimate([{ steps, lines: [{ values }] }], 60_000, 90_000, 300).y[0])).not.toContain(7);
  });
});
