/** Rollouts: G completions a prompt over one shared prefix, the whole loop one program, nothing read back until the end. */
import { gather } from '../ops/gather.ts';
import { all, emitToken, increment, type SamplingAttributes, sample } from '../ops/generation.ts';
import type { Graph, Tensor } from '../ops/graph.ts';
import { linear } from '../ops/linear.ts';
import { repeat } from '../ops/repeat.ts';
import { decodeStep, textAttention } from './decoder.ts';
import type { PolicyModel } from './model.ts';
import { policyGraph } from './policy-graph.ts';

export interface RolloutShape {
  readonly prompts: number;
  readonly prefixLength: number;
  readonly group: number;
  readonly maxTokens: number;
  /** Images of all prompts together; default one each. */
  readonly images?: number;
}

export interface EndTokens {
  readonly endTokens: readonly number[];
  readonly padToken: number;
}

/**
 * Inputs: the layout's for prefixes alone; uniforms [T, P·G] in [0, 1); temperature [1, 1].
 * Output: completions i32 [P·G, T], padding behind the end token.
 */
export function rolloutGraph(
  config: PolicyModel,
  shape: RolloutShape,
  sampling: SamplingAttributes,
  ends: EndTokens,
): Graph {
  const { prompts: P, prefixLength: L, group: G, maxTokens: T, images } = shape;
  const N = P * G;
  const prefix = { prefixes: P, prefixLength: L, group: 0, completionLength: 0, images, extraPositions: T };
  const { g, w, tables, embedding, headWeight, hidden, caches, keyMask } = policyGraph(config, prefix);
  const uniforms = g.input('uniforms', [T, N]);
  const temperature = g.input('temperature', [1, 1]);
  // Where each completion's first token stands: right after its prompt.
  const start = g.input('completion_start', [N], 'i32');
  const constant = (length: number, value: number) =>
    g.constant(new Int32Array(length).fill(value), [length]);

  // Token 0 comes from the prefix's last row, the same for the whole group.
  const lastRows = g.constant(
    Int32Array.from({ length: N }, (_, n) => Math.floor(n / G) * L + L - 1),
    [N],
  );
  const first = sample(
    g,
    linear(g, gather(g, hidden, lastRows), headWeight),
    uniforms,
    constant(1, 0),
    temperature,
    sampling,
  );
  const blank = g.constant(new Int32Array(N * T).fill(ends.padToken), [N, T]);
  const begun = emitToken(g, first, blank, constant(N, 0), constant(1, 0), ends);
  if (T === 1) {
    g.output('completions', begun.completions);
    return g;
  }

  const width = config.text.kvHeads * config.text.headDim;
  const emptyCache = g.constant(new Float32Array(N * T * width), [N, T * width]);
  const attention = textAttention(config, { prefixes: P, prefixLength: L, group: G, completionLength: T });
  const initial: Tensor[] = [
    begun.completions,
    begun.token,
    begun.finished,
    constant(1, 0),
    start,
    ...caches.flatMap(() => [emptyCache, emptyCache]),
  ];
  const [completions] = repeat(
    g,
    T - 1,
    initial,
    (body, [written, token, finished, turn, positions, ...own]) => {
      const pairs = caches.map((_, i) => ({ k: own[2 * i], v: own[2 * i + 1] }));
      const x = gather(body, embedding, token);
      const step = decodeStep(
        body,
        w,
        config,
        x,
        positions,
        tables,
        pairs,
        { caches, keyMask },
        turn,
        attention,
      );
      const next = increment(body, turn);
      const sampled = sample(
        body,
        linear(body, step.hidden, headWeight),
        uniforms,
        next,
        temperature,
        sampling,
      );
      const emitted = emitToken(body, sampled, written, finished, next, ends);
      return {
        next: [
          emitted.completions,
          emitted.token,
          emitted.finished,
          next,
          increment(body, positions),
          ...step.caches.flatMap(({ k, v }) => [k, v]),
        ],
        until: all(body, emitted.finished),
      };
    },
  );
  g.output('completions', completions);
  return g;
}
