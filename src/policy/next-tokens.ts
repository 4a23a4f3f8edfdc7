/** What the policy gives every token of the vocabulary at each position of a completion, for looking at it closely. */
import { gather } from '../ops/gather.ts';
import type { Graph } from '../ops/graph.ts';
import { linear } from '../ops/linear.ts';
import type { VlmConfig } from './config.ts';
import { type Counts, layout, type PolicyPrompt, predictingRows, roundUp } from './layout.ts';
import type { Policy } from './policy.ts';
import { policyGraph } from './policy-graph.ts';

/** Inputs: the layout's. Output: logits [P · G · T, V]. */
function logitsGraph(config: VlmConfig, counts: Counts): Graph {
  const { g, hidden, headWeight } = policyGraph(config, counts);
  const rows = predictingRows(counts);
  g.output('logits', linear(g, gather(g, hidden, g.constant(rows, [rows.length])), headWeight));
  return g;
}

/**
 * log p(· | prompt, the completion so far), [prompts][tokens][vocabulary]: the same completion behind each prompt.
 * The softmax is taken in float64.
 */
export async function nextTokenLogps(
  policy: Policy,
  prompts: readonly PolicyPrompt[],
  completion: readonly number[],
  temperature: number,
): Promise<Float64Array[][]> {
  const { config, text } = policy;
  const P = prompts.length;
  const T = roundUp(completion.length, 8);
  const L = roundUp(Math.max(...prompts.map(({ ids }) => ids.length)), 8);
  const counts: Counts = { prefixes: P, prefixLength: L, group: 1, completionLength: T };
  const program = await policy.program(`logits ${JSON.stringify(counts)}`, () => logitsGraph(config, counts));
  const rows = new Int32Array(P * T).fill(text.padTokenId);
  for (let p = 0; p < P; p++) rows.set(completion, p * T);
  const { logits } = await program.run(layout(config, counts, prompts, text.padTokenId, rows));
  const V = logits.length / (P * T);
  return prompts.map((_, p) =>
    completion.map((_, t) => logSoftmax(logits.subarray((p * T + t) * V, (p * T + t + 1) * V), temperature)),
  );
}

function logSoftmax(logits: ArrayLike<number>, temperature: number): Float64Array {
  const scaled = Float64Array.from(logits, (z) => z / temperature);
  let top = Number.NEGATIVE_INFINITY;
  for (const z of scaled) top = Math.max(top, z);
  let total = 0;
  for (const z of scaled) total += Math.exp(z - top);
  const lse = top + Math.log(total);
  return scaled.map((z) => z - lse);
}
