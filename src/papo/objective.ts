/**
 * The PAPO objective over [B, T] tensors: B completions of T tokens, padded, with a completion mask. It is written
 * once, as graph ops, so that the same lines run in float64, on the CPU and on WebGPU, and the graph's own backward
 * walk differentiates them. (The rest of papo/ imports only types from ops/; op functions build a graph and know no
 * device, so the objective may.)
 *
 * Every objective is the same sum; what differs is how a token's quantity is estimated and how tokens are weighted:
 *
 *   loss = Σ w · policy + β Σ w · KL[π‖π_ref] − γ d Σ w' · KL[π‖π_mask] + d (η1 Σ w″ · H[π] + η2 Σ w″ · H[π_mask])
 *
 *   paper    w = w' = w″ = mask / (tokens of the completion · B · accumulation), or mask / num_items_in_batch (dapo)
 *   trl      w as above; w' = w″ = 1 / (B T): no completion mask, not divided by the accumulation; entropies without
 *            gradient unless entropy_coef is set; perception KL clamped to [0, 0.2]
 *   authors  w = w' = mask / (tokens of the micro-batch · accumulation), or by completion (loss_avg_mode seq), w″
 *            always by token; −log p for entropy; log-ratios and KL clamped
 *
 * Sources: arXiv 2507.06448 Eq. 2 and 3; TRL's papo_trainer.py:213-353 at 2d4da7103; the authors' dp_actor.py:233-415
 * and core_algos.py:421-606 at fb63bf4.
 */
import { add, clamp, div, less, mul, neg, sub, where } from '../ops/elementwise.ts';
import type { Graph, Tensor } from '../ops/graph.ts';
import { quantile, sum } from '../ops/reduce.ts';
import { detach } from '../ops/reshape.ts';
import { authorsPolicy, clampLogRatios, clippedPolicy, logWeights, type Policy } from './objective/policy.ts';
import { divergence, type Estimator, notLess, type TokenWeights, tokenWeights } from './objective/tokens.ts';
import type { Settings } from './settings.ts';

export { buildHead, type HeadInputs, type HeadOutputs } from './objective/head.ts';

/** What is fixed when a graph is built. A ResolvedConfig fits. */
export interface ObjectiveSettings
  extends Pick<
    Settings,
    | 'objective'
    | 'loss_type'
    | 'loss_avg_mode'
    | 'epsilon'
    | 'delta'
    | 'dual_clip'
    | 'importance_sampling_level'
    | 'top_entropy_quantile'
    | 'perception_kl_clip'
    | 'perception_top_p'
    | 'entropy_estimator'
    | 'entropy_coef'
    | 'detach_masked_branch'
    | 'gradient_accumulation_steps'
    | 'sft_loss_coef'
  > {
  epsilon_high: number;
  perception_kl: Settings['perception_kl'] | Estimator;
  /** Estimator of the KL to the reference policy; the authors' kl_penalty. Default: k3, as everywhere. */
  ref_kl?: Estimator;
  /** A term enters the loss where its weight here is above 0; the weight itself is an input of the graph. */
  perception_loss_weight: number;
  der_loss_weight1: number;
  der_loss_weight2: number;
}

/** What may change from step to step without compiling again, [1, 1] each. */
export interface Coefficients {
  perception_loss_weight: Tensor;
  der_loss_weight1: Tensor;
  der_loss_weight2: Tensor;
  /** Multiplies the three above: schedules.ts' annealingDiscount, 1 without annealing. */
  annealing_discount: Tensor;
  beta: Tensor;
}

/** f32, [B, T] where nothing else is said. Names as in TRL. Values where completion_mask is 0 may be anything. */
export interface ObjectiveInputs {
  per_token_logps: Tensor;
  /** H[π] over the vocabulary, nats. */
  entropy: Tensor;
  /** The masked view. Absent where no term needs it, and then nothing of it is reported. */
  per_token_logps_masked?: Tensor;
  entropy_masked?: Tensor;
  /** KL[π‖π_mask] over the vocabulary, nats. */
  kl_exact?: Tensor;
  /** 1 for the tokens of a completion, 0 for padding and for completions that are left out. */
  completion_mask: Tensor;
  /** [B, 1] */
  advantages: Tensor;
  /** Absent: π is still the policy that generated, and its ratio is 1. */
  old_per_token_logps?: Tensor;
  /** Absent: no reference KL. */
  ref_per_token_logps?: Tensor;
  /** [1, 1]: the tokens of all micro-batches of the update; loss_type dapo divides by it. */
  num_items_in_batch: Tensor;
  /** [B, 1]: 1 for a correct completion, for sft_loss_coef. Absent: advantage above 0. */
  correct?: Tensor;
  coefficients: Coefficients;
}

export interface Objective {
  /** [1, 1], to be minimised: this micro-batch's share of the update's loss, so that gradients add up. */
  loss: Tensor;
  /** [1, 1] each. The `*_loss` entries are shares of the loss and sum to it. */
  metrics: Record<string, Tensor>;
}

/** Appends the objective to `g`. Throws an Error where the settings need an input that is missing. */
export function buildObjective(g: Graph, inputs: ObjectiveInputs, settings: ObjectiveSettings): Objective {
  const t = readTokens(g, inputs, settings);
  const w = tokenWeights(g, inputs.completion_mask, inputs.num_items_in_batch, settings);
  const policy = policyTerm(g, t, inputs, settings);
  const metrics: Record<string, Tensor> = {};
  const losses: Record<string, Tensor> = { policy_loss: w.policy(policy.perToken) };
  const parts: Parts = { t, w, inputs, settings, losses, metrics };

  if (t.ref) {
    const kl = divergence(g, settings.ref_kl ?? 'k3', t.logps, t.ref, settings.objective);
    losses.ref_kl_loss = mul(g, inputs.coefficients.beta, w.policy(kl));
    metrics.kl = w.mean(kl);
  }
  if (t.loss.masked || settings.perception_loss_weight > 0) addPerception(g, parts);
  addEntropies(g, parts);
  if (settings.sft_loss_coef > 0) losses.sft_loss = likelihoodTerm(g, t, inputs, settings);

  Object.assign(metrics, losses, clipMetrics(g, policy, inputs.advantages, w, settings));
  return { loss: Object.values(losses).reduce((a, b) => add(g, a, b)), metrics };
}

/** What the terms are made of, and where they are put. */
interface Parts {
  t: Tokens;
  w: TokenWeights;
  inputs: ObjectiveInputs;
  settings: ObjectiveSettings;
  losses: Record<string, Tensor>;
  metrics: Record<string, Tensor>;
}

/** Log-probabilities and entropies with padding replaced by 0, so that no inf of padding reaches a product. */
interface Tokens {
  logps: Tensor;
  old: Tensor;
  ref?: Tensor;
  entropy: Tensor;
  mask: Tensor;
  /** As the perception and entropy terms see them: TRL's see padding too. */
  loss: { logps: Tensor; masked?: Tensor; entropy: Tensor; entropyMasked?: Tensor; klExact?: Tensor };
}

function readTokens(g: Graph, inputs: ObjectiveInputs, settings: ObjectiveSettings): Tokens {
  const mask = inputs.completion_mask;
  const zero = g.scalar(0);
  const clean = (x: Tensor): Tensor => where(g, mask, x, zero);
  const perhaps = (x: Tensor | undefined, change: (x: Tensor) => Tensor) => x && change(x);
  const seen = (x: Tensor): Tensor => (settings.objective === 'trl' ? x : clean(x));
  const ofMasked = (x: Tensor): Tensor => (settings.detach_masked_branch ? detach(g, seen(x)) : seen(x));

  const logps = clean(inputs.per_token_logps);
  const entropy = clean(inputs.entropy);
  const trl = settings.objective === 'trl';
  return {
    logps,
    old: perhaps(inputs.old_per_token_logps, clean) ?? detach(g, logps),
    ref: perhaps(inputs.ref_per_token_logps, clean),
    entropy,
    mask,
    loss: {
      logps: trl ? inputs.per_token_logps : logps,
      masked: perhaps(inputs.per_token_logps_masked, ofMasked),
      entropy: trl ? inputs.entropy : entropy,
      entropyMasked: perhaps(inputs.entropy_masked, ofMasked),
      klExact: perhaps(inputs.kl_exact, seen),
    },
  };
}

function policyTerm(g: Graph, t: Tokens, inputs: ObjectiveInputs, settings: ObjectiveSettings): Policy {
  const { advantages } = inputs;
  const difference = sub(g, t.logps, t.old);
  const policy =
    settings.objective === 'authors'
      ? authorsPolicy(g, clampLogRatios(g, difference), advantages, settings)
      : clippedPolicy(g, logWeights(g, difference, t.mask, settings), advantages, settings);
  if (settings.top_entropy_quantile === 1) return policy;
  const entropy = detach(g, t.entropy);
  const threshold = quantile(g, entropy, t.mask, 1 - settings.top_entropy_quantile, false);
  return { ...policy, perToken: mul(g, policy.perToken, notLess(g, entropy, threshold)) };
}

/** −γ d Σ w' · KL: every token's KL, perhaps only the highest ones of a completion, perhaps clamped. */
function addPerception(g: Graph, { t, w, inputs, settings, losses, metrics }: Parts): void {
  const { perception_kl: estimator, perception_top_p: top, perception_kl_clip: clip, objective } = settings;
  const { masked, klExact, logps } = t.loss;
  if (!masked) throw new Error('objective: perception_loss_weight needs the masked view');
  if (estimator === 'exact' && !klExact) throw new Error('objective: perception_kl "exact" needs kl_exact');
  let kl = estimator === 'exact' ? (klExact as Tensor) : divergence(g, estimator, logps, masked, objective);
  if (top !== null) {
    const numbers = detach(g, kl);
    const threshold = quantile(g, numbers, t.mask, 1 - top, true);
    kl = where(g, notLess(g, numbers, threshold), kl, g.scalar(0));
  }
  if (clip !== null) {
    metrics.perception_clip_ratio = w.mean(less(g, g.scalar(clip), kl));
    kl = clamp(g, kl, 0, clip);
  }
  metrics.perception_kl = w.mean(kl);
  if (klExact && estimator !== 'exact') metrics.perception_kl_exact = w.mean(klExact);
  if (settings.perception_loss_weight === 0) return;
  losses.perception_loss = neg(g, mul(g, discounted(g, inputs, 'perception_loss_weight'), w.perception(kl)));
}

/** d (η1 Σ w″ · H[π] + η2 Σ w″ · H[π_mask]) */
function addEntropies(g: Graph, { t, w, inputs, settings, losses, metrics }: Parts): void {
  const { logps, masked, entropy, entropyMasked } = t.loss;
  metrics.entropy = w.mean(t.entropy);
  if (entropyMasked) metrics.entropy_masked = w.mean(entropyMasked);
  let original = entropy;
  let ofMasked = entropyMasked;
  if (settings.entropy_estimator === 'sampled') {
    original = neg(g, logps);
    ofMasked = masked && neg(g, masked);
    metrics.entropy_sampled = w.mean(original);
    if (ofMasked) metrics.entropy_masked_sampled = w.mean(ofMasked);
  } else if (settings.objective === 'trl' && settings.entropy_coef === 0) {
    original = detach(g, entropy);
    ofMasked = entropyMasked && detach(g, entropyMasked);
  }
  const terms: Tensor[] = [];
  if (settings.der_loss_weight1 > 0)
    terms.push(mul(g, discounted(g, inputs, 'der_loss_weight1'), w.entropy(original)));
  if (settings.der_loss_weight2 > 0) {
    if (!ofMasked) throw new Error('objective: der_loss_weight2 needs the masked view');
    terms.push(mul(g, discounted(g, inputs, 'der_loss_weight2'), w.entropy(ofMasked)));
  }
  if (terms.length > 0) losses.double_entropy_loss = terms.reduce((a, b) => add(g, a, b));
}

/** The weight times the annealing discount, [1, 1]. */
function discounted(
  g: Graph,
  { coefficients }: ObjectiveInputs,
  name: 'perception_loss_weight' | 'der_loss_weight1' | 'der_loss_weight2',
): Tensor {
  return mul(g, coefficients[name], coefficients.annealing_discount);
}

/** The authors' sft_loss: −log p over the tokens of correct completions, a mean over those tokens. */
function likelihoodTerm(g: Graph, t: Tokens, inputs: ObjectiveInputs, settings: ObjectiveSettings): Tensor {
  const correct = inputs.correct ?? less(g, g.scalar(0), inputs.advantages);
  const chosen = mul(g, t.mask, correct);
  const mean = div(g, sum(g, mul(g, t.logps, chosen)), add(g, sum(g, chosen), g.scalar(1e-8)));
  return mul(g, mean, g.scalar(-settings.sft_loss_coef / settings.gradient_accumulation_steps));
}

/** TRL's clip_ratio/*: shares of tokens (of completions at sequence level) whose gradient the clip cuts off. */
function clipMetrics(
  g: Graph,
  { ratio, metrics }: Policy,
  advantages: Tensor,
  w: TokenWeights,
  { epsilon, epsilon_high }: ObjectiveSettings,
): Record<string, Tensor> {
  const zero = g.scalar(0);
  const low = w.mean(mul(g, less(g, ratio, g.scalar(1 - epsilon)), less(g, advantages, zero)));
  const high = w.mean(mul(g, less(g, g.scalar(1 + epsilon_high), ratio), less(g, zero, advantages)));
  return {
    // TRL's min and max are over processes, of which there is one.
    'clip_ratio/low_mean': low,
    'clip_ratio/low_min': low,
    'clip_ratio/high_mean': high,
    'clip_ratio/high_max': high,
    'clip_ratio/region_mean': add(g, low, high),
    ...Object.fromEntries(Object.entries(metrics).map(([name, x]) => [name, w.mean(x)])),
  };
}
