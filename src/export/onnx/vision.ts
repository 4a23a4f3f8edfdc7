/**
 * onnx/vision_encoder.onnx: SigLIP tower, pixel shuffle and projection. pixel_values [batch, images, 3, S, S] f32 and
 * pixel_attention_mask [batch, images, S, S] bool → image_features [images that are real, tokens, text hidden].
 */
import { imageTokens, patchesPerSide, type VlmConfig } from '../../policy/config.ts';
import { visionPrefix } from '../../policy/parameters.ts';
import type { OnnxModel } from './model.ts';

/**
 * An image without a single true mask element is padding and is left out, as in transformers. Otherwise the mask is
 * not read: SmolVLM's processor fills the whole square.
 */
export function visionEncoder(m: OnnxModel, config: VlmConfig): void {
  const { vision: v } = config;
  const { b } = m;
  const S = v.imageSize;
  const side = patchesPerSide(config);
  const pixels = m.input('pixel_values', 'f32', ['batch_size', 'num_images', 3, S, S]);
  const mask = m.input('pixel_attention_mask', 'bool', ['batch_size', 'num_images', S, S]);

  const seen = b.node('ReduceMax', [b.cast(mask, 'f32'), b.ints([2, 3])], { keepdims: 0 });
  const real = b.cast(b.reshape(seen, [-1]), 'bool');
  const images = b.node('Compress', [b.reshape(pixels, [-1, 3, S, S]), real], { axis: 0 });

  const embeddings = `${visionPrefix}embeddings`;
  const patches = b.node(
    'Conv',
    [
      images,
      m.weight(`${embeddings}.patch_embedding.weight`),
      m.weight(`${embeddings}.patch_embedding.bias`),
    ],
    { kernel_shape: [v.patchSize, v.patchSize], strides: [v.patchSize, v.patchSize] },
  );
  const rows = b.transpose(b.reshape(patches, [0, v.hiddenSize, side * side]), [0, 2, 1]);
  let x = b.node('Add', [rows, m.weight(`${embeddings}.position_embedding.weight`)]);
  for (let i = 0; i < v.layers; i++) x = encoderLayer(m, config, x, `${visionPrefix}encoder.layers.${i}`);
  x = layerNorm(m, x, `${visionPrefix}post_layernorm`, v.layerNormEpsilon);

  const features = m.linear(pixelShuffle(m, config, x), 'model.connector.modality_projection.proj', {
    bias: false,
  });
  m.output('image_features', features, ['num_real_images', imageTokens(config), config.text.hiddenSize]);
}

function encoderLayer(m: OnnxModel, { vision: v }: VlmConfig, x: string, layer: string): string {
  const { b } = m;
  const headDim = v.hiddenSize / v.heads;
  const h = layerNorm(m, x, `${layer}.layer_norm1`, v.layerNormEpsilon);
  const heads = (name: string) =>
    m.splitHeads(m.linear(h, `${layer}.self_attn.${name}`, { bias: true }), v.heads, headDim);
  const q = b.node('Mul', [heads('q_proj'), b.scalar(headDim ** -0.5)]);
  const scores = b.node('MatMul', [q, b.transpose(heads('k_proj'), [0, 1, 3, 2])]);
  const mixed = b.node('MatMul', [b.node('Softmax', [scores], { axis: -1 }), heads('v_proj')]);
  const attended = m.linear(m.joinHeads(mixed, v.hiddenSize), `${layer}.self_attn.out_proj`, { bias: true });
  const between = b.node('Add', [x, attended]);
  const normed = layerNorm(m, between, `${layer}.layer_norm2`, v.layerNormEpsilon);
  const hidden = gelu(m, m.linear(normed, `${layer}.mlp.fc1`, { bias: true }));
  return b.node('Add', [between, m.linear(hidden, `${layer}.mlp.fc2`, { bias: true })]);
}

function layerNorm(m: OnnxModel, x: string, name: string, epsilon: number): string {
  return m.b.node('LayerNormalization', [x, m.weight(`${name}.weight`), m.weight(`${name}.bias`)], {
    axis: -1,
    epsilon: { f: epsilon },
  });
}

/** Tanh's approximation, x · sigmoid(2u) with u = √(2/π)(x + 0.044715 x³): not every runtime's Gelu knows it. */
function gelu(m: OnnxModel, x: string): string {
  const { b } = m;
  const root = 2 * Math.sqrt(2 / Math.PI);
  const slope = b.node('Mul', [b.node('Mul', [x, x]), b.scalar(root * 0.044715)]);
  const u = b.node('Mul', [x, b.node('Add', [slope, b.scalar(root)])]);
  return b.node('Mul', [x, b.node('Sigmoid', [u])]);
}

/** [n, side², d] → [n, tokens, f²·d]: each block of f × f patches side by side, row by row. */
function pixelShuffle(m: OnnxModel, config: VlmConfig, x: string): string {
  const { b } = m;
  const f = config.scaleFactor;
  const blocks = patchesPerSide(config) / f;
  const d = config.vision.hiddenSize;
  const cut = b.transpose(b.reshape(x, [-1, blocks, f, blocks, f * d]), [0, 1, 3, 2, 4]);
  return b.reshape(cut, [-1, blocks * blocks, f * f * d]);
}
