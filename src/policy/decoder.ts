/** The Llama decoder over rows laid out as in ops/attention.ts, and its one-token form for rollouts. */
import { swiglu } from '../ops/activation.ts';
import { type AttentionShape, attention } from '../ops/attention.ts';
import { add } from '../ops/elementwise.ts';
import { cacheWrite, decodeAttention } from '../ops/generation.ts';
import type { Graph, Tensor } from '../ops/graph.ts';
import { rmsNorm } from '../ops/norm.ts';
import { type RopeTables, rope } from '../ops/rope.ts';
import type { VlmConfig } from './config.ts';
import type { Parameters } from './model.ts';

/** Keys (turned) and values of one layer. */
export interface LayerCache {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** How a layer's queries meet keys and values: over all rows at once, or one new token against caches. */
type Attend = (layer: number, q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** x [R, hidden] at positions [R] through all layers and the last norm. */
function layers(
  g: Graph,
  w: Parameters,
  { text: t }: VlmConfig,
  embedded: Tensor,
  positions: Tensor,
  tables: RopeTables,
  attend: Attend,
): Tensor {
  const norm = (x: Tensor, name: string) => rmsNorm(g, x, w(`${name}.weight`), t.rmsNormEpsilon);
  let x = embedded;
  for (let i = 0; i < t.layers; i++)
    x = g.block(() => {
      const layer = `model.text_model.layers.${i}`;
      const h = norm(x, `${layer}.input_layernorm`);
      const q = rope(g, w.linear(g, h, `${layer}.self_attn.q_proj`), positions, tables);
      const k = rope(g, w.linear(g, h, `${layer}.self_attn.k_proj`), positions, tables);
      const mixed = attend(i, q, k, w.linear(g, h, `${layer}.self_attn.v_proj`));
      const y = add(g, x, w.linear(g, mixed, `${layer}.self_attn.o_proj`));
      const m = norm(y, `${layer}.post_attention_layernorm`);
      const gate = w.linear(g, m, `${layer}.mlp.gate_proj`);
      const up = w.linear(g, m, `${layer}.mlp.up_proj`);
      return add(g, y, w.linear(g, swiglu(g, gate, up), `${layer}.mlp.down_proj`));
    });
  return norm(x, 'model.text_model.norm');
}

/** All rows at once. Returns hidden states [R, hidden] and each layer's keys and values. */
export function decoder(
  g: Graph,
  w: Parameters,
  config: VlmConfig,
  x: Tensor,
  positions: Tensor,
  keyMask: Tensor,
  tables: RopeTables,
  shape: AttentionShape,
): { hidden: Tensor; caches: LayerCache[] } {
  const caches: LayerCache[] = [];
  const hidden = layers(g, w, config, x, positions, tables, (_layer, q, k, v) => {
    caches.push({ k, v });
    return attention(g, q, k, v, keyMask, shape);
  });
  return { hidden, caches };
}

/** One new token a completion: x [P·G, hidden] at positions [P·G]. Returns hidden states and the grown caches. */
export function decodeStep(
  g: Graph,
  w: Parameters,
  config: VlmConfig,
  x: Tensor,
  positions: Tensor,
  tables: RopeTables,
  caches: readonly LayerCache[],
  prefix: { caches: readonly LayerCache[]; keyMask: Tensor },
  turn: Tensor,
  shape: AttentionShape,
): { hidden: Tensor; caches: LayerCache[] } {
  const grown: LayerCache[] = [];
  const hidden = layers(g, w, config, x, positions, tables, (i, q, k, v) => {
    const own = { k: cacheWrite(g, caches[i].k, k, turn), v: cacheWrite(g, caches[i].v, v, turn) };
    grown.push(own);
    return decodeAttention(g, q, own, { ...prefix.caches[i], keyMask: prefix.keyMask }, turn, shape);
  });
  return { hidden, caches: grown };
}

/** The attention layout of the decoder for given counts. */
export function textAttention(
  { text: t }: VlmConfig,
  counts: Pick<AttentionShape, 'prefixes' | 'prefixLength' | 'group' | 'completionLength'>,
): AttentionShape {
  return { ...counts, heads: t.heads, kvHeads: t.kvHeads, headDim: t.headDim, causal: true };
}
