/**
 * One PAPO update, top to bottom: draw prompts, roll out, reward, advantages, mask, forward on both views with the
 * objective, backward, AdamW. No GPU and no page in here: the policy runs its passes on its device.
 */
import type { Dataset, Row } from '../data/dataset.ts';
import type { RasterImage } from '../data/raster.ts';
import type { Device, Program, RunInputs, RunOutputs, Store } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ops/graph.ts';
import { imagesOf, layout, type PolicyPrompt } from '../policy/layout.ts';
import type { PassChoices } from '../policy/memory.ts';
import type { PolicyModel } from '../policy/model.ts';
import { Optimizer } from '../policy/optimizer.ts';
import { type PassShape, passCounts, scoreGraph, trainingGraph } from '../policy/papo-pass.ts';
import { isSum } from '../policy/plan.ts';
import type { Policy } from '../policy/policy.ts';
import type { RewardFailure } from '../rewards/guard.ts';
import { isJsonObject, type JsonObject } from '../store/json.ts';
import type { KeptGroup, KeptRollout } from '../store/rollout-file.ts';
import type { CheckpointTensor } from '../store/run-store.ts';
import { type BatchPlan, microStep, planBatches } from './batches.ts';
import type { ResolvedConfig } from './config.ts';
import {
  checkRewards,
  type Generation,
  type GenerationOptions,
  type Rollout,
  readPrompts,
  rollOut,
  toGeneration,
} from './generation.ts';
import { maskRecipe } from './masked-image.ts';
import { type ReadTensor, readRollout, rolloutState } from './rollout-state.ts';
import { annealingDiscount, learningRateFactor, warmupUpdates } from './schedules.ts';
import { joinPieces, merge, scalars } from './step-metrics.ts';
import { TokenValues } from './token-values.ts';

export interface TrainerOptions extends GenerationOptions {
  readonly config: ResolvedConfig;
  /** Prompts by number, without end: a procedural task, or a dataset read round and round. */
  readonly dataset: Dataset;
  /** How it goes about its passes, as the memory plan chose. */
  readonly choices?: Partial<PassChoices>;
}

/** One prompt with its G completions, as the page and the completions table show it. */
export interface Group extends KeptGroup {
  readonly row: Row;
  readonly masked: RasterImage;
  readonly completions: string[];
  /** False where an earlier update had these completions too. */
  readonly isFresh: boolean;
}

export interface StepReport {
  /** Updates done, from 1. */
  readonly step: number;
  /** TRL's names, and ours; see docs of metrics. */
  readonly metrics: Record<string, number>;
  /** The groups of the generations that this update draws on. */
  readonly groups: Group[];
  /** How their images were masked. */
  readonly mask: KeptRollout['mask'];
  /** Milliseconds: rollout (with rewards and masks), score (old and reference log-probs), train, optimizer. */
  readonly timing: { rollout: number; score: number; train: number; optimizer: number; total: number };
  /** False where the update reused an earlier one's completions. */
  readonly generated: boolean;
  /** False where loss or gradient was no finite number: then the weights are what they were. */
  readonly updated: boolean;
  /** What went wrong in reward functions for the first time, and whether they gave nothing at all. */
  readonly rewardFailures: readonly RewardFailure[];
  readonly rewardsFailed: boolean;
}

/** See Trainer.snapshot: `weights/<name>` or `adapter/<name>`, `optimizer/m.<name>`, `optimizer/v.<name>`, `reference/<name>`, `generation/…`. */
export interface Snapshot {
  readonly state: JsonObject;
  readonly tensors: Map<string, CheckpointTensor>;
}

export class Trainer {
  /** Updates done. */
  step = 0;
  private microSteps = 0;
  /** Prompts drawn so far: the data position. */
  drawn = 0;
  private generation?: Generation;
  private readonly plan: BatchPlan;
  /** Completions of one prompt that share a prefix in a micro-batch: whole groups where they fit. */
  private readonly unit: number;
  /** Completions of one pass, and those of one prompt among them that share a prefix: see PassChoices.pieces. */
  private readonly pieceSize: number;
  private readonly pieceUnit: number;
  /**
   * The authors take the masked view's log-probs once a generation, before its updates, as constants
   * (fsdp_workers.py:675-693, dp_actor.py:193): under their objective so do we, where the policy moves in between.
   */
  private readonly scoresMasked: boolean;
  /** The backward pass computes each layer's activations again. */
  private readonly recomputes: boolean;
  private tokensSeen = 0;
  /** Updates whose loss or gradient was no finite number. */
  private skipped = 0;
  /** The update or snapshot that goes on. */
  private last: Promise<unknown> = Promise.resolve();
  /** Passes that hold the settings, the optimizer's gradients or the reference: the policy's cache outlives these. */
  private readonly programs = new Map<string, Promise<Program>>();

  private constructor(
    private readonly options: TrainerOptions,
    readonly optimizer: Optimizer,
    private readonly trainable: string[],
    private readonly reference?: Store,
  ) {
    const { config, policy } = options;
    this.plan = planBatches(config);
    this.unit = gcd(this.plan.microBatchSize, config.num_generations);
    const { pieces = 1, recompute } = options.choices ?? {};
    if (this.plan.microBatchSize % pieces !== 0 || (pieces > 1 && !isSum(config)))
      throw new Error(`a micro-batch of ${this.plan.microBatchSize} cannot be computed in ${pieces} pieces`);
    this.pieceSize = this.plan.microBatchSize / pieces;
    this.pieceUnit = gcd(this.pieceSize, this.unit);
    this.recomputes = config.gradient_checkpointing ?? recompute ?? policy.config.hasBlocks ?? false;
    this.scoresMasked =
      config.objective === 'authors' && config.detach_masked_branch && this.plan.needsOldLogps;
  }

  static async create(options: TrainerOptions): Promise<Trainer> {
    const { policy, config, rewards } = options;
    checkRewards(rewards.names, config);
    const trainable = policy.trainable({ freezeVisionTower: config.freeze_vision_tower });
    const optimizer = await Optimizer.create(policy.device, policy.trained, trainable, {
      beta1: config.adam_beta1,
      beta2: config.adam_beta2,
      epsilon: config.adam_epsilon,
      weightDecay: config.weight_decay,
      maxNorm: config.max_grad_norm,
    });
    // Without its adapter a policy is its own reference.
    const reference =
      config.beta > 0 && !policy.adapter ? await copyOf(policy.weights, policy.device) : undefined;
    return new Trainer(options, optimizer, [...trainable.keys()], reference);
  }

  /** One after the other: what is read during an update would be half of before it and half of after. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => {});
    return result;
  }

  /** One optimizer update. Settings that may change while running are read here: learning rate, γ, η, temperature. */
  update(live: Partial<LiveSettings> = {}): Promise<StepReport> {
    return this.alone(() => this.updateAlone(live));
  }

  private async updateAlone(live: Partial<LiveSettings>): Promise<StepReport> {
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
    const fresh: Generation[] = [];
    for (let k = 0; k < this.plan.stepsPerUpdate; k++) {
      const micro = microStep(this.plan, this.microSteps + k);
      if (micro.generates || !this.generation) {
        this.generation = await timed('rollout', () => this.generate(micro.generation, config));
        const { generation } = this;
        fresh.push(generation);
        await timed('score', () => this.score(generation, config));
      }
      parts.push({ generation: this.generation, batch: micro.microBatch });
    }
    const tokens = parts.reduce((sum, p) => sum + this.tokensOf(p.generation, p.batch), 0);

    const metrics: Record<string, number>[] = [];
    const values = new Map(parts.map(({ generation }) => [generation, new TokenValues()]));
    for (const [k, { generation, batch }] of parts.entries()) {
      const out = await timed('train', () => this.train(generation, batch, tokens, k > 0, config));
      metrics.push(scalars(out));
      values.get(generation)!.add(generation, batch, out);
    }
    const losses = merge(metrics);
    this.microSteps += parts.length;

    const warmup = warmupUpdates(config.warmup_steps, config.max_steps);
    const factor = learningRateFactor(config.lr_scheduler_type, this.step, warmup, config.max_steps);
    const learning_rate = config.learning_rate * factor;
    // A loss that is no number would leave weights that are none. The optimizer itself skips such gradients.
    const grad_norm = Number.isFinite(losses.loss)
      ? await timed('optimizer', () => this.optimizer.update(learning_rate))
      : Number.NaN;
    const updated = Number.isFinite(grad_norm);
    this.step++;
    if (!updated) this.skipped++;
    timing.total = performance.now() - started;

    return {
      step: this.step,
      metrics: {
        ...merge([...new Set(parts.map((p) => p.generation.metrics))]),
        ...losses,
        grad_norm,
        learning_rate,
        skipped_updates: this.skipped,
        num_tokens: this.tokensSeen,
        step_time: timing.total / 1000,
      },
      groups: [...values].flatMap(([generation, own]) =>
        this.groups(generation, own, fresh.includes(generation)),
      ),
      mask: { ...maskRecipe(this.options.policy, config), seed: config.seed },
      timing,
      generated: fresh.length > 0,
      updated,
      rewardFailures: fresh.flatMap((g) => g.failures),
      rewardsFailed: fresh.length > 0 && fresh.every((g) => g.rewardsFailed),
    };
  }

  private async generate(index: number, config: ResolvedConfig): Promise<Generation> {
    const { dataset } = this.options;
    const { rollout, ...prompts } = await rollOut(
      { ...this.options, promptsPerRun: this.options.choices?.promptsPerRun },
      config,
      this.plan,
      index,
      dataset,
      this.drawn,
    );
    this.drawn += rollout.drawn;
    const generation = toGeneration(this.options, config, this.plan, this.unit, rollout, prompts);
    this.tokensSeen +=
      generation.completions.lengths.reduce((a, b) => a + b, 0) +
      generation.inputs.reduce((a, input) => a + input.ids.length * config.num_generations, 0);
    return generation;
  }

  private shape(generation: Generation, order: readonly number[], views: 1 | 2): PassShape {
    return {
      prompts: this.pieceSize / this.pieceUnit,
      prefixLength: generation.prefixLength,
      group: this.pieceUnit,
      completionLength: this.options.config.max_completion_length,
      views,
      images: views * imagesOf(this.promptsOf(order, generation.inputs)),
    };
  }

  /** Completion numbers of each pass of a micro-batch. */
  private piecesOf(generation: Generation, batch: number): number[][] {
    const order = generation.microBatches[batch];
    return Array.from({ length: order.length / this.pieceSize }, (_, i) =>
      order.slice(i * this.pieceSize, (i + 1) * this.pieceSize),
    );
  }

  /** The prompt of each unit of a pass. */
  private promptsOf(order: readonly number[], prompts: readonly PolicyPrompt[]): PolicyPrompt[] {
    const G = this.options.config.num_generations;
    return Array.from(
      { length: order.length / this.pieceUnit },
      (_, u) => prompts[Math.floor(order[u * this.pieceUnit] / G)],
    );
  }

  /** The policy as its passes see it. */
  private get model(): PolicyModel {
    const { policy, choices } = this.options;
    return { ...policy.config, headChunkBytes: choices?.headChunkBytes };
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
    order: readonly number[],
    shape: PassShape,
    views: readonly (readonly PolicyPrompt[])[],
  ): RunInputs {
    const { policy } = this.options;
    const T = shape.completionLength;
    const of = (prompts: readonly PolicyPrompt[]) => this.promptsOf(order, prompts);
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
    const base = this.reference ?? policy.weights;
    const run = async (b: number, prompts: readonly PolicyPrompt[], stores: readonly Store[]) => {
      const T = this.options.config.max_completion_length;
      const logps = new Float32Array(this.plan.microBatchSize * T);
      for (const [i, order] of this.piecesOf(generation, b).entries()) {
        const shape = this.shape(generation, order, 1);
        const lora = stores.length > 1 ? policy.config.lora : null;
        const program = await this.program(
          `score ${JSON.stringify([shape, stores[0] === base])}`,
          () => scoreGraph({ ...this.model, lora }, shape),
          stores,
        );
        const out = await program.run(this.inputs(generation, order, shape, [prompts]));
        logps.set(out.per_token_logps, i * this.pieceSize * T);
      }
      return logps;
    };
    for (let b = 0; b < generation.microBatches.length; b++) {
      if (this.plan.needsOldLogps) {
        generation.oldLogps.set(b, await run(b, generation.inputs, policy.stores));
        if (this.scoresMasked && needsMasked(config))
          generation.maskedLogps.set(b, await run(b, generation.maskedInputs, policy.stores));
      }
      if (config.beta > 0) generation.refLogps.set(b, await run(b, generation.inputs, [base]));
    }
  }

  /** A micro-batch, in as many passes as it has pieces: their gradients add up, their outputs are joined. */
  private async train(
    generation: Generation,
    batch: number,
    tokens: number,
    accumulate: boolean,
    config: ResolvedConfig,
  ): Promise<RunOutputs> {
    const outs: RunOutputs[] = [];
    const counts: number[] = [];
    const T = this.options.config.max_completion_length;
    for (const [i, order] of this.piecesOf(generation, batch).entries()) {
      const out = await this.trainPiece(generation, batch, i, tokens, accumulate || i > 0, config);
      // A device may use the arrays' memory again.
      outs.push(this.pieceSize === this.plan.microBatchSize ? out : copied(out));
      counts.push(gatherRows(generation.completionMask, order, T).reduce((a, b) => a + b, 0));
    }
    return outs.length === 1
      ? outs[0]
      : joinPieces(outs, counts, config.importance_sampling_level === 'sequence');
  }

  private async trainPiece(
    generation: Generation,
    batch: number,
    piece: number,
    tokens: number,
    accumulate: boolean,
    config: ResolvedConfig,
  ): Promise<RunOutputs> {
    const { policy } = this.options;
    const pieces = this.piecesOf(generation, batch);
    const order = pieces[piece];
    const maskedLogps = generation.maskedLogps.get(batch);
    const shape = this.shape(generation, order, needsMasked(config) && !maskedLogps ? 2 : 1);
    const options = {
      trainable: this.trainable,
      hasOldLogps: this.plan.needsOldLogps,
      hasRefLogps: config.beta > 0,
      hasMaskedLogps: needsMasked(config) && maskedLogps !== undefined,
      accumulate,
    };
    // Live settings may switch a term on or off, which is another graph; all else of the settings stays.
    const terms = [config.perception_loss_weight, config.der_loss_weight1, config.der_loss_weight2].map(
      (weight) => weight > 0,
    );
    // A piece is a micro-batch of its own, of as many more of them.
    const settings = {
      ...config,
      gradient_accumulation_steps: config.gradient_accumulation_steps * pieces.length,
    };
    const program = await this.program(
      `train ${JSON.stringify([shape, options.hasMaskedLogps, accumulate, terms])}`,
      () => trainingGraph({ ...this.model, hasBlocks: this.recomputes }, shape, settings, options),
      [...policy.stores, this.optimizer.store],
    );
    const one = (x: number) => Float32Array.of(x);
    const width = this.pieceSize * shape.completionLength;
    const own = (values: ReadonlyMap<number, Float32Array>) =>
      values.get(batch)!.subarray(piece * width, (piece + 1) * width);
    const inputs: RunInputs = {
      ...this.inputs(
        generation,
        order,
        shape,
        [generation.inputs, generation.maskedInputs].slice(0, shape.views),
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
    if (options.hasOldLogps) inputs.old_per_token_logps = own(generation.oldLogps);
    if (options.hasRefLogps) inputs.ref_per_token_logps = own(generation.refLogps);
    if (options.hasMaskedLogps) inputs.per_token_logps_masked = own(generation.maskedLogps);
    return program.run(inputs);
  }

  private tokensOf(generation: Generation, batch: number): number {
    const T = this.options.config.max_completion_length;
    return gatherRows(generation.completionMask, generation.microBatches[batch], T).reduce(
      (a, b) => a + b,
      0,
    );
  }

  /** A generation as the page shows it. */
  private groups(generation: Generation, values: TokenValues, isFresh: boolean): Group[] {
    const { config } = this.options;
    const { names } = this.options.rewards;
    const [G, T] = [config.num_generations, config.max_completion_length];
    const { completions, advantages, rewards, saliency } = generation;
    const patches = saliency ? saliency.length / generation.rows.length : 0;
    return generation.rows.map((row, p) => {
      const own = Array.from({ length: G }, (_, k) => p * G + k);
      return {
        row,
        prompt: generation.prompts[p],
        place: { generation: generation.index, index: p },
        ...(saliency && { saliency: saliency.subarray(p * patches, (p + 1) * patches) }),
        masked: generation.masked[p],
        completions: own.map((n) => completions.texts[n]),
        tokens: own.map((n) => Array.from(completions.ids.subarray(n * T, n * T + completions.lengths[n]))),
        rewards: own.map((n) => Object.fromEntries(names.map((name, i) => [name, rewards[n][i]]))),
        advantages: own.map((n) => advantages.advantages[n]),
        ...values.of(own),
        isFresh,
      };
    });
  }

  /**
   * Everything that the next update depends on, as it is now: a trainer with the same settings and data that takes it
   * back goes on as this one does. The arrays are copies. Waits for an update that goes on.
   */
  snapshot(): Promise<Snapshot> {
    return this.alone(() => this.snapshotAlone());
  }

  private async snapshotAlone(): Promise<Snapshot> {
    const { policy } = this.options;
    const tensors = new Map<string, CheckpointTensor>();
    const stores: [string, Store, readonly string[]][] = [
      [weightsPrefix(policy), policy.trained, policy.trained.names],
      ['optimizer', this.optimizer.store, this.moments()],
    ];
    if (this.reference) stores.push(['reference', this.reference, this.reference.names]);
    for (const [prefix, store, names] of stores)
      for (const [name, data] of await store.readMany(names))
        tensors.set(`${prefix}/${name}`, { shape: [...store.shape(name)], data });
    const state: JsonObject = {
      step: this.step,
      microSteps: this.microSteps,
      drawn: this.drawn,
      tokensSeen: this.tokensSeen,
      skipped: this.skipped,
      optimizerStep: this.optimizer.step,
      generation: null,
    };
    // Used up at the end of an update, or needed by the next one.
    if (this.generation && !microStep(this.plan, this.microSteps).generates) {
      const kept = rolloutState(this.generation);
      state.generation = kept.state;
      for (const [name, tensor] of kept.tensors) tensors.set(name, tensor);
    }
    return { state, tensors };
  }

  /** Takes a snapshot back. Throws a UserError where it belongs to another model or other settings. */
  async restore(state: JsonObject, names: ReadonlySet<string>, read: ReadTensor): Promise<void> {
    const { policy, config, dataset } = this.options;
    const take = async (prefix: string, store: Store, tensors: readonly string[]) => {
      for (const name of tensors) {
        const full = `${prefix}/${name}`;
        if (!names.has(full))
          throw new UserError(
            `the checkpoint has no ${full}; it was saved by a run with other settings, or with save_only_model`,
          );
        const { shape, data } = await read(full);
        const expected = store.shape(name);
        if (shape.length !== expected.length || shape.some((size, i) => size !== expected[i]))
          throw new UserError(`the checkpoint's ${full} is [${shape}], the model's is [${expected}]`);
        store.write(name, data as Float32Array);
      }
    };
    await take(weightsPrefix(policy), policy.trained, policy.trained.names);
    await take('optimizer', this.optimizer.store, this.moments());
    if (this.reference) await take('reference', this.reference, this.reference.names);
    const count = (name: string) => state[name] as number;
    this.step = count('step');
    this.microSteps = count('microSteps');
    this.drawn = count('drawn');
    this.tokensSeen = count('tokensSeen');
    this.skipped = count('skipped');
    this.optimizer.step = count('optimizerStep');
    this.generation = undefined;
    if (isJsonObject(state.generation)) {
      const rollout = await readRollout(state.generation, names, read);
      this.checkRollout(rollout);
      const prompts = await readPrompts(policy, dataset, rollout.prompts);
      this.generation = toGeneration(this.options, config, this.plan, this.unit, rollout, prompts);
    }
  }

  /** Throws a UserError where a rollout that updates still draw on was made with batches of another shape. */
  private checkRollout({ ids, prompts, oldLogps }: Rollout): void {
    const { max_completion_length: T } = this.options.config;
    const {
      completionsPerGeneration,
      promptsPerGeneration,
      microBatchSize,
      stepsPerGeneration,
      needsOldLogps,
    } = this.plan;
    const fits =
      ids.length === completionsPerGeneration * T &&
      prompts.length === promptsPerGeneration &&
      oldLogps.size === (needsOldLogps ? stepsPerGeneration : 0) &&
      [...oldLogps.values()].every((logps) => logps.length === microBatchSize * T);
    if (!fits)
      throw new UserError(
        'the checkpoint was saved while its completions were in use, and they do not fit these settings: ' +
          'num_generations, max_completion_length, per_device_train_batch_size, steps_per_generation and num_iterations ' +
          'must be what they were',
      );
  }

  private moments(): string[] {
    return this.trainable.flatMap((name) => [`m.${name}`, `v.${name}`]);
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

/** A checkpoint of an adapter holds the adapter alone. */
const weightsPrefix = (policy: Policy) => (policy.adapter ? 'adapter' : 'weights');

/** The store's tensors as they are now, held as they are there. */
async function copyOf(store: Store, device: Device): Promise<Store> {
  const tensors = await store.readMany(store.names);
  return device.createStore(
    [...tensors].map(([name, data]) => ({ name, shape: store.shape(name), dtype: store.dtype(name), data })),
  );
}

const needsMasked = (config: ResolvedConfig) =>
  config.perception_loss_weight > 0 || config.der_loss_weight2 > 0;

const copied = (out: RunOutputs): RunOutputs =>
  Object.fromEntries(Object.entries(out).map(([name, values]) => [name, values.slice()]));

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function gatherRows<A extends Int32Array | Float32Array>(data: A, rows: readonly number[], width: number): A {
  const out = data.slice(0, rows.length * width) as A;
  rows.forEach((n, i) => {
    out.set(data.subarray(n * width, (n + 1) * width), i * width);
  });
  return out;
}
