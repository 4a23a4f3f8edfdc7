/** TRL's PAPOTrainer: the one door to training, for the page, the command line, the tests, and your own code. */
import type { Dataset } from '../data/dataset.ts';
import { type Evaluation, evaluate } from '../data/evaluate.ts';
import { withFormatPrompt } from '../data/format-prompt.ts';
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { HubTarget, PushResult } from '../export/hub.ts';
import { lastPart } from '../export/last-part.ts';
import type { OutFile } from '../export/out-file.ts';
import type { RunFilesOptions } from '../export/run-files.ts';
import { planBatches, totalUpdates } from '../papo/batches.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { checkRewards, rewardArgs } from '../papo/generation.ts';
import { type LiveSettings, type StepReport, Trainer } from '../papo/trainer.ts';
import { loraOf } from '../policy/lora.ts';
import { visionPrefix } from '../policy/parameters.ts';
import type { PlanView } from '../policy/plan.ts';
import { Policy } from '../policy/policy.ts';
import { RewardGuard } from '../rewards/guard.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import type { JsonObject } from '../store/json.ts';
import { type OpenModel, openFromMemory } from '../store/open-folder.ts';
import type { CheckpointInfo, LogRow, RunInfo, RunStore, StoredCheckpoint } from '../store/run-store.ts';
import {
  type CallbackDetails,
  CallbackHandler,
  type TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks.ts';
import { checkFormatPrompt } from './check-format-prompt.ts';
import { checkMemory } from './check-memory.ts';
import { findCheckpoint } from './find-checkpoint.ts';
import { Health } from './health.ts';
import { type DatasetLike, type RewardFuncs, toDataset, toRewards, trainingPrompts } from './inputs.ts';
import { averages, completionRows, evaluationMetrics, rewardMeans } from './log-rows.ts';
import { PAPOConfig } from './papo-config.ts';
import { type PeftConfig, peftSettings } from './peft-config.ts';
import type { Platform, SaveOptions } from './platform.ts';
import { Recorder } from './recorder.ts';

export interface PAPOTrainerOptions {
  /**
   * A Hugging Face folder: where it is, in memory, or opened (its weights are read when the training begins). Or a policy
   * whose weights stay as they are, for training with LoRA: it is the caller's, and must outlive the trainer.
   */
  readonly model: string | ModelFolder | OpenModel | Policy;
  readonly reward_funcs: RewardFuncs;
  readonly args?: PAPOConfig | Record<string, unknown>;
  readonly train_dataset: DatasetLike;
  /** Default: the held-out half of a built-in task, else none. */
  readonly eval_dataset?: DatasetLike | null;
  /** The model folder brings its own tokenizer and image processor; TRL's argument is accepted as null. */
  readonly processing_class?: null;
  readonly callbacks?: readonly TrainerCallback[];
  /** PEFT's LoraConfig; the same as `use_peft` and the settings `lora_…`, which it goes over. */
  readonly peft_config?: PeftConfig | null;
  /** `auto` (default), `webgpu`, `cpu`, or a device, which stays the caller's (ours). */
  readonly device?: string | Device;
  /** Where the run is kept, instead of what output_dir names (ours). Stays open. */
  readonly store?: RunStore;
  /** The run's name in lists and on the model card; default: run_name, then output_dir (ours). */
  readonly name?: string;
  /** What a run's list shows of where it came from (ours); JSON, never a secret. */
  readonly origin?: JsonObject;
}

/** What `train` resolves to (transformers' TrainOutput). */
export interface TrainOutput {
  readonly global_step: number;
  /** Mean over the updates of this call. */
  readonly training_loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

interface Opened {
  readonly device: Device;
  readonly policy: Policy;
  /** Whose weights an adapter is on. */
  readonly base: Policy;
  readonly recorder?: Recorder;
}

/**
 * Trains a policy with PAPO. Constructed like TRL's trainer; model, device and store are opened by the first method
 * that needs them. One call of `train` at a time.
 */
export abstract class PAPOTrainer {
  readonly args: PAPOConfig;
  readonly state = new TrainerState();
  readonly control = new TrainerControl();
  /** Settings that take effect at the next update, in place of those of `args` (ours). */
  live: Partial<LiveSettings> = {};
  /** What the run holds on its device and how it goes about its passes, planned before it begins; null until then (ours). */
  plan: PlanView | null = null;

  protected abstract readonly platform: Platform;
  private readonly handler: CallbackHandler;
  private readonly train_dataset: Dataset;
  private readonly eval_dataset: Dataset | null;
  private readonly rewards: RewardGuard;
  private readonly health: Health;
  private opening?: Promise<Opened>;
  private store?: RunStore;
  private trainer?: Trainer;
  /** The whole log of this run, for the model card and the curve. */
  private rows: LogRow[] = [];
  private unlogged: Record<string, number>[] = [];
  private createdAt = Date.now();
  private deviceLabel?: string;
  /** What is known of the run's end; null while none has begun. */
  private runState: RunInfo['state'] | null = null;
  /** What a callback threw while nobody waited for it. */
  private thrown?: { readonly error: unknown };

  /** Throws a UserError for settings, rewards or datasets that cannot be used; the model is opened later. */
  constructor(private readonly options: PAPOTrainerOptions) {
    const { args = {}, peft_config, processing_class } = options;
    const settings = args instanceof PAPOConfig ? args : new PAPOConfig(args);
    this.args = peft_config
      ? new PAPOConfig({ ...settings.to_dict(), ...peftSettings(peft_config) })
      : settings;
    if (options.model instanceof Policy && !this.args.use_peft)
      throw new UserError(
        'model: a policy keeps its weights, so only adapters can be trained on it (use_peft); give its folder instead.',
      );
    if (processing_class != null)
      throw new UserError(
        'processing_class: expected null; tokenizer and image processor come from the model folder.',
      );
    const { seed } = this.args;
    const { train_dataset, eval_dataset } = options;
    const { format_prompt } = this.args;
    const data = withFormatPrompt(toDataset(train_dataset, 'train', seed), format_prompt);
    this.train_dataset = trainingPrompts(data, this.args);
    const heldOut =
      eval_dataset === undefined
        ? typeof train_dataset === 'string'
          ? toDataset(train_dataset, 'test', seed)
          : null
        : eval_dataset && toDataset(eval_dataset, 'test', seed);
    this.eval_dataset = heldOut && withFormatPrompt(heldOut, format_prompt);
    this.rewards = new RewardGuard(toRewards(options.reward_funcs), {
      // A sandbox has the same limit, and its message says more: it goes first.
      timeLimitMs: this.args.reward_timeout * 1000 + 2000,
    });
    checkRewards(this.rewards.names, this.args);
    this.state.num_train_epochs = this.args.num_train_epochs;
    this.state.max_steps = this.totalSteps(data.size);
    this.handler = new CallbackHandler([...(options.callbacks ?? [])], this.args, this.state, this.control);
    this.health = new Health(this.args, this.state, this.handler);
  }

  /** Bytes that the run holds on its device, as planned; null until it begins (ours). */
  get memory(): number | null {
    return this.plan?.total ?? null;
  }

  add_callback(callback: TrainerCallback): void {
    this.handler.callbacks.push(callback);
  }

  remove_callback(callback: TrainerCallback): void {
    const index = this.handler.callbacks.indexOf(callback);
    if (index >= 0) this.handler.callbacks.splice(index, 1);
  }

  /**
   * Trains to `max_steps`, or until a callback sets `control.should_training_stop`. `resume_from_checkpoint`: true
   * goes on from the last whole checkpoint of the run, `"checkpoint-40"` or 40 from that one; a run that is resumed
   * does what it would have done uninterrupted (bit for bit on the CPU device).
   *
   * Throws a UserError where the run cannot start, and whatever ends it; by then everything done is in the store.
   */
  async train({
    resume_from_checkpoint = this.args.resume_from_checkpoint,
  }: {
    resume_from_checkpoint?: boolean | string | number | null;
  } = {}): Promise<TrainOutput> {
    const { policy, recorder } = await this.open();
    const { args, state, control } = this;
    // The schedules need the number of updates, which for epochs only the data tell.
    const config: ResolvedConfig = { ...args, max_steps: state.max_steps };
    // Before anything changes: a start that is refused leaves run and trainer as they were.
    const from = await this.startingPoint(resume_from_checkpoint);
    this.trainer?.dispose();
    this.trainer = undefined;
    checkFormatPrompt(policy, config);
    this.plan = await checkMemory(policy, config, this.train_dataset, this.eval_dataset, {
      weightsStay: this.options.model instanceof Policy,
    });
    const trainer = await Trainer.create({
      policy,
      config,
      dataset: this.train_dataset,
      rewards: this.rewards,
      choices: this.plan.choices,
    });
    this.trainer = trainer;
    control.should_training_stop = false;
    const started = performance.now();
    let lossSum = 0;
    let losses = 0;
    let outcome: RunInfo['state'] = 'failed';
    let output: TrainOutput;
    this.runState = null;
    this.thrown = undefined;
    try {
      await this.begin(trainer, from);
      const first = state.global_step;
      await this.handler.call('on_train_begin');
      if (first === 0 && this.eval_dataset) state.log_history.push({ step: 0, ...(await this.evaluate()) });
      let beginsEpoch = this.train_dataset.epochSize !== undefined;
      while (state.global_step < state.max_steps) {
        if (beginsEpoch) await this.handler.call('on_epoch_begin');
        await this.handler.call('on_step_begin');
        if (control.should_training_stop) break;
        await recorder?.giveWay();
        const report = await trainer.update(this.live);
        if (report.updated) {
          lossSum += report.metrics.loss;
          losses++;
        }
        beginsEpoch = await this.afterUpdate(report);
      }
      outcome = state.global_step >= state.max_steps ? 'finished' : 'stopped';
      const steps = state.global_step - first;
      const seconds = (performance.now() - started) / 1000;
      const training_loss = losses > 0 ? lossSum / losses : 0;
      const metrics = {
        train_runtime: seconds,
        train_steps_per_second: steps / seconds,
        train_samples_per_second:
          (steps * args.per_device_train_batch_size * args.gradient_accumulation_steps) / seconds,
        train_loss: training_loss,
        epoch: state.epoch,
      };
      await this.handler.call('on_train_end');
      output = { global_step: state.global_step, training_loss, metrics };
    } finally {
      if (this.runState) await this.writeInfo(outcome);
      await (await this.opening)?.recorder?.settled();
    }
    this.throwThrown();
    return output;
  }

  /**
   * Answers the held-out prompts (`num_eval_samples` of them) once each. Metrics begin with `eval_`: accuracy where
   * the data have answers, its standard error, errors by cause where the world is known, and every reward's mean.
   */
  async evaluate(): Promise<Record<string, number>> {
    const { policy } = await this.open();
    const { args, state } = this;
    if (!this.eval_dataset)
      throw new UserError('evaluate: there is no eval_dataset; give one to the trainer.');
    const started = performance.now();
    const total = Math.min(args.num_eval_samples, this.eval_dataset.size);
    await this.handler.call('on_prediction_step', { done: 0, total });
    const evaluation = await evaluate(policy, {
      dataset: this.eval_dataset,
      examples: args.num_eval_samples,
      seed: args.seed,
      maxTokens: args.max_completion_length,
      temperature: this.live.temperature ?? args.temperature,
      completionsPerRun: this.plan?.choices.evaluationPromptsPerRun,
      onProgress: (done) => this.handler.call('on_prediction_step', { done, total }),
    });
    const metrics: Record<string, number> = {
      ...evaluationMetrics(evaluation),
      ...(await this.heldOutRewards(evaluation)),
      eval_samples: total,
      eval_runtime: (performance.now() - started) / 1000,
    };
    const score = Number.isFinite(metrics.eval_accuracy) ? metrics.eval_accuracy : metrics.eval_reward;
    const isBest = Number.isFinite(score) && score > (state.best_metric ?? Number.NEGATIVE_INFINITY);
    if (isBest) {
      state.best_metric = score;
      state.best_global_step = state.global_step;
      // What an untrained model scores is no checkpoint to keep.
      if (this.trainer && this.trainer.step > 0 && this.saves) this.control.should_save = true;
    }
    this.addRow({ step: state.global_step, kind: 'evaluation', metrics, completions: [] });
    await this.handler.call('on_evaluate', { metrics, evaluation });
    return metrics;
  }

  /**
   * Saves the run as it is, now, as checkpoint-<step>. Resolves when the arrays are copied; what is written follows
   * beside the training, and `on_save` tells when it is there.
   */
  async save_checkpoint(): Promise<void> {
    const { policy, recorder } = await this.open();
    const { trainer, state } = this;
    this.control.should_save = false;
    if (!recorder)
      throw new UserError('There is nowhere to save to: set output_dir, or give the trainer a store.');
    if (!trainer) throw new UserError('There is nothing to save before training has begun.');
    // Before the snapshot: while an earlier save goes on, its arrays are still held.
    await recorder.settled();
    const started = performance.now();
    const snapshot = await trainer.snapshot();
    const encoder = new TextEncoder();
    const { folder } = policy;
    const files = new Map([...folder.files, ['config.json', encoder.encode(JSON.stringify(folder.config))]]);
    for (const [name, data] of files) snapshot.tensors.set(`files/${name}`, { shape: [data.length], data });
    if (this.args.save_only_model)
      for (const name of snapshot.tensors.keys())
        if (!/^(weights|adapter|files)\//.test(name)) snapshot.tensors.delete(name);
    const { best_metric, best_global_step, epoch } = state;
    const saved: JsonObject = {
      version: 1,
      trainer: snapshot.state,
      settings: this.args.to_dict() as unknown as JsonObject,
      live: { ...this.live } as JsonObject,
      best_metric,
      best_global_step,
      epoch,
      unlogged: this.unlogged.length,
    };
    state.last_save_pause = performance.now() - started;
    await recorder.save(
      { step: state.global_step, state: saved, tensors: snapshot.tensors },
      best_global_step,
    );
    // A run that is over stays so.
    await this.writeInfo(this.runState ?? 'running');
  }

  /**
   * Writes the model as it is now as a Hugging Face folder that transformers opens: weights, tokenizer, processor,
   * training_args.json, a model card with the curve. `where`: a path in Node, a directory handle in a page; default
   * output_dir.
   */
  async save_model(
    where: unknown = this.args.output_dir,
    options: SaveOptions & RunFilesOptions = {},
  ): Promise<void> {
    if (where === null || where === undefined)
      throw new UserError('save_model: expected where to save, because output_dir is not set.');
    await this.platform.saveFiles(await this.modelFiles(options), where, options);
  }

  /**
   * Uploads what `save_model` writes to the Hub, in one commit. The token is used for these requests and kept nowhere.
   * Returns the repository's address and the commit's hash.
   */
  async push_to_hub(options: HubTarget & RunFilesOptions): Promise<PushResult> {
    const { pushToHub } = await import('../export/hub.ts');
    return pushToHub(await this.modelFiles(options), { hold: this.platform.holdFile, ...options });
  }

  /** Gives back what the trainer opened: model, device and store where they are its own. */
  async dispose(): Promise<void> {
    const opened = await this.opening?.catch(() => undefined);
    this.trainer?.dispose();
    await opened?.recorder?.settled();
    if (opened && opened.policy !== opened.base) opened.policy.dispose();
    if (opened && opened.base !== this.options.model) {
      opened.base.dispose();
      if (typeof this.options.device !== 'object') opened.device.dispose();
    }
    if (!this.options.store) await this.store?.close();
    this.opening = this.trainer = undefined;
    this.runState = null;
  }

  /** The model that is trained; opened at the first call of whatever needs it. */
  async policy(): Promise<Policy> {
    return (await this.open()).policy;
  }

  /** Runs `work` while no update goes on, so that what it sees of the weights is of one step (ours). */
  between_updates<T>(work: () => Promise<T>): Promise<T> {
    return this.trainer ? this.trainer.alone(work) : work();
  }

  /** Waits until what was done so far is in the store (ours). */
  async written(): Promise<void> {
    await (await this.opening)?.recorder?.settled();
  }

  /** Numbers of all updates and evaluations so far, those before a resume included. */
  get history(): readonly LogRow[] {
    return this.rows;
  }

  /** Whether there is anywhere to save to. Known once the trainer is open. */
  get isKept(): boolean {
    return this.store !== undefined;
  }

  /** Checkpoints of the run, oldest first. */
  async checkpoints(): Promise<CheckpointInfo[]> {
    return (await this.store?.checkpoints()) ?? [];
  }

  /** The files of save_model. */
  async modelFiles(options: RunFilesOptions): Promise<OutFile[]> {
    const { policy, recorder } = await this.open();
    await recorder?.settled();
    // In memory the log has no completions.
    const rows = options.completions && this.store ? await this.store.readLog() : this.rows;
    // What a run hands over is loaded when it is wanted: a page that trains need not wait for it.
    const [{ runFiles }, { policyContents }] = await Promise.all([
      import('../export/run-files.ts'),
      import('../export/policy-contents.ts'),
    ]);
    return runFiles(
      { ...policyContents(policy), info: this.info('finished'), rows },
      { drawPng: this.platform.drawPng, ...options },
    );
  }

  private open(): Promise<Opened> {
    this.opening ??= this.openOnce();
    // A failed opening may be tried again.
    this.opening.catch(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async openOnce(): Promise<Opened> {
    const { options, args } = this;
    const model =
      typeof options.model === 'string' ? await this.platform.openModel(options.model) : options.model;
    const device =
      model instanceof Policy
        ? model.device
        : typeof options.device === 'object'
          ? options.device
          : await this.platform.openDevice(options.device ?? 'auto');
    this.deviceLabel = device.label;
    let base: Policy | undefined;
    let policy: Policy | undefined;
    try {
      const lora = loraOf(args);
      base = model instanceof Policy ? model : await this.openPolicy(device, model);
      policy = lora ? base.adapt(lora, args.seed) : base;
      this.store =
        options.store ??
        (args.output_dir === null ? undefined : await this.platform.openRun(args.output_dir));
    } catch (error) {
      if (policy !== base) policy?.dispose();
      if (base !== model) base?.dispose();
      if (device !== options.device && base !== model) device.dispose();
      throw error;
    }
    const { store } = this;
    const recorder =
      store &&
      new Recorder({
        store,
        save_total_limit: args.save_total_limit,
        warn: (message) => this.tell('on_warning', { message }),
        onSaved: (checkpoint) => this.tell('on_save', { checkpoint }),
      });
    await this.handler.call('on_init_end');
    return { device, base, policy, recorder };
  }

  private openPolicy(device: Device, model: ModelFolder | OpenModel): Promise<Policy> {
    const { use_peft, freeze_vision_tower } = this.args;
    const trains = (name: string) => !use_peft && !(freeze_vision_tower && name.startsWith(visionPrefix));
    return Policy.open(device, 'weights' in model ? openFromMemory(model) : model, { trains });
  }

  /** The checkpoint to go on from, or null for a new run. Throws a UserError where there is none, or a run already. */
  private async startingPoint(resume: boolean | string | number | null): Promise<StoredCheckpoint | null> {
    const { store } = this;
    if (resume) {
      if (!store) throw new UserError('resume_from_checkpoint: there is no output_dir to resume from.');
      const { checkpoint, skipped } = await findCheckpoint(store, resume);
      for (const message of skipped) await this.handler.call('on_warning', { message });
      return checkpoint;
    }
    if (!store) return null;
    if ((await store.checkpoints()).length > 0)
      throw new UserError(
        `${store.where} holds a run already: go on with it (resume_from_checkpoint), or choose another output_dir.`,
      );
    if ((await store.readLog()).length > 0)
      throw new UserError(
        `${store.where} holds a run that ended before its first checkpoint: it cannot go on. Delete it, or choose ` +
          'another output_dir.',
      );
    return null;
  }

  /** From the start, or from a checkpoint. */
  private async begin(trainer: Trainer, checkpoint: StoredCheckpoint | null): Promise<void> {
    const { store, state } = this;
    state.global_step = 0;
    state.skipped_in_a_row = state.failed_rewards_in_a_row = 0;
    this.unlogged = [];
    if (store && checkpoint) {
      const kept = checkpoint.state as unknown as {
        trainer: JsonObject;
        live: Partial<LiveSettings>;
        settings: Partial<PAPOConfig>;
        best_metric: number | null;
        best_global_step: number | null;
        epoch: number;
        unlogged: number;
      };
      await trainer.restore(kept.trainer, new Set(checkpoint.tensors.keys()), (name) =>
        checkpoint.read(name),
      );
      this.live = stillLive(kept.live, kept.settings, this.args);
      Object.assign(state, {
        global_step: trainer.step,
        best_metric: kept.best_metric,
        best_global_step: kept.best_global_step,
        epoch: kept.epoch,
      });
      // Later steps are of a future that did not come to be; it is lived again. So is the evaluation of step 0.
      for (const { step } of await store.checkpoints())
        if (step > trainer.step) await store.deleteCheckpoint(step);
      await store.truncateLog(trainer.step === 0 ? -1 : trainer.step);
      this.rows = (await store.readLog()).map((row) => ({ ...row, completions: [] }));
      const updates = this.rows.filter((row) => row.kind === 'step').map((row) => row.metrics);
      this.unlogged = updates.slice(updates.length - kept.unlogged);
      state.log_history = this.rows.map(({ step, metrics }) => ({ step, ...metrics }));
      this.createdAt = (await store.info())?.createdAt ?? this.createdAt;
    } else {
      this.rows = [];
      state.log_history = [];
      state.best_metric = state.best_global_step = null;
      state.epoch = 0;
    }
    await this.writeInfo('running');
  }

  /** Resolves to whether an epoch ended. */
  private async afterUpdate(report: StepReport): Promise<boolean> {
    const { args, state, control, handler } = this;
    const { step } = report;
    const size = this.train_dataset.epochSize ?? Number.POSITIVE_INFINITY;
    const epoch = this.trainer!.drawn / size || 0;
    const endsEpoch = Math.floor(epoch) > Math.floor(state.epoch);
    state.global_step = step;
    state.epoch = epoch;
    this.addRow({
      step,
      kind: 'step',
      metrics: report.metrics,
      completions: completionRows(report),
    });
    void this.opening?.then(({ recorder }) => recorder?.keepRollout(report));
    this.unlogged.push(report.metrics);
    const isLast = step >= state.max_steps;
    const every = (strategy: 'steps' | 'epoch' | 'no', steps: number) =>
      (strategy === 'steps' && step % this.interval(steps) === 0) || (strategy === 'epoch' && endsEpoch);
    if (every(args.logging_strategy, args.logging_steps) || (step === 1 && args.logging_first_step))
      control.should_log = true;
    const isDue = isLast || (args.eval_steps !== null && step % args.eval_steps === 0);
    if (this.eval_dataset && isDue) control.should_evaluate = true;
    if (this.saves && (isLast || every(args.save_strategy, args.save_steps))) control.should_save = true;
    await handler.call('on_step_end', { report });
    if (endsEpoch) await handler.call('on_epoch_end');
    if (control.should_log) {
      control.should_log = false;
      const logs = { ...averages(this.unlogged), epoch: state.epoch };
      this.unlogged = [];
      state.log_history.push({ step, ...logs });
      await handler.call('on_log', { logs });
    }
    if (control.should_evaluate) {
      control.should_evaluate = false;
      state.log_history.push({ step, ...(await this.evaluate()) });
    }
    // After log and evaluation: a run that is held here, and saved, has all rows of this step.
    await this.health.check(report, { ...args, ...this.live });
    // Weights that give no finite loss are no point to come back to.
    if (control.should_save && state.skipped_in_a_row === 0) await this.save_checkpoint();
    control.should_save = false;
    this.throwThrown();
    return endsEpoch;
  }

  private async heldOutRewards({ rows, completions }: Evaluation): Promise<Record<string, number>> {
    const { rewards, failures } = await this.rewards.compute(rewardArgs(rows, completions, 1));
    await this.health.tellFailures(failures, 'the held-out prompts');
    return rewardMeans(rewards, this.args.reward_weights);
  }

  private addRow(row: LogRow): void {
    // Completions go to the store; in memory a long run would pile them up.
    this.rows.push({ ...row, completions: [] });
    // What is evaluated without a run belongs to none.
    if (this.runState) void this.opening?.then(({ recorder }) => recorder?.log(row));
  }

  /** Tells what happened beside the training, which does not wait; a callback's error ends it at the next update. */
  private tell(event: 'on_warning' | 'on_save', details: CallbackDetails): void {
    this.handler.call(event, details).catch((error: unknown) => {
      this.thrown ??= { error };
    });
  }

  private throwThrown(): void {
    const { thrown } = this;
    this.thrown = undefined;
    if (thrown) throw thrown.error;
  }

  private get saves(): boolean {
    return this.store !== undefined && this.args.save_strategy !== 'no';
  }

  /** save_steps and logging_steps below 1 are shares of all updates. */
  private interval(steps: number): number {
    return Math.max(1, steps < 1 ? Math.ceil(steps * this.state.max_steps) : Math.round(steps));
  }

  private totalSteps(prompts: number): number {
    const { args } = this;
    if (args.max_steps < 1 && !Number.isFinite(prompts))
      throw new UserError(
        `max_steps: expected at least 1, because the prompts have no end that epochs could count; got ${args.max_steps}`,
      );
    // A dataset smaller than one generation is gone round until it fills one.
    return Math.max(1, totalUpdates(args, planBatches(args), prompts));
  }

  private info(state: RunInfo['state']): RunInfo {
    return {
      name: this.options.name ?? this.args.run_name ?? this.args.output_dir ?? 'papo',
      createdAt: this.createdAt,
      settings: this.args.to_dict() as unknown as JsonObject,
      origin: { ...this.knownOrigin(), ...this.options.origin },
      state,
      step: this.state.global_step,
      bestStep: this.state.best_global_step,
      bestMetric: this.state.best_metric,
    };
  }

  /** What the model card says of where the run came from. */
  private knownOrigin(): JsonObject {
    const { model, train_dataset } = this.options;
    return {
      ...(typeof model === 'string' && { model: lastPart(model) }),
      ...(typeof train_dataset === 'string' && { task: train_dataset }),
      ...(this.deviceLabel && { device: this.deviceLabel }),
    };
  }

  private async writeInfo(state: RunInfo['state']): Promise<void> {
    this.runState = state;
    (await this.opening)?.recorder?.writeInfo(this.info(state));
  }
}

/** What was changed while the run went on, but for settings that whoever resumes it gives anew. */
function stillLive(
  live: Partial<LiveSettings>,
  before: Partial<PAPOConfig>,
  now: PAPOConfig,
): Partial<LiveSettings> {
  const names = Object.keys(live) as (keyof LiveSettings)[];
  return Object.fromEntries(
    names.filter((name) => before[name] === now[name]).map((name) => [name, live[name]]),
  );
}
