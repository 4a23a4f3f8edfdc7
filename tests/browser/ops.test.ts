/**
 * Every op's shaders against the float64 reference, forward and backward, at sizes that are multiples of nothing.
 * Tolerance: ‖a − b‖ / ‖b‖ ≤ 1e-5 for every output and gradient, float32 against float64.
 */
import { afterEach, describe, test } from 'vitest';
import type { Graph } from '../../src/ops/graph.ts';
import { headSettings } from '../../src/ops/head-webgpu.ts';
import { headCase, headSizes, type OpCase, opCases, optimizerCases } from '../ops-cases.ts';
import { compareWithReference } from './helpers.ts';

const tolerance = 1e-5;

/** The loss is left out: its terms have both signs and may cancel, so its relative error has no bound. */
function compare({ build, inputs }: OpCase): Promise<unknown> {
  const withoutLoss = (g: Graph) => {
    build(g);
    g.outputs.delete('loss');
  };
  return compareWithReference(withoutLoss, inputs, { tolerance });
}

describe('ops', () => {
  test.each([...opCases, ...optimizerCases])('$name', async (c) => {
    await compare(c);
  });
});

describe('head in several chunks', () => {
  const { chunkBytes } = headSettings;
  afterEach(() => {
    headSettings.chunkBytes = chunkBytes;
  });
  test.each(headSizes.flatMap((size) => [1, 3].map((most) => ({ ...size, most }))))(
    '$views views of $rows rows, $most at a time',
    async ({ most, ...size }) => {
      headSettings.chunkBytes = most * size.views * size.V * 4;
      await compare(headCase(size));
    },
  );
});
