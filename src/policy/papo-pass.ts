/** PAPO's training pass, and the pass that only scores: prefixes and completions of one or two views in one plan. */
import { partialGradients } from '../ops/backward.ts';
import { gather } from '../ops/gather.ts';
import type { Graph } from '../ops/graph.ts';
import { reshape } from '../ops/reshape.ts';
import { buildHead, buildObjective, type HeadOutputs, type ObjectiveSettings } from '../papo/objective.ts';
import { type Counts, predictingRows } from './layout.ts';
import type { PolicyModel } from './model.ts';
import { gradientName } from './optimizer.ts';
import { policyGraph } from './policy-graph.ts';

/** Completions of one micro-batch: `prompts` prefixes a view, `group` completions of each, T tokens. */
export interface PassShape {
  readonly prompts: number;
  readonly prefixLength: number;
  readonly group: number;
  readonly completionLength: number;
  /** 2: the original image and the masked one. */
  readonly views: 1 | 2;
  /** Images of all prefixes of all views together; default one each. */
  readonly images?: number;
}

export interface TrainingOptions {
  readonly trainable: readonly string[];
  readonly hasOldLogps: boolean;
  readonly hasRefLogps: boolean;
  /** The masked view's log-probs are an input, constants from an earlier pass; the shape then has one view. */
  readonly hasMaskedLogps?: boolean;
  /** Gradients add to those in the store (gradient accumulation) instead of replacing them. */
  readonly accumulate: boolean;
}

/** The layout of a pass: the masked views are further prefixes behind the originals. */
export function passCounts(shape: PassShape): Counts {
  const { prompts, prefixLength, group, completionLength, views, images } = shape;
  return { prefixes: views * prompts, prefixLength, group, completionLength, images };
}

function scores(
  config: PolicyModel,
  shape: PassShape,
  detachMaskedBranch: boolean,
): { g: Graph; head: HeadOutputs } {
  const counts = passCounts(shape);
  const { g, hidden, headWeight } = policyGraph(config, counts);
  const B = shape.prompts * shape.group;
  const T = shape.completionLength;
  const rows = predictingRows(counts);
  const head = buildHead(
    g,
    {
      hidden: gather(g, hidden, g.constant(rows, [rows.length])),
      weight: headWeight,
      targets: g.input('targets', [B * T], 'i32'),
      temperature: g.input('temperature', [1, 1]),
    },
    { B, T, views: shape.views, detachMaskedBranch, chunkBytes: config.headChunkBytes },
  );
  return { g, head };
}

/** Inputs: the layout's, targets i32 [B·T], temperature. Outputs: those of the head, [B, T] each. */
export function scoreGraph(config: PolicyModel, shape: PassShape): Graph {
  const { g, head } = scores(config, shape, true);
  for (const [name, tensor] of Object.entries(head)) g.output(name, tensor);
  return g;
}

/**
 * Inputs beside those of scoreGraph: completion_mask [B, T], advantages [B, 1], num_items_in_batch [1, 1], the
 * coefficients [1, 1] each, and where asked old_per_token_logps, ref_per_token_logps and per_token_logps_masked
 * [B, T].
 * Outputs: loss, metric.<name>, and the head's. Gradients of `trainable` go to `grad.<name>`.
 */
export function trainingGraph(
  config: PolicyModel,
  shape: PassShape,
  settings: ObjectiveSettings,
  options: TrainingOptions,
): Graph {
  const { g, head } = scores(config, shape, settings.detach_masked_branch);
  const B = shape.prompts * shape.group;
  const T = shape.completionLength;
  const coefficient = (name: string) => g.input(name, [1, 1]);
  const { loss, metrics } = buildObjective(
    g,
    {
      ...head,
      ...(options.hasMaskedLogps && { per_token_logps_masked: g.input('per_token_logps_masked', [B, T]) }),
      completion_mask: g.input('completion_mask', [B, T]),
      advantages: g.input('advantages', [B, 1]),
      num_items_in_batch: coefficient('num_items_in_batch'),
      old_per_token_logps: options.hasOldLogps ? g.input('old_per_token_logps', [B, T]) : undefined,
      ref_per_token_logps: options.hasRefLogps ? g.input('ref_per_token_logps', [B, T]) : undefined,
      coefficients: {
        perception_loss_weight: coefficient('perception_loss_weight'),
        der_loss_weight1: coefficient('der_loss_weight1'),
        der_loss_weight2: coefficient('der_loss_weight2'),
        annealing_discount: coefficient('annealing_discount'),
        beta: coefficient('beta'),
      },
    },
    settings,
  );
  const parameters = options.trainable.flatMap((name) => g.variables.get(name) ?? []);
  partialGradients(g, new Map([[loss, g.scalar(1)]]), parameters).forEach((gradient, i) => {
    const { name, shape } = parameters[i];
    if (gradient)
      g.assign(gradientName(name), reshape(g, gradient, shape), options.accumulate ? 'add' : 'set');
  });
  g.output('loss', loss);
  for (const [name, tensor] of Object.entries(metrics)) g.output(`metric.${name}`, tensor);
  for (const [name, tensor] of Object.entries(head)) g.output(name, tensor);
  return g;
}
