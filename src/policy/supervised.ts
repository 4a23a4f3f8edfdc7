/** Supervised fine-tuning: the same pass with a cross-entropy head, and a loss on the image tokens alone for warm-up. */
import { partialGradients } from '../ops/backward.ts';
import { add, div, mul, neg, scale } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import type { Graph, Tensor } from '../ops/graph.ts';
import { head } from '../ops/head.ts';
import { sum } from '../ops/reduce.ts';
import type { VlmConfig } from './config.ts';
import type { Counts } from './layout.ts';
import { predictingRows } from './layout.ts';
import { gradientName } from './optimizer.ts';
import { policyGraph } from './policy-graph.ts';

/** Words that an image token should be near to: ids [P · image tokens] and weights [P · image tokens, 1]. */
export interface SupervisedOptions {
  /** Weight of the image-token loss; 0 leaves it (and its inputs) out. */
  readonly imageLoss?: number;
  /** Labels an image token: the words of its cell (colour, shape). */
  readonly imageLabels?: number;
  /** Leave the text out: the image tokens alone. */
  readonly imageOnly?: boolean;
}

/**
 * Loss = mean of −log p(target) over the completions' tokens with weight 1, plus imageLoss times the same over image
 * labels, each image token scored against the word embeddings. Inputs beside the layout's: targets i32 [P·G·T],
 * target_mask [P·G·T, 1]; with an image loss image_targets.k i32 and image_mask.k for k < imageLabels.
 * Outputs: loss, image_loss. Gradients of `trainable` go to `grad.<name>`.
 */
export function supervisedGraph(
  config: VlmConfig,
  counts: Counts,
  trainable: readonly string[],
  options: SupervisedOptions = {},
): Graph {
  const policy = policyGraph(config, counts);
  const { g, headWeight, embedding, imageRows } = policy;
  const one = g.scalar(1);
  const crossEntropy = (rows: Tensor, table: Tensor, targetsName: string, maskName: string) => {
    const targets = g.input(targetsName, [rows.shape[0]], 'i32');
    const mask = g.input(maskName, [rows.shape[0], 1]);
    const { logps } = head(g, rows, table, targets, one, 1);
    return div(g, sum(g, neg(g, mul(g, logps, mask))), sum(g, mask));
  };
  const terms: Tensor[] = [];
  if (!options.imageOnly) {
    const rows = predictingRows(counts);
    const text = crossEntropy(
      gather(g, policy.hidden, g.constant(rows, [rows.length])),
      headWeight,
      'targets',
      'target_mask',
    );
    g.output('loss', text);
    terms.push(text);
  }
  if (options.imageLoss) {
    const labels = Array.from({ length: options.imageLabels ?? 1 }, (_, k) =>
      crossEntropy(imageRows, embedding, `image_targets.${k}`, `image_mask.${k}`),
    );
    const image = scale(
      g,
      labels.reduce((a, b) => add(g, a, b)),
      1 / labels.length,
    );
    g.output('image_loss', image);
    terms.push(scale(g, image, options.imageLoss));
  }
  const loss = terms.reduce((a, b) => add(g, a, b));
  const parameters = trainable.map((name) => policy.w(name));
  partialGradients(g, new Map([[loss, one]]), parameters).forEach((gradient, i) => {
    if (gradient) g.assign(gradientName(trainable[i]), gradient);
  });
  return g;
}
