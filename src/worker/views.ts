/** The trainer's reports as the page draws them. */
import { diagnose } from '../data/diagnose.ts';
import type { Evaluation } from '../data/evaluate.ts';
import type { Example } from '../data/examples.ts';
import type { RasterImage } from '../data/raster.ts';
import type { TextProcessor } from '../data/tokenizer.ts';
import type { Group } from '../papo/trainer.ts';
import type { CompletionView, GroupView, HeldOut, ImageView, TokenView } from './protocol.ts';

/** RGB → a copy in RGBA. */
export function imageView({ width, height, data }: RasterImage): ImageView {
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    rgba[4 * i + 3] = 255;
  }
  return { width, height, data: rgba };
}

export function exampleView(example: Example): GroupView {
  return {
    id: example.id,
    prompt: example.prompt,
    answer: example.answer,
    kind: example.kind,
    visionDependency: example.vision_dependency,
    image: imageView(example.image),
    completions: [],
  };
}

export function groupView(group: Group, text: TextProcessor): GroupView {
  const completions = group.completions
    .map((_, k) => completionView(group, k, text))
    .sort((a, b) => b.advantage - a.advantage);
  return { ...exampleView(group.example), masked: imageView(group.masked), completions };
}

function completionView(group: Group, k: number, text: TextProcessor): CompletionView {
  const { correct, error } = diagnose(group.completions[k], group.example);
  const kl = group.perception_kl[k];
  return {
    text: group.completions[k],
    tokens: group.tokens[k].map((id, t): TokenView => {
      const value = kl[t] ?? null;
      return {
        text: text.tokenText(id),
        kl: value,
        tint: value === null ? 0 : 1 - Math.exp(-Math.max(0, value)),
      };
    }),
    rewards: Object.entries(group.rewards[k]).map(([name, value]) => ({ name, value })),
    advantage: group.advantages[k],
    correct,
    error,
  };
}

export function heldOutView(step: number, questions: number, e: Evaluation): HeldOut {
  const { perceptionErrors: perception, reasoningErrors: reasoning, formatErrors: format } = e;
  const sound = Math.max(0, 1 - perception - reasoning - format);
  const { accuracy, accuracyError } = e;
  return { step, questions, accuracy, accuracyError, shares: { sound, perception, reasoning, format } };
}

/** The pixel buffers of groups: they go to the page without a copy. */
export function buffersOf(groups: readonly GroupView[]): ArrayBuffer[] {
  return groups.flatMap(({ image, masked }) => [image.data.buffer, ...(masked ? [masked.data.buffer] : [])]);
}
