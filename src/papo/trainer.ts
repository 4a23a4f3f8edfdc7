/**
 * One PAPO update, top to bottom: draw prompts, roll out, reward, advantages, mask, forward on both views with the
 * objective, backward, AdamW. No GPU and no page in here: the policy runs its passes on its device.
 */
import type { Example } from '../data/examples.ts';
import type { RasterImage } from '../data/raster.ts';
import type { Program, RunInputs, RunOutputs, Store } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ops/graph.ts';
import { layout, type PolicyPrompt } from '../policy/layout.ts';
import { Optimizer } from '../policy/optimizer.ts';
import { type PassShape, passCounts, scoreGraph, trainingGraph } from '../policy/papo-pass.ts';
import type { Reward } from './advantages.ts';
import { type BatchPlan, microStep, planBatches } from './batches.ts';
import type { ResolvedConfig } from './config.ts';
import { type Generation, type GenerationOptions, generate } from './generation.ts';
import { annealingDiscount, learningRateFactor, warmupUpdates } from './schedules.ts';
import { merge, scalars } from './step-metrics.ts';

/** The training prompts, by number, without end: a procedural task, or a dataset read round and round. */
export type ExampleSource = (index: number) => Example;

export interface TrainerOptions extends GenerationOptions {
  readonly config: ResolvedConfig;
  readonly examples: ExampleSource;
}

/** One prompt with its G completions, as the page and the completions table show it. */
export interface Group {
  readonly example: Example;
  readonly masked: RasterImage;
  readonly completions: string[];
  /** Token ids of each completion, without padding. */
  readonly tokens: number[][];
  readonly rewards: Record<string, Reward>[];
  readonly advantages: number[];
  /** KL[π‖π_mask] of each token, exact, nats; empty where the masked view was not needed. */
  readonly perception_kl: number[][];
}

export interface StepReport {
  /** Updates done, from 1. */
  readonly step: number;
  /** TRL's names, and ours; see docs of metrics. */
  readonly metrics: Record<string, number>;
  /** The groups of this update's last generation. */
  readonly groups: Group[];
  /** Milliseconds: rollout (with rewards and masks), score (old and reference log-probs), train, optimizer. */
  readonly timing: { rollout: number; score: number; train: number; optimizer: number; total: number };
}

export class Trainer {
  /** Updates done. */
  step = 0;
  private microSteps = 0;
  /** Prompts drawn so far: the data position. */
  private drawn = 0;
  private generation?: Generation;
  private readonly plan: BatchPlan;
  /** Completions of one prompt that share a prefix in a micro-batch: whole groups where they fit. */
  private readonly unit: number;
  /**
   * The authors take the masked view's log-probs once a generation, before its updates, as constants
   * (fsdp_workers.py:675-693, dp_actor.py:193): under their objective so do we, where the policy moves in between.
   */
  private readonly scoresMasked: boolean;
  private tokensSeen = 0;
  /** Passes that hold the settings, the optimizer's gradients or the reference: the policy's cache outlives these. */
  private readonly programs = new Map<string, Promise<Program>>();

  private constructor(
    private readonly options: TrainerOptions,
    readonly optimizer: Optimizer,
    private readonly trainable: string[],
    private readonly reference?: Store,
  ) {
    const { config } = options;
    this.plan = planBatches(config);
    this.unit = gcd(this.plan.microBatchSize, config.num_generations);
    this.scoresMasked =
      config.objective === 'authors' && config.detach_masked_branch && this.plan.needsOldLogps;
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { policy, config, reward_funcs } = options;
    const functions = Object.keys(reward_funcs).length;
    if (functions === 0) throw new UserError('reward_funcs: at least one is needed');
    const weights = config.reward_weights?.length ?? functions;
    if (weights !== functions)
      throw new UserError(
        `reward_weights: expected ${functions}, one per reward function (${Object.keys(reward_funcs).join(', ')}), got ${weights}`,
      );
    if (config.max_steps < 1)
      throw new UserError(
        `max_steps: expected at least 1, because the prompts have no end that epochs could count; got ${config.max_steps}`,
      );
    const trainable = policy.trainable({ freezeVisionTower: config.freeze_vision_tower });
    const optimizer = await Optimizer.create(policy.device, policy.weights, trainable, {
      beta1: config.adam_beta1,
      beta2: config.adam_beta2,
      epsilon: config.adam_epsilon,
      weightDecay: config.weight_decay,
      maxNorm: config.max_grad_norm,
    });
    const reference =
      config.beta > 0
        ? policy.device.createStore([...(await policy.readWeights())].map(([name, w]) => ({ name, ...w })))
        : undefined;
    return new Trainer(options, optimizer, [...trainable.keys()], reference);
  }

  get totalSteps(): number {
    return this.options.config.max_steps;
  }

  /** One optimizer update. Settings that may change while running are read here: learning rate, γ, η, temperature. */
  async update(live: Partial<LiveSettings> = {}): Promise<StepReport> {
    const given = Object.fromEntries(Object.entries(live).filter(([, value]) => value !== undefined));
    const config: ResolvedConfig = { ...this.options.config, ...given };
    const timing = { rollout: 0, score: 0, train: 0, optimizer: 0, total: 0 };
    const started = performance.now();
    const timed = async <T>(part: keyof typeof timing, work: () => Promise<T>): Promise<T> => {
      const start = performance.now();
      const result = await work();
      timing[part] += performance.now() - start;
      return result;
    };

    // What an update's micro-steps use is fixed before the first, because its loss is divided by all their tokens.
    const parts: { generation: Generation; batch: number }[] = [];
    for (let k = 0; k < this.plan.stepsPerUpdate; k++) {
      const micro = microStep(this.plan, this.microSteps + k);
      if (micro.generates || !this.generation) {
        this.generation = await timed('rollout', () => this.generate(micro.generation, config));
        const { generation } = this;
        await timed('score', () => this.score(generation, config));
      }
      parts.push({ generation: this.generation, batch: micro.microBatch });
    }
    const tokens = parts.reduce((sum, p) => sum + this.tokensOf(p.generation, p.batch), 0);

    const metrics: Record<string, number>[] = [];
    let last: { generation: Generation; order: number[]; kl?: RunOutputs[string] } | undefined;
    for (const [k, { generation, batch }] of parts.entries()) {
      const out = await timed('train', () => this.train(generation, batch, tokens, k > 0, config));
      metrics.push(scalars(out));
      last = { generation, order: generation.microBatches[batch], kl: out.kl_exact };
    }
    // Before the optimizer: a loss that is no number would leave weights that are none.
    const losses = merge(metrics);
    if (!Number.isFinite(losses.loss)) throw notFinite('loss', this.step + 1, config);
    this.microSteps += parts.length;

    const warmup = warmupUpdates(config.warmup_steps, config.max_steps);
    const factor = learningRateFactor(config.lr_scheduler_type, this.step, warmup, config.max_steps);
    const learning_rate = config.learning_rate * factor;
    const grad_norm = await timed('optimizer', () => this.optimizer.update(learning_rate));
    this.step++;
    timing.total = performance.now() - started;
    if (!Number.isFinite(grad_norm)) throw notFinite('gradient', this.step, config);

    const { generation } = last!;
    return {
      step: this.step,
      metrics: {
        ...merge([...new Set(parts.map((p) => p.generation.metrics))]),
        ...losses,
        grad_norm,
        learning_rate,
        num_tokens: this.tokensSeen,
        step_time: timing.total / 1000,
      },
      groups: this.groups(generation, last!),
      timing,
    };
  }

  private async generate(index: number, config: ResolvedConfig): Promise<Generation> {
    const draw = () => this.options.examples(this.drawn++);
    const generation = await generate(this.options, config, this.plan, this.unit, index, draw);
    const { completions, prompts } = generation;
    this.tokensSeen +=
      completions.lengths.reduce((a, b) => a + b, 0) +
      prompts.reduce((a, prompt) => a + prompt.ids.length * config.num_generations, 0);
    return generation;
  }

  private shape(generation: Generation, views: 1 | 2): PassShape {
    return {
      prompts: this.plan.microBatchSize / this.unit,
      prefixLength: generation.prefixLength,
      group: this.unit,
      completionLength: this.options.config.max_completion_length,
      views,
    };
  }

  /** A compiled pass of this trainer, made once a key. */
  private program(key: string, build: () => Graph, stores: readonly Store[]): Promise<Program> {
    let program = this.programs.get(key);
    if (!program) {
      program = this.options.policy.device.compile(build(), stores);
      // A failed compilation must not be remembered.
      program.catch(() => this.programs.delete(key));
      this.programs.set(key, program);
    }
    return program;
  }

  /** The inputs that scoring and training have in common; `views` holds the prompts of each view of the shape. */
  private inputs(
    generation: Generation,
    batch: number,
    shape: PassShape,
    views: readonly PolicyPrompt[][],
  ): RunInputs {
    const { policy, config } = this.options;
    const order = generation.microBatches[batch];
    const T = shape.completionLength;
    const of = (prompts: PolicyPrompt[]) =>
      Array.from(
        { length: shape.prompts },
        (_, u) => prompts[Math.floor(order[u * this.unit] / config.num_generations)],
      );
    const ids = gatherRows(generation.completions.ids, order, T);
    const both = new Int32Array(ids.length * shape.views);
    for (let v = 0; v < shape.views; v++) both.set(ids, v * ids.length);
    return {
      ...layout(policy.config, passCounts(shape), views.flatMap(of), policy.text.padTokenId, both),
      targets: ids,
      temperature: Float32Array.of(generation.temperature),
    };
  }

  /** Log-probs of the policy that generated (where it will be older than the one trained), and of the reference. */
  private async score(generation: Generation, config: ResolvedConfig): Promise<void> {
    const { policy } = this.options;
    const shape = this.shape(generation, 1);
    const key = `score ${JSON.stringify(shape)}`;
    const build = () => scoreGraph(policy.config, shape);
    const run = async (program: Program, batch: number, prompts = generation.prompts) => {
      const out = await program.run(this.inputs(generation, batch, shape, [prompts]));
      return Float32Array.from(out.per_token_logps);
    };
    for (let b = 0; b < generation.microBatches.length; b++) {
      if (this.plan.needsOldLogps) {
        const program = await policy.program(key, build);
        generation.oldLogps.set(b, await run(program, b));
        if (this.scoresMasked && needsMasked(config))
          generation.maskedLogps.set(b, await run(program, b, generation.maskedPrompts));
      }
      if (this.reference)
        generation.refLogps.set(b, await run(await this.program(key, build, [this.reference]), b));
    }
  }

  private async train(
    generation: Generation,
    batch: number,
    tokens: number,
    accumulate: boolean,
    config: ResolvedConfig,
  ): Promise<RunOutputs> {
    const { policy } = this.options;
    const maskedLogps = generation.maskedLogps.get(batch);
    const shape = this.shape(generation, needsMasked(config) && !maskedLogps ? 2 : 1);
    const options = {
      trainable: this.trainable,
      hasOldLogps: this.plan.needsOldLogps,
      hasRefLogps: this.reference !== undefined,
      hasMaskedLogps: needsMasked(config) && maskedLogps !== undefined,
      accumulate,
    };
    // Live settings may switch a term on or off, which is another graph; all else of the settings stays.
    const terms = [config.perception_loss_weight, config.der_loss_weight1, config.der_loss_weight2].map(
      (weight) => weight > 0,
    );
    const program = await this.program(
      `train ${JSON.stringify([shape, options.hasMaskedLogps, accumulate, terms])}`,
      () => trainingGraph(policy.config, shape, config, options),
      [policy.weights, this.optimizer.store],
    );
    const order = generation.microBatches[batch];
    const one = (x: number) => Float32Array.of(x);
    const inputs: RunInputs = {
      ...this.inputs(
        generation,
        batch,
        shape,
        [generation.prompts, generation.maskedPrompts].slice(0, shape.views),
      ),
      completion_mask: gatherRows(generation.completionMask, order, shape.completionLength),
      advantages: Float32Array.from(order, (n) => generation.advantages.advantages[n]),
      num_items_in_batch: one(Math.max(tokens, 1)),
      perception_loss_weight: one(config.perception_loss_weight),
      der_loss_weight1: one(config.der_loss_weight1),
      der_loss_weight2: one(config.der_loss_weight2),
      annealing_discount: one(annealingDiscount(this.options.config, this.step, config.max_steps)),
      beta: one(config.beta),
    };
    if (options.hasOldLogps) inputs.old_per_token_logps = generation.oldLogps.get(batch)!;
    if (options.hasRefLogps) inputs.ref_per_token_logps = generation.refLogps.get(batch)!;
    if (options.hasMaskedLogps) inputs.per_token_logps_masked = maskedLogps!;
    return program.run(inputs);
  }

  private tokensOf(generation: Generation, batch: number): number {
    const T = this.options.config.max_completion_length;
    return gatherRows(generation.completionMask, generation.microBatches[batch], T).reduce(
      (a, b) => a + b,
      0,
    );
  }

  /** The last generation as the page shows it; per-token KL where the last micro-batch measured it. */
  private groups(
    generation: Generation,
    { order, kl }: { order: number[]; kl?: RunOutputs[string] },
  ): Group[] {
    const { config, reward_funcs } = this.options;
    const names = Object.keys(reward_funcs);
    const [G, T] = [config.num_generations, config.max_completion_length];
    const { completions, advantages, rewards } = generation;
    const klOf = new Map(
      order.map((n, i) => [n, kl ? Array.from(kl.subarray(i * T, i * T + completions.lengths[n])) : []]),
    );
    return generation.examples.map((example, p) => {
      const own = Array.from({ length: G }, (_, k) => p * G + k);
      return {
        example,
        masked: generation.masked[p],
        completions: own.map((n) => completions.texts[n]),
        tokens: own.map((n) => Array.from(completions.ids.subarray(n * T, n * T + completions.lengths[n]))),
        rewards: own.map((n) => Object.fromEntries(names.map((name, i) => [name, rewards[n][i]]))),
        advantages: own.map((n) => advantages.advantages[n]),
        perception_kl: own.map((n) => klOf.get(n) ?? []),
      };
    });
  }

  dispose(): void {
    for (const program of this.programs.values())
      void program.then(
        (p) => p.dispose(),
        () => {},
      );
    this.programs.clear();
    this.optimizer.dispose();
    this.reference?.dispose();
  }
}

/** What takes effect at the next update without a new run. */
export type LiveSettings = Pick<
  ResolvedConfig,
  'learning_rate' | 'perception_loss_weight' | 'der_loss_weight1' | 'der_loss_weight2' | 'temperature'
>;

const needsMasked = (config: ResolvedConfig) =>
  config.perception_loss_weight > 0 || config.der_loss_weight2 > 0;

const notFinite = (what: string, step: number, config: ResolvedConfig) =>
  new UserError(
    `step ${step}: the ${what} is not finite; lower learning_rate (${config.learning_rate}) or perception_loss_weight (${config.perception_loss_weight})`,
  );

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function gatherRows<A extends Int32Array | Float32Array>(data: A, rows: readonly number[], width: number): A {
  const out = data.slice(0, rows.length * width) as A;
  rows.forEach((n, i) => {
    out.set(data.subarray(n * width, (n + 1) * width), i * width);
  });
  return out;
}
