import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { curveSize, curveSvg, trainingCurve } from '../../../src/export/curve.ts';
import { svgToPng } from '../../../src/export/curve-node.ts';
import type { LogRow } from '../../../src/store/run-store.ts';

const row = (step: number, kind: LogRow['kind'], metrics: Record<string, number>): LogRow => ({
  step,
  kind,
  metrics,
  completions: [],
});

/** A run of 80 updates that learns, measured four times. */
const rows: LogRow[] = [
  row(0, 'evaluation', { eval_accuracy: 0.37, eval_accuracy_error: 0.021 }),
  ...Array.from({ length: 80 }, (_, i) =>
    row(i + 1, 'step', {
      accuracy: 0.87 - 0.5 * Math.exp(-i / 20) + 0.06 * Math.sin(i * 7.3),
      reward: i / 10,
    }),
  ),
  row(20, 'evaluation', { eval_accuracy: 0.69, eval_accuracy_error: 0.02 }),
  row(40, 'evaluation', { eval_accuracy: 0.834, eval_accuracy_error: 0.016 }),
  row(80, 'evaluation', { eval_accuracy: 0.865, eval_accuracy_error: 0.015 }),
];

describe('trainingCurve', () => {
  it('takes accuracy where there is one, else the reward, else nothing', () => {
    const plot = trainingCurve(rows, 'title')!;
    expect(plot.series.map(({ points }) => points.length)).toEqual([80, 4]);
    expect(plot.series[1].points[0]).toEqual({ step: 0, value: 0.37, error: 0.021 });
    const rewards = trainingCurve([row(1, 'step', { reward: 2 })], 'title')!;
    expect(rewards).toMatchObject({ quantity: 'reward', isShare: false });
    expect(trainingCurve([row(1, 'step', { loss: 2, reward: Number.NaN })], 'title')).toBeNull();
  });
});

describe('curveSvg', () => {
  it('draws every held-out point with its error bar where the numbers say', () => {
    const svg = curveSvg(trainingCurve(rows, 'papo-nano')!);
    const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3.5" fill="[^"]+" stroke/g)];
    expect(circles).toHaveLength(4);
    const [x, y] = circles[3].slice(1).map(Number);
    // The last step is the right end of the box; 86.5 % lies that far up it.
    expect(x).toBe(curveSize.width - 24);
    expect(y).toBeCloseTo(348 - 0.865 * (348 - 78), 1);
    expect(svg.match(/%<\/text>/g)).toHaveLength(6);
  });

  it('is well-formed whatever the names, and draws without a finite number', async () => {
    const title = '</text><script>alert(1)</script>&"\u0000\ud800 \u{1f600} ]]>';
    const plot = { title, quantity: '<&>', isShare: false, series: [] };
    const svg = curveSvg(plot);
    expect(svg).not.toContain('<script');
    expect((await sharp(Buffer.from(svg)).metadata()).width).toBe(curveSize.width);
    const constant = [{ label: 'a', kind: 'line' as const, points: [{ step: 3, value: Number.NaN }] }];
    for (const value of [0, -5, 1e-9, 1e12]) {
      const points = [{ step: 3, value }];
      const drawn = curveSvg({ ...plot, series: [...constant, { label: 'b', kind: 'points', points }] });
      expect(drawn).not.toMatch(/NaN|Infinity/);
    }
  });

  it('becomes a PNG that is not blank', async () => {
    const png = await svgToPng(curveSvg(trainingCurve(rows, 'papo-nano, task “shapes”: accuracy')!));
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([2 * curveSize.width, 2 * curveSize.height]);
    const blue = Array.from({ length: data.length / info.channels }, (_, i) => i * info.channels).filter(
      (i) => data[i] < 60 && data[i + 2] > 180,
    );
    expect(blue.length).toBeGreaterThan(1000);
    if (process.env.CURVE_PNG) await sharp(png).toFile(process.env.CURVE_PNG);
  });
});
