/** The architectures of SmolVLM-256M and -500M, as their config.json say, for measurements without a model folder. */
import type { VlmConfig } from '../src/policy/config.ts';

const vision = {
  hiddenSize: 768,
  intermediateSize: 3072,
  layers: 12,
  heads: 12,
  imageSize: 512,
  patchSize: 16,
  layerNormEpsilon: 1e-6,
};

const text = {
  vocabSize: 49_280,
  headDim: 64,
  ropeTheta: 100_000,
  rmsNormEpsilon: 1e-5,
  maxPositions: 8192,
};

const rest = { scaleFactor: 4, imageTokenId: 49_190, tied: true };

export const smolvlm256m: VlmConfig = {
  ...{ vision, ...rest },
  text: { ...text, hiddenSize: 576, intermediateSize: 1536, layers: 30, heads: 9, kvHeads: 3 },
};

export const smolvlm500m: VlmConfig = {
  ...{ vision, ...rest },
  text: { ...text, hiddenSize: 960, intermediateSize: 2560, layers: 32, heads: 15, kvHeads: 5 },
};
