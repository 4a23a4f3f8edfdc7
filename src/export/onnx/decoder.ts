/**
 * onnx/decoder_model_merged.onnx: the Llama decoder with its head, for a whole prompt (past of length 0) and for the
 * tokens after it alike. Inputs inputs_embeds [batch, S, hidden], attention_mask i64 [batch, past + S] (0: padding),
 * position_ids i64 [batch, S], past_key_values.N.key and .value [batch, kvHeads, past, headDim]; outputs logits
 * [batch, S, vocab] and present.N.key and .value, grown by S.
 */
import type { VlmConfig } from '../../policy/config.ts';
import { headName } from '../../policy/parameters.ts';
import type { OnnxModel } from './model.ts';

/** What all layers share. */
interface Shared {
  /** [batch, 1, S, headDim/2] */
  readonly cos: string;
  readonly sin: string;
  /** 0 where a query sees a key, else about −∞: [batch, 1, S, past + S]. */
  readonly bias: string;
  /** The shape [batch, heads, S, past + S]. */
  readonly scores: string;
}

export function decoderModel(m: OnnxModel, config: VlmConfig): void {
  const { text: t } = config;
  const { b } = m;
  const past = ['batch_size', t.kvHeads, 'past_sequence_length', t.headDim];
  const present = ['batch_size', t.kvHeads, 'total_sequence_length', t.headDim];
  const embeds = m.input('inputs_embeds', 'f32', ['batch_size', 'sequence_length', t.hiddenSize]);
  const mask = m.input('attention_mask', 'i64', ['batch_size', 'total_sequence_length']);
  const positions = m.input('position_ids', 'i64', ['batch_size', 'sequence_length']);
  const caches = Array.from({ length: t.layers }, (_, i) => ({
    key: m.input(`past_key_values.${i}.key`, 'f32', past),
    value: m.input(`past_key_values.${i}.value`, 'f32', past),
  }));

  const bias = attentionBias(m, embeds, mask);
  const lengths = b.slice(b.node('Shape', [bias]), 0, 2, 4);
  const batch = b.slice(b.node('Shape', [embeds]), 0, 0, 1);
  const shared: Shared = {
    ...rotations(m, config, positions),
    bias,
    scores: b.concat([batch, b.ints([t.heads]), lengths], 0),
  };
  let x = embeds;
  const grown = caches.map((cache, i) => {
    const layer = decoderLayer(m, config, x, `model.text_model.layers.${i}`, cache, shared);
    x = layer.x;
    return layer;
  });
  const hidden = rmsNorm(m, x, 'model.text_model.norm', t.rmsNormEpsilon);
  const logits = b.node('MatMul', [hidden, m.matrix(headName(config))]);
  m.output('logits', logits, ['batch_size', 'sequence_length', t.vocabSize]);
  grown.forEach(({ key, value }, i) => {
    m.output(`present.${i}.key`, key, present);
    m.output(`present.${i}.value`, value, present);
  });
}

function decoderLayer(
  m: OnnxModel,
  { text: t }: VlmConfig,
  x: string,
  layer: string,
  cache: { key: string; value: string },
  shared: Shared,
): { x: string; key: string; value: string } {
  const { b } = m;
  const project = (from: string, name: string) => m.linear(from, `${layer}.${name}`, { bias: false });
  const h = rmsNorm(m, x, `${layer}.input_layernorm`, t.rmsNormEpsilon);
  const heads = (name: string, count: number) =>
    m.splitHeads(project(h, `self_attn.${name}`), count, t.headDim);
  const key = b.concat([cache.key, rotate(m, heads('k_proj', t.kvHeads), shared)], 2);
  const value = b.concat([cache.value, heads('v_proj', t.kvHeads)], 2);

  // Query heads that share a key head lie under one another, so that keys and values are never copied.
  const q = b.node('Mul', [rotate(m, heads('q_proj', t.heads), shared), b.scalar(t.headDim ** -0.5)]);
  const grouped = b.reshape(q, [0, t.kvHeads, -1, t.headDim]);
  const products = b.node('MatMul', [grouped, b.transpose(key, [0, 1, 3, 2])]);
  const scores = b.node('Add', [b.node('Reshape', [products, shared.scores]), shared.bias]);
  const weights = b.node('Reshape', [b.node('Softmax', [scores], { axis: -1 }), b.node('Shape', [products])]);
  const mixed = b.reshape(b.node('MatMul', [weights, value]), [0, t.heads, -1, t.headDim]);
  const attended = project(m.joinHeads(mixed, t.heads * t.headDim), 'self_attn.o_proj');

  const between = b.node('Add', [x, attended]);
  const n = rmsNorm(m, between, `${layer}.post_attention_layernorm`, t.rmsNormEpsilon);
  const gate = project(n, 'mlp.gate_proj');
  const silu = b.node('Mul', [gate, b.node('Sigmoid', [gate])]);
  const gated = b.node('Mul', [silu, project(n, 'mlp.up_proj')]);
  return { x: b.node('Add', [between, project(gated, 'mlp.down_proj')]), key, value };
}

/** Token i of this run is number past + i: it sees the keys up to itself that attention_mask does not blank. */
function attentionBias(m: OnnxModel, embeds: string, mask: string): string {
  const { b } = m;
  const length = (x: string) => b.reshape(b.slice(b.node('Shape', [x]), 0, 1, 2), []);
  const zero = b.constant(BigInt64Array.of(0n), []);
  const one = b.constant(BigInt64Array.of(1n), []);
  const total = length(mask);
  const keys = b.node('Range', [zero, total, one]);
  const queries = b.node('Range', [b.node('Sub', [total, length(embeds)]), total, one]);
  const causal = b.node('LessOrEqual', [keys, b.node('Unsqueeze', [queries, b.ints([1])])]);
  const real = b.node('Unsqueeze', [b.cast(mask, 'bool'), b.ints([1, 2])]);
  // A padding token sees nothing; a finite number keeps its softmax, which nobody reads, from becoming NaN.
  return b.node('Where', [b.node('And', [causal, real]), b.scalar(0), b.scalar(-1e9)]);
}

/** cos and sin of position · theta^(−2i/headDim), from tables made in float64 as in ops/rope.ts. */
function rotations(m: OnnxModel, { text: t }: VlmConfig, positions: string): { cos: string; sin: string } {
  const { b } = m;
  const half = t.headDim / 2;
  const rows = (f: (angle: number) => number) => {
    const table = Float32Array.from({ length: t.maxPositions * half }, (_, i) =>
      f(Math.floor(i / half) * t.ropeTheta ** (-(i % half) / half)),
    );
    const picked = b.node('Gather', [b.constant(table, [t.maxPositions, half]), positions], { axis: 0 });
    return b.node('Unsqueeze', [picked, b.ints([1])]);
  };
  return { cos: rows(Math.cos), sin: rows(Math.sin) };
}

/** x [batch, heads, S, headDim]: halves (a, b) → (a cos − b sin, b cos + a sin). */
function rotate({ b }: OnnxModel, x: string, { cos, sin }: Shared): string {
  const [first, second] = b.nodes('Split', [x], 2, { axis: -1, num_outputs: 2 });
  const times = (half: string, by: string) => b.node('Mul', [half, by]);
  return b.concat(
    [
      b.node('Sub', [times(first, cos), times(second, sin)]),
      b.node('Add', [times(second, cos), times(first, sin)]),
    ],
    -1,
  );
}

/** x / √(mean(x²) + ε) · weight, in the order of nodes that onnxruntime fuses. */
function rmsNorm(m: OnnxModel, x: string, name: string, epsilon: number): string {
  const { b } = m;
  const square = b.node('ReduceMean', [b.node('Pow', [x, b.scalar(2)]), b.ints([-1])], { keepdims: 1 });
  const root = b.node('Sqrt', [b.node('Add', [square, b.scalar(epsilon)])]);
  return b.node('Mul', [b.node('Div', [x, root]), m.weight(`${name}.weight`)]);
}
