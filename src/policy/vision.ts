/** The SigLIP vision tower and the connector: images to rows of image tokens for the decoder. */
import { gelu } from '../ops/activation.ts';
import { type AttentionShape, attention, attentionReceived } from '../ops/attention.ts';
import { add, scale } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { Graph, type Tensor } from '../ops/graph.ts';
import { addTable, linear } from '../ops/linear.ts';
import { layerNorm } from '../ops/norm.ts';
import { patchify } from '../ops/patchify.ts';
import { reshape } from '../ops/reshape.ts';
import { patchesPerSide, type VlmConfig } from './config.ts';
import { type Parameters, type PolicyModel, parameters } from './model.ts';
import { visionPrefix } from './parameters.ts';

interface Tower {
  /** [B · patches, vision hidden], after the last norm. */
  readonly hidden: Tensor;
  /** Queries and keys of each layer, for the saliency. */
  readonly attention: { q: Tensor; k: Tensor }[];
  readonly shape: AttentionShape;
}

/** images [B, 3·S·S], normalised, channel first. */
function visionTower(g: Graph, w: Parameters, config: VlmConfig, images: Tensor): Tower {
  const { vision: v } = config;
  const side = patchesPerSide(config);
  const count = images.shape[0];
  const shape: AttentionShape = {
    prefixes: count,
    prefixLength: side * side,
    group: 0,
    completionLength: 0,
    heads: v.heads,
    kvHeads: v.heads,
    headDim: v.hiddenSize / v.heads,
    causal: false,
  };
  const everyPatch = g.constant(new Float32Array(count * side * side).fill(1), [count, side * side]);
  const norm = (x: Tensor, name: string) =>
    layerNorm(g, x, w(`${name}.weight`), w(`${name}.bias`), v.layerNormEpsilon);

  const kernel = w(`${visionPrefix}embeddings.patch_embedding.weight`);
  const patches = patchify(g, images, v.imageSize, v.patchSize);
  const flat = reshape(g, kernel, [v.hiddenSize, 3 * v.patchSize ** 2]);
  let x = linear(g, patches, flat, w(`${visionPrefix}embeddings.patch_embedding.bias`));
  x = addTable(g, x, w(`${visionPrefix}embeddings.position_embedding.weight`));

  const seen: Tower['attention'] = [];
  for (let i = 0; i < v.layers; i++)
    x = g.block(() => {
      const layer = `${visionPrefix}encoder.layers.${i}`;
      const h = norm(x, `${layer}.layer_norm1`);
      const q = w.linear(g, h, `${layer}.self_attn.q_proj`);
      const k = w.linear(g, h, `${layer}.self_attn.k_proj`);
      const value = w.linear(g, h, `${layer}.self_attn.v_proj`);
      seen.push({ q, k });
      const mixed = attention(g, q, k, value, everyPatch, shape);
      const y = add(g, x, w.linear(g, mixed, `${layer}.self_attn.out_proj`));
      const m = gelu(g, w.linear(g, norm(y, `${layer}.layer_norm2`), `${layer}.mlp.fc1`));
      return add(g, y, w.linear(g, m, `${layer}.mlp.fc2`));
    });
  return { hidden: norm(x, `${visionPrefix}post_layernorm`), attention: seen, shape };
}

/** images [B, 3·S·S] → image tokens [B · tokens, text hidden]: tower, pixel shuffle, projection. */
export function imageFeatures(g: Graph, w: Parameters, config: VlmConfig, images: Tensor): Tensor {
  const { hidden } = visionTower(g, w, config, images);
  const order = pixelShuffleOrder(images.shape[0], patchesPerSide(config), config.scaleFactor);
  const joined = config.scaleFactor ** 2;
  const shuffled = gather(g, hidden, g.constant(order, [order.length]));
  const tokens = reshape(g, shuffled, [hidden.shape[0] / joined, hidden.shape[1] * joined]);
  return w.linear(g, tokens, 'model.connector.modality_projection.proj');
}

/**
 * Pixel shuffle as an order of rows: token (i, j) holds the features of its block's patches, row by row
 * (transformers' Idefics3Connector.pixel_shuffle). Row r of the result is patch order[r] of the tower.
 */
function pixelShuffleOrder(images: number, side: number, factor: number): Int32Array {
  const order: number[] = [];
  for (let b = 0; b < images; b++)
    for (let i = 0; i < side / factor; i++)
      for (let j = 0; j < side / factor; j++)
        for (let a = 0; a < factor; a++)
          for (let c = 0; c < factor; c++) order.push((b * side + i * factor + a) * side + j * factor + c);
  return Int32Array.from(order);
}

/**
 * Saliency of each patch, [B, patches]: the attention it receives, summed over queries, mean over heads, mean over
 * the upper half of the layers (PAPO appendix G.2 takes layers 6–9 of DINOv2's 12; SigLIP has no CLS to skip).
 */
export function patchSaliency(g: Graph, w: Parameters, config: VlmConfig, images: Tensor): Tensor {
  const tower = visionTower(g, w, config, images);
  const upper = tower.attention.filter(
    (_, i) => i >= Math.min(config.vision.layers / 2, config.vision.layers - 1),
  );
  const received = upper.map(({ q, k }) => attentionReceived(g, q, k, tower.shape));
  return scale(
    g,
    received.reduce((a, b) => add(g, a, b)),
    1 / upper.length,
  );
}

/** Input: pixel_values [images, 3·S·S]. Output: saliency [images, patches]. */
export function saliencyGraph(model: PolicyModel, images: number): Graph {
  const g = new Graph();
  const pixels = g.input('pixel_values', [images, 3 * model.vision.imageSize ** 2]);
  g.output('saliency', patchSaliency(g, parameters(g, model), model, pixels));
  return g;
}
