/**
 * The objective on WebGPU. Every golden case from logits to loss and gradients; and, so that a fault of the head is
 * told from one of the objective, from golden per-token numbers to loss, metrics and gradients of these.
 */
import { describe, expect, test } from 'vitest';
import type { Device, RunOutputs } from '../../src/device/device.ts';
import { ReferenceDevice } from '../../src/device/interpreter.ts';
import { partialGradients } from '../../src/ops/backward.ts';
import { Graph, type Tensor } from '../../src/ops/graph.ts';
import { caseErrors, evaluateCase, TOLERANCE, worstError } from '../../src/papo/objective/evaluate.ts';
import { type LossCase, readLossFile } from '../../src/papo/objective/golden.ts';
import { buildObjective, type ObjectiveInputs } from '../../src/papo/objective.ts';
import authors from '../fixtures/papo/authors_papo_loss.json';
import paper from '../fixtures/papo/paper_papo_loss.json';
import trl from '../fixtures/papo/trl_papo_loss.json';
import { testDevice } from './helpers.ts';

const files = [
  ['paper', readLossFile(paper, 'paper'), 33],
  ['trl', readLossFile(trl, 'trl'), 24],
  ['authors', readLossFile(authors, 'authors'), 15],
] as const;

for (const [file, cases, count] of files)
  describe(`golden losses and gradients: ${file}`, () => {
    test('all cases are there', () => expect(cases.length).toBe(count));
    test.each(cases)('$name', async (c) => {
      const got = await evaluateCase(await testDevice(), c);
      expect(worstError(caseErrors(got, c.expected))).toBeLessThanOrEqual(TOLERANCE.webgpu);
    });
  });

/** All three files hold the same batch A; the paper's also says what the head makes of it. */
const derived = paper.inputs.A.derived;
const heads = {
  per_token_logps: derived.per_token_logps,
  per_token_logps_masked: derived.per_token_logps_masked,
  entropy: derived.entropies,
  entropy_masked: derived.entropies_masked,
  kl_exact: derived.perception_kl_full,
};

function buildFromTokens(g: Graph, c: LossCase): void {
  const { B, T } = c.inputs;
  const token = (name: string): Tensor => g.input(name, [B, T]);
  const perhaps = (name: 'old_per_token_logps' | 'ref_per_token_logps') => c.inputs[name] && token(name);
  const names = Object.keys(heads) as (keyof typeof heads)[];
  const ofHead = Object.fromEntries(names.map((name) => [name, token(name)]));
  const one = (value: number): Tensor => g.scalar(Math.fround(value));
  const inputs = {
    ...ofHead,
    completion_mask: token('completion_mask'),
    advantages: g.input('advantages', [B, 1]),
    old_per_token_logps: perhaps('old_per_token_logps'),
    ref_per_token_logps: perhaps('ref_per_token_logps'),
    num_items_in_batch: one(c.num_items_in_batch),
    coefficients: Object.fromEntries(
      Object.entries(c.coefficients).map(([name, value]) => [name, one(value)]),
    ),
  } as unknown as ObjectiveInputs;
  const { loss, metrics } = buildObjective(g, inputs, c.settings);
  const found = partialGradients(
    g,
    new Map([[loss, g.scalar(1)]]),
    names.map((name) => ofHead[name]),
  );
  g.output('loss', loss);
  for (const [name, tensor] of Object.entries(metrics)) g.output(name, tensor);
  for (const [i, gradient] of found.entries()) if (gradient) g.output(`gradient of ${names[i]}`, gradient);
}

for (const [file, cases] of files)
  test.each(cases)(`from per-token numbers: ${file}, $name`, async (c) => {
    const inputs: Record<string, Float32Array> = {
      advantages: Float32Array.from(c.inputs.advantages),
      completion_mask: Float32Array.from(c.inputs.completion_mask),
    };
    for (const [name, rows] of Object.entries(heads)) inputs[name] = Float32Array.from(rows.flat());
    for (const name of ['old_per_token_logps', 'ref_per_token_logps'] as const)
      if (c.inputs[name]) inputs[name] = Float32Array.from(c.inputs[name]);
    const run = async (device: Device): Promise<RunOutputs> => {
      const g = new Graph();
      buildFromTokens(g, c);
      const program = await device.compile(g, []);
      const outputs = await program.run(inputs);
      program.dispose();
      return outputs;
    };
    const [got, want] = [await run(await testDevice()), await run(new ReferenceDevice())];
    expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
    for (const [name, values] of Object.entries(want)) {
      // Losses and metrics are sums of terms of order 1, which may cancel.
      const floor = values.length === 1 ? 0.1 : 0;
      expect(distance(got[name], values), name).toBeLessThanOrEqual(1e-5 * Math.max(norm(values), floor));
    }
  });

const norm = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x));
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  norm(Array.from(b, (value, i) => a[i] - value));
