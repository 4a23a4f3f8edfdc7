/** The parameters of a SmolVLM: Hugging Face's names, their shapes, and a seeded initialisation. */
import { UserError } from '../errors.ts';
import { type Shape, sizeOf } from '../ops/graph.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import { patchesPerSide, type VlmConfig } from './config.ts';

export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export const visionPrefix = 'model.vision_model.';
export const embeddingName = 'model.text_model.embed_tokens.weight';

/** The head's table: its own, or the embedding's. */
export const headName = (config: VlmConfig) => (config.tied ? embeddingName : 'lm_head.weight');

/** Name → shape, in the order of the data's way through the model. */
export function parameterShapes(config: VlmConfig): Map<string, Shape> {
  const { vision: v, text: t } = config;
  const shapes = new Map<string, Shape>();
  const linear = (name: string, out: number, inp: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [out, inp]);
    if (bias) shapes.set(`${name}.bias`, [out]);
  };
  const norm = (name: string, size: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [size]);
    if (bias) shapes.set(`${name}.bias`, [size]);
  };
  shapes.set(`${visionPrefix}embeddings.patch_embedding.weight`, [v.hiddenSize, 3, v.patchSize, v.patchSize]);
  shapes.set(`${visionPrefix}embeddings.patch_embedding.bias`, [v.hiddenSize]);
  shapes.set(`${visionPrefix}embeddings.position_embedding.weight`, [
    patchesPerSide(config) ** 2,
    v.hiddenSize,
  ]);
  for (let i = 0; i < v.layers; i++) {
    const layer = `${visionPrefix}encoder.layers.${i}`;
    norm(`${layer}.layer_norm1`, v.hiddenSize, true);
    for (const name of ['q_proj', 'k_proj', 'v_proj', 'out_proj'])
      linear(`${layer}.self_attn.${name}`, v.hiddenSize, v.hiddenSize, true);
    norm(`${layer}.layer_norm2`, v.hiddenSize, true);
    linear(`${layer}.mlp.fc1`, v.intermediateSize, v.hiddenSize, true);
    linear(`${layer}.mlp.fc2`, v.hiddenSize, v.intermediateSize, true);
  }
  norm(`${visionPrefix}post_layernorm`, v.hiddenSize, true);
  linear(
    'model.connector.modality_projection.proj',
    t.hiddenSize,
    v.hiddenSize * config.scaleFactor ** 2,
    false,
  );
  shapes.set(embeddingName, [t.vocabSize, t.hiddenSize]);
  for (let i = 0; i < t.layers; i++) {
    const layer = `model.text_model.layers.${i}`;
    norm(`${layer}.input_layernorm`, t.hiddenSize, false);
    linear(`${layer}.self_attn.q_proj`, t.heads * t.headDim, t.hiddenSize, false);
    linear(`${layer}.self_attn.k_proj`, t.kvHeads * t.headDim, t.hiddenSize, false);
    linear(`${layer}.self_attn.v_proj`, t.kvHeads * t.headDim, t.hiddenSize, false);
    linear(`${layer}.self_attn.o_proj`, t.hiddenSize, t.heads * t.headDim, false);
    norm(`${layer}.post_attention_layernorm`, t.hiddenSize, false);
    linear(`${layer}.mlp.gate_proj`, t.intermediateSize, t.hiddenSize, false);
    linear(`${layer}.mlp.up_proj`, t.intermediateSize, t.hiddenSize, false);
    linear(`${layer}.mlp.down_proj`, t.hiddenSize, t.intermediateSize, false);
  }
  norm('model.text_model.norm', t.hiddenSize, false);
  if (!config.tied) linear('lm_head', t.vocabSize, t.hiddenSize, false);
  return shapes;
}

/** Checks that a folder's tensors are those of its config. A tied model's extra lm_head.weight is left out. */
export function checkWeights<W extends { readonly shape: readonly number[] }>(
  config: VlmConfig,
  weights: ReadonlyMap<string, W>,
): Map<string, W> {
  const checked = new Map<string, W>();
  for (const [name, shape] of parameterShapes(config)) {
    const weight = weights.get(name);
    if (!weight) throw new UserError(`model.safetensors: no tensor ${name}; config.json asks for [${shape}]`);
    if (String(weight.shape) !== String(shape))
      throw new UserError(`model.safetensors: ${name} is [${weight.shape}]; config.json asks for [${shape}]`);
    checked.set(name, weight);
  }
  const extra = [...weights.keys()].filter(
    (name) => !checked.has(name) && !(config.tied && name === 'lm_head.weight'),
  );
  if (extra.length)
    throw new UserError(
      `model.safetensors: ${extra.length} tensors that the model has no place for, such as ${extra[0]}`,
    );
  return checked;
}

/**
 * Norm weights 1, biases 0, tables N(0, 0.02), matrices N(0, 1/fan-in), those that write into the residual stream
 * scaled down by √(2 · layers) as in GPT-2. Two choices make a tiny tower learn in hundreds of steps instead of
 * thousands: its positions start as 2-D sines and cosines (as ViTs do), and its keys start equal to its queries, so
 * that a patch first looks at its neighbours.
 */
export function initialWeights(config: VlmConfig, seed: number): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  let index = 0;
  for (const [name, shape] of parameterShapes(config)) {
    const random = new RandomStream(seed, Purpose.init, index++);
    const data = new Float32Array(sizeOf(shape));
    if (shape.length === 1) {
      if (name.endsWith('.weight')) data.fill(1);
    } else {
      const table =
        name.includes('embed_tokens') || name.includes('position_embedding') || name.startsWith('lm_head');
      const residual = /(out_proj|o_proj|fc2|down_proj)\.weight$/.test(name);
      const depth = name.startsWith(visionPrefix) ? config.vision.layers : config.text.layers;
      const std = table
        ? 0.02
        : Math.sqrt(1 / sizeOf(shape.slice(1))) / (residual ? Math.sqrt(2 * depth) : 1);
      for (let i = 0; i < data.length; i++) data[i] = std * random.normal();
    }
    if (name.endsWith('position_embedding.weight')) sinePositions(data, shape[0], shape[1]);
    if (name.startsWith(visionPrefix) && name.endsWith('k_proj.weight'))
      data.set(weights.get(name.replace('k_proj', 'q_proj'))!.data);
    weights.set(name, { shape, data });
  }
  return weights;
}

/** table [side², d]: the first half of the features tells the row, the second the column, wavelengths 2 to 2·side. */
function sinePositions(table: Float32Array, count: number, d: number): void {
  const side = Math.sqrt(count);
  const quarter = d / 4;
  for (let i = 0; i < count; i++)
    for (let axis = 0; axis < 2; axis++)
      for (let f = 0; f < quarter; f++) {
        const at = axis === 0 ? Math.floor(i / side) : i % side;
        const angle = (at * Math.PI) / side ** (f / Math.max(1, quarter - 1));
        table[i * d + axis * 2 * quarter + f] = 0.5 * Math.sin(angle);
        table[i * d + axis * 2 * quarter + quarter + f] = 0.5 * Math.cos(angle);
      }
}
