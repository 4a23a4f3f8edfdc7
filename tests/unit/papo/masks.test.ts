import { describe, expect, it } from 'vitest';
import {
  applyMask,
  applyMaskNormalised,
  type ImageMask,
  makeMask,
  maskedFraction,
  patchGrid,
} from '../../../src/papo/masks.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';
import { readFixture } from './fixtures.ts';

interface Fixture {
  patch: {
    cases: {
      H: number;
      W: number;
      ratio: number;
      rect_h: number;
      rect_w: number;
      masked_fraction: number;
      start_h_range: [number, number];
      start_w_range: [number, number];
    }[];
    examples_python_random_seed0: { H: number; W: number; ratio: number; rects_y_x_h_w: number[][] }[];
  };
  grid: {
    cases: {
      H: number;
      W: number;
      ratio: number;
      never_masked_fraction: number;
      expected_masked_fraction: number;
      observed_mean: number;
      observed_std: number;
      p_nothing_masked: number;
      p_all_cells_masked: number;
      draws: number;
    }[];
  };
  random: {
    cases: {
      ratio: number;
      element_masked: number;
      expected_all: number;
      pixel_all_channels_masked: number;
      expected_any: number;
      pixel_any_channel_masked: number;
    }[];
  };
  authors: {
    cases: {
      H: number;
      W: number;
      patch_size: number;
      black_prob: number;
      patches: number;
      mean_masked_area: number;
      std_masked_area: number;
      mean_masked_patches: number;
      expected_std_patches: number;
    }[];
    example: { H: number; W: number; patch_size: number; black_prob: number; black_patches: number[][] };
  };
}
const fixture = readFixture<Fixture>('papo/masks.json');

// Sample means, shares and deviations are held to 4 standard errors. That is about 250 comparisons at fixed seeds; had
// the seeds been drawn afresh, a right implementation would fail one time in sixty.
const Z = 4;

function seeded(...counters: number[]): () => number {
  const stream = new RandomStream(11, Purpose.test, ...counters);
  return () => stream.next();
}

/** Numbers one after the other, then an error. */
function scripted(numbers: readonly number[]): () => number {
  let i = 0;
  return () => {
    if (i >= numbers.length) throw new Error('more random numbers were drawn than expected');
    return numbers[i++];
  };
}

/** [y, x, height, width] of the masked pixels' bounding box, which must be all masked; null where none is. */
function maskedRect(mask: ImageMask): number[] | null {
  let [top, left, bottom, right, count] = [mask.height, mask.width, -1, -1, 0];
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      if (mask.keep[y * mask.width + x]) continue;
      count++;
      [top, left] = [Math.min(top, y), Math.min(left, x)];
      [bottom, right] = [Math.max(bottom, y), Math.max(right, x)];
    }
  }
  if (count === 0) return null;
  const rect = [top, left, bottom - top + 1, right - left + 1];
  expect(count).toBe(rect[2] * rect[3]);
  return rect;
}

interface Moments {
  mean: number;
  std: number;
  /** Standard error of the standard deviation of n draws: √((m4 − s⁴) / (4 s² n)). */
  stdError(n: number): number;
}

function moments(values: readonly number[]): Moments {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const central = (power: number): number => values.reduce((sum, v) => sum + (v - mean) ** power, 0) / n;
  const [variance, fourth] = [central(2), central(4)];
  return {
    mean,
    std: Math.sqrt(variance),
    stdError: (count) => (variance === 0 ? 0 : Math.sqrt((fourth - variance ** 2) / (4 * variance * count))),
  };
}

/** |got − want| within Z standard errors, and 1e-4 for the fixture's rounding. */
function near(got: number, want: number, standardError: number): void {
  expect(Math.abs(got - want)).toBeLessThanOrEqual(Z * standardError + 1e-4);
}

describe("the paper's patch grid", () => {
  it.each(fixture.authors.cases)('$H × $W, patches of $patch_size, p = $black_prob', (c) => {
    const draws = 600;
    const theirs = 300; // mean_masked_patches × patches is a multiple of 1/300 in every case
    const random = seeded(1, c.H, c.W, c.black_prob * 100);
    const options = { width: c.W, height: c.H, ratio: c.black_prob, patchSize: c.patch_size };
    const areas: number[] = [];
    const patches: number[] = [];
    const { rows, columns } = patchGrid(c.W, c.H, c.patch_size);
    expect(rows * columns).toBe(c.patches);
    for (let i = 0; i < draws; i++) {
      const mask = makeMask('patch_black', options, random);
      areas.push(maskedFraction(mask));
      let black = 0;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          black += 1 - mask.keep[row * c.patch_size * c.W + column * c.patch_size];
        }
      }
      patches.push(black / c.patches);
    }
    const area = moments(areas);
    const count = moments(patches);
    const p = c.black_prob;
    // Against the exact values …
    near(area.mean, p, area.std / Math.sqrt(draws));
    near(count.mean, p, c.expected_std_patches / Math.sqrt(draws));
    near(count.std, c.expected_std_patches, count.stdError(draws));
    // … and against the authors' code, itself a sample.
    const both = 1 / draws + 1 / theirs;
    near(area.mean, c.mean_masked_area, area.std * Math.sqrt(both));
    near(count.mean, c.mean_masked_patches, count.std * Math.sqrt(both));
    near(area.std, c.std_masked_area, Math.hypot(area.stdError(draws), area.stdError(theirs)));
  });

  it("draws row by row, as the authors' example with numpy's numbers", () => {
    const { H, W, patch_size, black_prob, black_patches } = fixture.authors.example;
    // np.random.seed(42); np.random.rand(15)
    const numpy = [
      0.37454, 0.950714, 0.731994, 0.598658, 0.156019, 0.155995, 0.058084, 0.866176, 0.601115, 0.708073,
      0.020584, 0.96991, 0.832443, 0.212339, 0.181825,
    ];
    const options = { width: W, height: H, ratio: black_prob, patchSize: patch_size };
    const mask = makeMask('patch_black', options, scripted(numpy));
    const got = black_patches.map((row, i) =>
      row.map((_, j) => 1 - mask.keep[i * patch_size * W + j * patch_size]),
    );
    expect(got).toEqual(black_patches);
  });

  it('cuts patches at the right and bottom edges', () => {
    const options = { width: 5, height: 3, ratio: 0.5, patchSize: 2 };
    const mask = makeMask('patch_black', options, scripted([0.9, 0.9, 0.1, 0.1, 0.9, 0.9]));
    expect([...mask.keep]).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    expect(mask.fill).toBe('black');
  });
});

describe("TRL's patch", () => {
  it.each(fixture.patch.cases)('$H × $W, ratio $ratio', (c) => {
    const options = { width: c.W, height: c.H, ratio: c.ratio, patchSize: 14 };
    const least = maskedRect(makeMask('patch', options, () => 0));
    const most = maskedRect(makeMask('patch', options, () => 1 - 2 ** -24));
    expect(least).toEqual([c.start_h_range[0], c.start_w_range[0], c.rect_h, c.rect_w]);
    expect(most).toEqual([c.start_h_range[1], c.start_w_range[1], c.rect_h, c.rect_w]);
    expect(maskedFraction(makeMask('patch', options, seeded(2)))).toBeCloseTo(c.masked_fraction, 10);
  });

  it.each(fixture.patch.examples_python_random_seed0)(
    'places what TRL placed: $H × $W, ratio $ratio',
    (c) => {
      for (const rect of c.rects_y_x_h_w) {
        const [y, x, h, w] = rect;
        const numbers = [(y + 0.5) / (c.H - h + 1), (x + 0.5) / (c.W - w + 1)];
        const options = { width: c.W, height: c.H, ratio: c.ratio, patchSize: 14 };
        expect(maskedRect(makeMask('patch', options, scripted(numbers)))).toEqual(rect);
      }
    },
  );

  it('starts anywhere with equal probability', () => {
    const random = seeded(3);
    const counts = new Array<number>(13).fill(0);
    const draws = 2600;
    // 24 × 24 at ratio 0.25: a rectangle of 12 × 12, starts 0 to 12.
    for (let i = 0; i < draws; i++) {
      const rect = maskedRect(
        makeMask('patch', { width: 24, height: 24, ratio: 0.25, patchSize: 14 }, random),
      );
      counts[rect![0]]++;
    }
    const chi = counts.reduce((sum, count) => sum + (count - draws / 13) ** 2 / (draws / 13), 0);
    // The 99.9 % point of chi-square with 12 degrees of freedom.
    expect(chi).toBeLessThan(32.91);
  });
});

describe("TRL's grid", () => {
  it.each(fixture.grid.cases)('$H × $W, ratio $ratio', (c) => {
    const draws = c.H > 100 ? 1000 : 3000;
    const options = { width: c.W, height: c.H, ratio: c.ratio, patchSize: 14 };
    const random = seeded(4, c.H, c.ratio * 100);
    const fractions: number[] = [];
    const ever = new Uint8Array(c.H * c.W);
    for (let i = 0; i < draws; i++) {
      const mask = makeMask('grid', options, random);
      fractions.push(maskedFraction(mask));
      if (i < 200) for (let k = 0; k < ever.length; k++) ever[k] |= 1 - mask.keep[k];
    }
    const got = moments(fractions);
    near(got.mean, c.expected_masked_fraction, got.std / Math.sqrt(draws));
    near(got.mean, c.observed_mean, got.std * Math.sqrt(1 / draws + 1 / c.draws));
    near(got.std, c.observed_std, Math.hypot(got.stdError(draws), got.stdError(c.draws)));
    const share = (test: (fraction: number) => boolean): number => fractions.filter(test).length / draws;
    const error = (p: number): number => Math.sqrt((p * (1 - p)) / draws);
    near(
      share((f) => f === 0),
      c.p_nothing_masked,
      error(c.p_nothing_masked),
    );
    const whole = 1 - c.never_masked_fraction;
    near(
      share((f) => f > whole - 1e-9),
      c.p_all_cells_masked,
      error(c.p_all_cells_masked),
    );
    // After 200 draws at ratio 0.1 a given cell was missed with probability 7e-10.
    const reached = ever.reduce((sum, value) => sum + value, 0) / ever.length;
    expect(1 - reached).toBeCloseTo(c.never_masked_fraction, 10);
  });

  it('refuses ratio 0', () => {
    const options = { width: 8, height: 8, ratio: 0, patchSize: 14 };
    expect(() => makeMask('grid', options, seeded(0))).toThrow(/divides by the ratio/);
  });
});

describe("TRL's random", () => {
  it.each(fixture.random.cases)('ratio $ratio', (c) => {
    const side = 224;
    const images = 4;
    const random = seeded(5, c.ratio * 100);
    const options = { width: side, height: side, ratio: c.ratio, patchSize: 14 };
    let [elements, all, any] = [0, 0, 0];
    for (let i = 0; i < images; i++) {
      const { keep } = makeMask('random', options, random);
      for (let k = 0; k < keep.length; k += 3) {
        const masked = 3 - keep[k] - keep[k + 1] - keep[k + 2];
        elements += masked;
        if (masked === 3) all++;
        if (masked > 0) any++;
      }
    }
    const pixels = images * side * side;
    const within = (got: number, exact: number, observed: number, n: number): void => {
      const standardError = Math.sqrt((exact * (1 - exact)) / n);
      expect(Math.abs(got - exact)).toBeLessThanOrEqual(Z * standardError);
      // 1e-6: the fixture's rounding.
      expect(Math.abs(got - observed)).toBeLessThanOrEqual(Z * Math.SQRT2 * standardError + 1e-6);
    };
    within(elements / (3 * pixels), c.ratio, c.element_masked, 3 * pixels);
    within(all / pixels, c.ratio ** 3, c.pixel_all_channels_masked, pixels);
    within(any / pixels, 1 - (1 - c.ratio) ** 3, c.pixel_any_channel_masked, pixels);
  });
});

describe('the semantic mask', () => {
  it('blackens the floor(p·N) most salient patches, the first of equals', () => {
    const options = {
      width: 6,
      height: 4,
      ratio: 0.6,
      patchSize: 2,
      saliency: [0.1, 0.9, 0.5, 0.5, 0.5, 0.2],
    };
    const mask = makeMask('semantic', options, scripted([]));
    // floor(0.6 × 6) = 3: patches 1, 2, 3.
    expect([...mask.keep]).toEqual([1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]);
    expect(mask.fill).toBe('black');
  });

  it('says how many saliencies it needs', () => {
    const options = { width: 6, height: 4, ratio: 0.6, patchSize: 4 };
    expect(() => makeMask('semantic', { ...options, saliency: [1] }, seeded(0))).toThrow(
      /2 saliencies .* got 1/,
    );
    expect(() => makeMask('semantic', options, seeded(0))).toThrow(/got none/);
  });
});

describe('applying a mask', () => {
  const image = { width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 40, 50, 60) };
  const black: ImageMask = { width: 2, height: 1, keep: Uint8Array.of(1, 0), fill: 'black' };
  const mean: ImageMask = { width: 2, height: 1, keep: Uint8Array.of(1, 0, 1, 0, 1, 0), fill: 'mean' };

  it('blackens raw pixels, or shows the mean colour channel by channel, in a copy', () => {
    expect([...applyMask(image, black, [1, 2, 3]).data]).toEqual([10, 20, 30, 0, 0, 0]);
    expect([...applyMask(image, mean, [127.5, 128, 99.6]).data]).toEqual([10, 128, 30, 128, 50, 100]);
    expect([...image.data]).toEqual([10, 20, 30, 40, 50, 60]);
  });

  it('does the same to normalised pixels: 0 is the mean, black is −mean / std', () => {
    const pixels = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6);
    const [m, s] = [
      [0.5, 0.25, 0.5],
      [0.5, 0.5, 0.25],
    ];
    expect([...applyMaskNormalised(pixels, black, m, s)]).toEqual([
      ...Float32Array.of(0.1, -1, 0.3, -0.5, 0.5, -2),
    ]);
    // keep is [pixel][channel], pixels are [channel][pixel].
    expect([...applyMaskNormalised(pixels, mean, m, s)]).toEqual([
      ...Float32Array.of(0.1, 0, 0, 0.4, 0.5, 0),
    ]);
  });

  it('refuses a mask of another size', () => {
    expect(() => applyMask(image, { ...black, width: 1, height: 2 }, [0, 0, 0])).toThrow(
      /1 × 2 pixels .* 2 × 1/,
    );
    expect(() => applyMaskNormalised(new Float32Array(5), black, [0, 0, 0], [1, 1, 1])).toThrow(/expected 6/);
  });

  it('refuses a ratio outside [0, 1]', () => {
    const options = { width: 8, height: 8, ratio: 1.5, patchSize: 4 };
    expect(() => makeMask('patch_black', options, seeded(0))).toThrow(/from 0 to 1, got 1.5/);
  });
});
