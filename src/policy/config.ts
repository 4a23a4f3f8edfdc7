/** A SmolVLM's (Idefics3's) architecture, read from config.json of a Hugging Face folder. */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';

export interface VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly layerNormEpsilon: number;
}

export interface TextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ropeTheta: number;
  readonly rmsNormEpsilon: number;
  readonly maxPositions: number;
}

export interface VlmConfig {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  /** Pixel shuffle joins scaleFactor² patches into one image token. */
  readonly scaleFactor: number;
  readonly imageTokenId: number;
  /** The head is the embedding table. */
  readonly tied: boolean;
}

type Json = Record<string, unknown>;

/** Throws UserError naming the field that is missing, of the wrong kind, or that asks for what is not built. */
export function parseVlmConfig(json: Json): VlmConfig {
  const type = json.model_type;
  if (type !== 'smolvlm' && type !== 'idefics3')
    throw new UserError(`config.json: model_type is ${show(type)}; expected "smolvlm" or "idefics3"`);
  const text = section(json, 'text_config');
  const vision = section(json, 'vision_config');
  const hiddenSize = positive(text, 'text_config', 'hidden_size');
  const heads = positive(text, 'text_config', 'num_attention_heads');
  const rope =
    optional(text, 'text_config', 'rope_parameters') ?? optional(text, 'text_config', 'rope_scaling') ?? {};
  only(rope, 'text_config.rope_parameters', 'rope_type', 'default');
  only(text, 'text_config', 'hidden_act', 'silu');
  only(text, 'text_config', 'attention_bias', false);
  only(text, 'text_config', 'mlp_bias', false);
  only(vision, 'vision_config', 'hidden_act', 'gelu_pytorch_tanh');
  only(vision, 'vision_config', 'num_channels', 3);
  const config: VlmConfig = {
    text: {
      vocabSize: positive(text, 'text_config', 'vocab_size'),
      hiddenSize,
      intermediateSize: positive(text, 'text_config', 'intermediate_size'),
      layers: positive(text, 'text_config', 'num_hidden_layers'),
      heads,
      kvHeads: positive(text, 'text_config', 'num_key_value_heads', heads),
      headDim: positive(text, 'text_config', 'head_dim', hiddenSize / heads),
      ropeTheta: real(rope.rope_theta ?? text.rope_theta ?? 10000, 'text_config.rope_theta'),
      rmsNormEpsilon: real(text.rms_norm_eps ?? 1e-6, 'text_config.rms_norm_eps'),
      maxPositions: positive(text, 'text_config', 'max_position_embeddings', 2048),
    },
    vision: {
      hiddenSize: positive(vision, 'vision_config', 'hidden_size'),
      intermediateSize: positive(vision, 'vision_config', 'intermediate_size'),
      layers: positive(vision, 'vision_config', 'num_hidden_layers'),
      heads: positive(vision, 'vision_config', 'num_attention_heads'),
      imageSize: positive(vision, 'vision_config', 'image_size'),
      patchSize: positive(vision, 'vision_config', 'patch_size'),
      layerNormEpsilon: real(vision.layer_norm_eps ?? 1e-6, 'vision_config.layer_norm_eps'),
    },
    scaleFactor: positive(json, 'config.json', 'scale_factor', 2),
    imageTokenId: positive(json, 'config.json', 'image_token_id'),
    tied: Boolean(json.tie_word_embeddings ?? text.tie_word_embeddings ?? false),
  };
  divides(config.vision.patchSize, config.vision.imageSize, 'vision_config: patch_size', 'image_size');
  divides(config.scaleFactor, patchesPerSide(config), 'scale_factor', 'the patches a side');
  divides(config.vision.heads, config.vision.hiddenSize, 'vision_config: num_attention_heads', 'hidden_size');
  divides(config.text.kvHeads, heads, 'text_config: num_key_value_heads', 'num_attention_heads');
  divides(2, config.text.headDim, '2', 'text_config: head_dim');
  if (config.imageTokenId >= config.text.vocabSize)
    throw new UserError(
      `config.json: image_token_id ${config.imageTokenId} is outside the vocabulary of ${config.text.vocabSize}`,
    );
  return config;
}

export function patchesPerSide({ vision }: VlmConfig): number {
  return vision.imageSize / vision.patchSize;
}

/** Image tokens of one image. */
export function imageTokens(config: VlmConfig): number {
  return (patchesPerSide(config) / config.scaleFactor) ** 2;
}

function section(json: Json, name: string): Json {
  const value = json[name];
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError(`config.json: ${name} must be an object, got ${show(value)}`);
  return value as Json;
}

function optional(json: Json, where: string, name: string): Json | null {
  if (json[name] === undefined || json[name] === null) return null;
  const value = json[name];
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`config.json: ${where}.${name} must be an object, got ${show(value)}`);
  return value as Json;
}

/** Far above any model that fits here; shapes and loops over layers are made of these numbers. */
const largest = 2 ** 22;
const mostLayers = 512;

function positive(json: Json, where: string, name: string, fallback?: number): number {
  const value = json[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value <= 0)
    throw new UserError(`config.json: ${where}.${name} must be a positive integer, got ${show(value)}`);
  const most = name === 'num_hidden_layers' ? mostLayers : largest;
  if (value > most)
    throw new UserError(`config.json: ${where}.${name} is ${value}; at most ${most} is possible`);
  return value;
}

function real(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
    throw new UserError(`config.json: ${name} must be a positive number, got ${show(value)}`);
  return value;
}

function only(json: Json, where: string, name: string, expected: unknown): void {
  if (json[name] !== undefined && json[name] !== null && json[name] !== expected)
    throw new UserError(
      `config.json: ${where}.${name} is ${show(json[name])}; only ${show(expected)} is built`,
    );
}

function divides(a: number, b: number, nameA: string, nameB: string): void {
  if (b % a !== 0) throw new UserError(`config.json: ${nameA} (${a}) must divide ${nameB} (${b})`);
}
