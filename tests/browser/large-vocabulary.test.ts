/** The head and sampling over SmolVLM's 49,280 tokens, against the float64 reference. */
import { expect, test } from 'vitest';
import type { DeviceKind } from '../../src/device/device.ts';
import { partialGradients } from '../../src/ops/backward.ts';
import { sample } from '../../src/ops/generation.ts';
import type { Graph } from '../../src/ops/graph.ts';
import { head } from '../../src/ops/head.ts';
import { headSettings } from '../../src/ops/head-webgpu.ts';
import { compareWithReference, noise, testDevice } from './helpers.ts';

const V = 49_280;
const register8 = { gemm: { variant: 'register8', splitTo: 64 }, coreLimits: true } as const;

test.each(['f32', 'f16'] as const)('head and its gradient in two chunks, weight in %s', async (dtype) => {
  const { chunkBytes } = headSettings;
  headSettings.chunkBytes = 2 * 2 * V * 4;
  const [rows, d] = [3, 12];
  try {
    const build = (g: Graph, _on: DeviceKind) => {
      const hidden = g.input('hidden', [2 * rows, d]);
      const w = g.variable('w', [V, d], dtype);
      const targets = g.constant(Int32Array.of(0, V - 1, 31_415), [rows]);
      const outputs = head(g, hidden, w, targets, g.scalar(0.7), 2);
      for (const [name, t] of Object.entries(outputs)) g.output(name, t);
      const seeds = [outputs.logps, outputs.entropy, outputs.kl].map(
        (t, i) => [t, g.constant(noise(t.shape[0], 7 + i), t.shape)] as const,
      );
      const wanted = dtype === 'f32' ? [hidden, w] : [hidden];
      const [dhidden, dw] = partialGradients(g, new Map(seeds), wanted);
      g.output('d hidden', dhidden!);
      if (dw) g.output('d w', dw);
    };
    await compareWithReference(
      build,
      { hidden: noise(2 * rows * d, 1) },
      { tolerance: 1e-5, device: await testDevice(register8), variables: { w: noise(V * d, 2) } },
    );
  } finally {
    headSettings.chunkBytes = chunkBytes;
  }
});

/**
 * Probabilities of neighbours in the distribution function differ by about 2e-5, and float32 sums round by 1e-7: the
 * uniforms are chosen to fall into the middle of a token, so that a device may not choose another one.
 */
test.each([
  { greedy: true, topK: 0, topP: 1, minP: 0 },
  { topK: 0, topP: 1, minP: 0 },
  { topK: 50, topP: 1, minP: 0 },
  { topK: 0, topP: 0.99, minP: 0 },
  { topK: 0, topP: 0.8, minP: 0 },
  { topK: 1000, topP: 0.9, minP: 0.001 },
])('sampling with %o', async (setting) => {
  const rows = 8;
  const logits = noise(rows * V, 5).map((x) => 2 * x);
  const temperature = 0.8;
  const uniforms = Float32Array.from({ length: rows }, (_, r) =>
    middleOf(logits.subarray(r * V, (r + 1) * V), temperature, setting, (r + 0.5) / rows),
  );
  const { token } = await compareWithReference(
    (g) => {
      const turn = g.constant(Int32Array.of(0), [1]);
      const z = g.input('logits', [rows, V]);
      g.output('token', sample(g, z, g.input('uniforms', [1, rows]), turn, g.scalar(temperature), setting));
    },
    { logits, uniforms },
    { tolerance: 0, device: await testDevice(register8) },
  );
  if (!setting.greedy) expect(new Set(token).size).toBeGreaterThan(4);
});

/** A uniform near `u` that falls into the middle of a kept token that is likely enough to be told from its neighbours. */
function middleOf(
  logits: Float32Array,
  temperature: number,
  { topK, topP, minP }: { topK: number; topP: number; minP: number },
  u: number,
): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const z of logits) top = Math.max(top, z);
  const p = Array.from(logits, (z) => Math.exp((z - top) / temperature));
  const ranked = [...p].sort((a, b) => b - a);
  const kept = topK > 0 ? ranked.slice(0, topK) : ranked;
  const wanted = topP * kept.reduce((a, b) => a + b, 0);
  let before = 0;
  let threshold = minP;
  for (const x of kept) {
    if (before >= wanted) break;
    threshold = Math.max(minP, x);
    before += x;
  }
  const total = p.reduce((sum, x) => sum + (x >= threshold ? x : 0), 0);
  let sum = 0;
  for (const x of p) {
    if (x < threshold) continue;
    if (sum >= u * total && x > 2e-5 * total) return (sum + x / 2) / total;
    sum += x;
  }
  return 0;
}
