/**
 * The policy as one graph: prompts with images, and the completions of each, to hidden states.
 * Every pass (training, scoring, supervised, generation) starts here.
 */
import { gather, placeRows } from '../ops/gather.ts';
import { Graph, type Tensor } from '../ops/graph.ts';
import { type RopeTables, ropeTables } from '../ops/rope.ts';
import { imageTokens } from './config.ts';
import { decoder, type LayerCache, textAttention } from './decoder.ts';
import type { Counts } from './layout.ts';
import { type Parameters, type PolicyModel, parameters } from './model.ts';
import { embeddingName, headName } from './parameters.ts';
import { imageFeatures } from './vision.ts';

export interface PolicyGraph {
  readonly g: Graph;
  readonly w: Parameters;
  readonly tables: RopeTables;
  readonly embedding: Tensor;
  readonly headWeight: Tensor;
  /** [P·L + P·G·T, hidden], after the last norm. */
  readonly hidden: Tensor;
  /** [images · image tokens, hidden]: what the connector gives. */
  readonly imageRows: Tensor;
  /** Turned keys and values of all rows, a layer each. */
  readonly caches: LayerCache[];
  readonly keyMask: Tensor;
}

/**
 * Graph inputs (see layout.ts, which fills them): pixel_values [images, 3·S·S]; input_ids, place, positions i32 [R];
 * origin i32 [images · image tokens]; key_mask [P, L].
 */
export function policyGraph(config: PolicyModel, counts: Counts): PolicyGraph {
  const g = new Graph(config.hasBlocks);
  const w = parameters(g, config);
  const { prefixes: P, prefixLength: L, group: G, completionLength: T } = counts;
  const rows = P * L + P * G * T;
  const images = counts.images ?? P;
  const pixels = g.input('pixel_values', [images, 3 * config.vision.imageSize ** 2]);
  const ids = g.input('input_ids', [rows], 'i32');
  const place = g.input('place', [rows], 'i32');
  const origin = g.input('origin', [images * imageTokens(config)], 'i32');
  const positions = g.input('positions', [rows], 'i32');
  const keyMask = g.input('key_mask', [P, L]);

  const imageRows = imageFeatures(g, w, config, pixels);
  const embedding = w(embeddingName);
  const x = placeRows(g, gather(g, embedding, ids), imageRows, place, origin);
  const tables = ropeTables(
    g,
    L + Math.max(T, counts.extraPositions ?? 0),
    config.text.headDim,
    config.text.ropeTheta,
  );
  const { hidden, caches } = decoder(
    g,
    w,
    config,
    x,
    positions,
    keyMask,
    tables,
    textAttention(config, counts),
  );
  return { g, w, tables, embedding, headWeight: w(headName(config)), hidden, imageRows, caches, keyMask };
}
