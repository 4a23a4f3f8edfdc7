/** The trainer's reports as the page draws them. */
import type { Row } from '../data/dataset.ts';
import type { Evaluation } from '../data/evaluate.ts';
import type { RasterImage } from '../data/raster.ts';
import { reduceImage } from '../data/resample.ts';
import type { TextProcessor } from '../data/tokenizer.ts';
import type { KeptGroup } from '../store/rollout-file.ts';
import type { CompletionView, GroupView, HeldOut, HistoryRow, ImageView, TokenView } from './protocol.ts';

/** RGB → a copy in RGBA. */
export function imageView({ width, height, data, prepared }: RasterImage): ImageView {
  const rgba = new Uint8ClampedArray(width * height * 4);
  // A step has dozens of images: pixel by pixel without a view for each.
  for (let i = 0, from = 0, to = 0; i < width * height; i++) {
    rgba[to++] = data[from++];
    rgba[to++] = data[from++];
    rgba[to++] = data[from++];
    rgba[to++] = 255;
  }
  return { width, height, data: rgba, ...(prepared !== undefined && { prepared }) };
}

/** Pixels; a step of photographs would be hundreds of megabytes for the page. */
const longestShown = 1024;

export function rowView(row: Row): GroupView {
  const text = (column: string) => {
    const value = row.columns[column];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    id: row.id,
    prompt: row.prompt,
    answer: row.answer,
    kind: text('kind'),
    visionDependency: text('vision_dependency'),
    image: imageView(reduceImage(row.image, longestShown)),
    completions: [],
  };
}

/** A group that is complete: what was kept of it, and what is made again. */
export interface ShownGroup extends KeptGroup {
  readonly row: Row;
  readonly masked: RasterImage;
  readonly completions: readonly string[];
}

export function groupView(group: ShownGroup, text: TextProcessor): GroupView {
  const completions = group.completions
    .map((_, k) => completionView(group, k, text))
    .sort((a, b) => b.advantage - a.advantage);
  const kls = group.perception_kl.flat();
  return {
    ...rowView(group.row),
    masked: imageView(reduceImage(group.masked, longestShown)),
    completions,
    meanKl: kls.length > 0 ? kls.reduce((a, b) => a + b, 0) / kls.length : null,
  };
}

function completionView(group: ShownGroup, k: number, text: TextProcessor): CompletionView {
  const diagnosis = group.row.diagnose?.(group.completions[k]);
  const [logps, masked] = [group.logps[k], group.masked_logps[k]];
  const [kl, entropy, ratio] = [group.perception_kl[k], group.entropy[k], group.ratio[k]];
  const texts = text.shownTokens(group.tokens[k]);
  return {
    text: group.completions[k],
    tokens: texts.map(
      (shown, t): TokenView => ({
        text: shown,
        kl: kl[t] ?? null,
        probability: logps[t] === undefined ? null : Math.exp(logps[t]),
        maskedProbability: masked[t] === undefined ? null : Math.exp(masked[t]),
        entropy: entropy[t] ?? null,
        // Without old log-probabilities the policy is the one that wrote the token.
        ratio: ratio[t] ?? (logps[t] === undefined ? null : 1),
      }),
    ),
    rewards: Object.entries(group.rewards[k]).map(([name, value]) => ({ name, value })),
    advantage: group.advantages[k],
    correct: diagnosis?.correct ?? null,
    error: diagnosis?.error ?? null,
  };
}

type Measured = Pick<
  Evaluation,
  'accuracy' | 'accuracyError' | 'perceptionErrors' | 'reasoningErrors' | 'formatErrors'
>;

export function heldOutView(step: number, questions: number, e: Measured): HeldOut {
  const { accuracy, accuracyError } = e;
  const { perceptionErrors: perception, reasoningErrors: reasoning, formatErrors: format } = e;
  if (perception === undefined || reasoning === undefined || format === undefined)
    return { step, questions, accuracy, accuracyError, shares: null };
  const sound = Math.max(0, 1 - perception - reasoning - format);
  return { step, questions, accuracy, accuracyError, shares: { sound, perception, reasoning, format } };
}

/** The same from the numbers that a run keeps. */
export function heldOutRow({ step, metrics }: HistoryRow, questions: number): HeldOut {
  const share = (cause: string): number | undefined => metrics[`eval_errors/${cause}`];
  const { eval_accuracy: accuracy, eval_accuracy_error: accuracyError } = metrics;
  return heldOutView(step, metrics.eval_samples ?? questions, {
    accuracy,
    accuracyError,
    perceptionErrors: share('perception'),
    reasoningErrors: share('reasoning'),
    formatErrors: share('format'),
  });
}

/** The pixel buffers of groups: they go to the page without a copy. */
export function buffersOf(groups: readonly GroupView[]): ArrayBuffer[] {
  return groups.flatMap(({ image, masked }) => [image.data.buffer, ...(masked ? [masked.data.buffer] : [])]);
}
