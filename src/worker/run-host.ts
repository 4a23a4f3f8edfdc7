/** The run of this page: at most one, begun anew or gone on with, and what its events and commands go through. */
import { transfer } from 'comlink';
import type { TaskName } from '../data/tasks.ts';
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { DatasetLike } from '../library.ts';
import { configToJson, type ResolvedConfig } from '../papo/config.ts';
import type { LiveSettings } from '../papo/trainer.ts';
import type { Policy } from '../policy/policy.ts';
import { type RewardFunction, rewardFunction } from '../rewards/rewards.ts';
import { checkRewardCode, sandboxedReward } from '../rewards/sandbox/client.ts';
import type { IdbRun } from '../store/idb-run.ts';
import type { JsonObject } from '../store/json.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { RunInfo } from '../store/run-store.ts';
import type { PAPOTrainer } from '../trainer/page-trainer.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import { type Checked, check } from './catalogue.ts';
import { checkpointFolder } from './checkpoint-folder.ts';
import type { Datasets } from './datasets.ts';
import { lazily } from './lazily.ts';
import type { Library } from './library.ts';
import type { LoadedModel } from './model.ts';
import type { ModelPlace } from './model-place.ts';
import { LIVE_SETTINGS, type RunEvent, type RunRequest, type Validation } from './protocol.ts';
import { Run } from './run.ts';
import { checkBase, type Origin, originOfModel, requestOfRun } from './run-request.ts';
import { buffersOf } from './views.ts';

const defaultReward = 'boxed_answer';
const codeReward = 'own_reward';

export interface HostPlace {
  readonly models: ModelPlace;
  readonly library: Library;
  readonly data: Datasets;
  /** Stops what asks the one that trains. */
  leaveCurrent(): Promise<void>;
  /** Takes the base from the device, once nobody asks it. */
  leaveBase(model: LoadedModel): Promise<void>;
}

interface Parts {
  readonly model: OpenModel | Policy;
  readonly device: Device;
  readonly args: PAPOConfig;
  readonly origin: Origin;
  readonly info: RunInfo;
  readonly store?: IdbRun;
  readonly reward_funcs: Record<string, RewardFunction>;
  readonly data: { readonly train: DatasetLike; readonly heldOut?: DatasetLike };
}

export class RunHost {
  run?: Run;
  trainer?: PAPOTrainer;
  store?: IdbRun;
  sandbox?: MessagePort;
  private request?: RunRequest;
  private isVisible = true;
  /** The run that goes on, to its end. */
  private running: Promise<void> = Promise.resolve();
  // What trains is loaded beside the model: the page and the device's runtime go first.
  readonly training = lazily(() => import('../trainer/page-trainer.ts'));

  constructor(private readonly place: HostPlace) {}

  get isGoing(): boolean {
    return this.run !== undefined && !this.run.isOver;
  }

  /** The settings of a request, and what of them does not go with the loaded model. */
  check(request: RunRequest): Checked {
    const checked = check(request);
    const problems = (checked.config && this.place.models.model?.problems(checked.config)) ?? [];
    if (problems.length === 0) return checked;
    return { validation: { ...checked.validation, problems } };
  }

  async start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Promise<Validation> {
    const { models, data: datasets, library } = this.place;
    const { model } = models;
    if (!model) throw new UserError('No model is loaded, so there is nothing to train.');
    if (this.isGoing) throw new UserError('A run is going on; stop it before another starts.');
    const { config, validation } = this.check(request);
    if (!config) return validation;
    await this.close();
    const device = await models.workingDevice();
    const args = new PAPOConfig(configToJson(config));
    const dataset = request.dataset ? await datasets.view(request.dataset) : undefined;
    const rewards = request.rewards ?? (request.rewardCode ? [] : [defaultReward]);
    const origin: Origin = {
      preset: request.preset,
      task: request.task,
      ...(dataset && { dataset: dataset.id, dataset_name: dataset.name }),
      rewards: [...rewards],
      ...(request.rewardCode && { reward_code: request.rewardCode }),
      ...originOfModel(model),
      device: device.label,
      total_steps: args.max_steps,
    };
    const info: RunInfo = {
      name: args.run_name ?? `${request.preset}, ${dataset?.name ?? request.task}`,
      createdAt: Date.now(),
      settings: args.to_dict() as unknown as JsonObject,
      origin: origin as unknown as JsonObject,
      state: 'running',
      step: 0,
      bestStep: null,
      bestMetric: null,
    };
    const reward_funcs = await this.rewardsOf(origin, args);
    const data = await this.dataOf(origin, args);
    const starting = await this.beginning(model, device, args);
    // Storage that is denied costs the run its checkpoints, not its life.
    const store = await library.runs.create(info).catch((error: Error) => {
      onEvent({ type: 'warning', message: `This run cannot be kept in this browser: ${error.message}` });
      return undefined;
    });
    this.request = request;
    const parts = { model: starting, device, args, origin, info, store, reward_funcs, data };
    await this.begin(parts, onEvent, false, steps);
    return validation;
  }

  async resume(id: string, onEvent: (event: RunEvent) => void, step?: number): Promise<RunRequest> {
    if (this.isGoing) throw new UserError('A run is going on; stop it before another goes on.');
    await this.close();
    const device = await this.place.models.workingDevice();
    const store = await this.place.library.runs.open(id);
    try {
      const info = (await store.info())!;
      const args = new PAPOConfig(info.settings);
      const origin = info.origin as unknown as Origin;
      const { model, from } = await this.modelOf(store, info, args, device, step);
      // Nothing was committed before it was cut off: it begins anew.
      if (from === false) await store.truncateLog(-1);
      const reward_funcs = await this.rewardsOf(origin, args);
      const data = await this.dataOf(origin, args);
      const request = requestOfRun(info);
      this.request = request;
      await this.begin({ model, device, args, origin, info, store, reward_funcs, data }, onEvent, from);
      return request;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Ends the run, and resolves when everything of it is written. */
  async stop(): Promise<void> {
    this.run?.stop();
    await this.running;
  }

  async saveNow(): Promise<void> {
    if (!this.isGoing) throw new UserError('No run is going on, so there is nothing to save.');
    await this.run!.saveNow();
  }

  setLive(settings: Readonly<Record<string, string>>): Validation {
    if (!this.trainer || !this.request)
      throw new UserError('No run is going on, so no setting of it can change.');
    const other = Object.keys(settings).filter((name) => !LIVE_SETTINGS.some((live) => live === name));
    if (other.length) throw new UserError(`${other[0]}: cannot change during a run; start a new one.`);
    const request = { ...this.request, settings: { ...this.request.settings, ...settings } };
    const { config, validation } = check(request);
    if (!config) return validation;
    this.request = request;
    const changed = Object.keys(settings) as (keyof LiveSettings)[];
    this.trainer.live = {
      ...this.trainer.live,
      ...Object.fromEntries(changed.map((name) => [name, config[name]])),
    };
    return validation;
  }

  setVisible(visible: boolean): void {
    this.isVisible = visible;
    this.run?.setVisible(visible);
  }

  /** Ends what the last run holds: its model's place on the device, and its lock. */
  async close(): Promise<void> {
    await this.running;
    await this.place.leaveCurrent();
    await this.trainer?.dispose();
    await this.store?.close();
    this.run = this.trainer = this.store = undefined;
  }

  /** What a run trains on, and what it is measured with. */
  async dataOf(
    { dataset, task }: Pick<Origin, 'dataset' | 'task'>,
    { seed }: Pick<ResolvedConfig, 'seed'>,
  ): Promise<{ train: DatasetLike; heldOut?: DatasetLike }> {
    return dataset ? this.place.data.parts(dataset, seed) : { train: task as TaskName };
  }

  private async begin(
    parts: Parts,
    onEvent: (event: RunEvent) => void,
    resume: boolean | number,
    steps?: number,
  ): Promise<void> {
    const { store, data } = parts;
    const emit = (event: RunEvent) =>
      onEvent(event.type === 'step' ? transfer(event, buffersOf(event.groups)) : event);
    const run = new Run({ timings: this.place.models.timings!, emit, steps });
    run.setVisible(this.isVisible);
    const { PAPOTrainer } = await this.training();
    const trainer = new PAPOTrainer({
      model: parts.model,
      reward_funcs: parts.reward_funcs,
      args: parts.args,
      train_dataset: data.train,
      ...(data.heldOut && { eval_dataset: data.heldOut }),
      callbacks: [run],
      device: parts.device,
      store,
      name: parts.info.name,
      origin: parts.origin as unknown as JsonObject,
    });
    this.run = run;
    this.trainer = trainer;
    this.store = store;
    if (store) emit({ type: 'kept', id: store.id });
    this.running = run.start(trainer, resume);
  }

  /** What the trainer begins with: an adapter goes on the base that is on the device; else it opens its own weights. */
  private async beginning(
    model: LoadedModel,
    device: Device,
    { use_peft }: PAPOConfig,
  ): Promise<OpenModel | Policy> {
    if (use_peft) return model.base(device);
    // Two of a large model are more than most devices hold; the base comes back when it is asked for.
    if (model.isLarge) await this.place.leaveBase(model);
    return model.folder;
  }

  /** The model to go on with: what the last whole checkpoint holds or goes on, or what the run began with. */
  private async modelOf(
    store: IdbRun,
    info: RunInfo,
    args: PAPOConfig,
    device: Device,
    step: number | undefined,
  ): Promise<{ model: OpenModel | Policy; from: boolean | number }> {
    const { model: loaded } = this.place.models;
    const checkpoints = (await store.checkpoints()).map((checkpoint) => checkpoint.step);
    for (const wanted of step === undefined ? checkpoints.toReversed() : [step]) {
      try {
        const checkpoint = await store.openCheckpoint(wanted);
        // Reading checks it.
        for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
        if (args.use_peft) {
          checkBase(info, loaded);
          return { model: await loaded.base(device), from: step ?? true };
        }
        if (loaded?.isLarge) await this.place.leaveBase(loaded);
        return { model: await checkpointFolder(checkpoint), from: step ?? true };
      } catch (error) {
        // The trainer says which checkpoints it passes over, and why.
        if (!(error instanceof UserError) || step !== undefined) throw error;
      }
    }
    checkBase(info, loaded);
    return { model: await this.beginning(loaded, device, args), from: false };
  }

  private async rewardsOf(
    { rewards, reward_code: code }: Origin,
    { reward_timeout }: PAPOConfig,
  ): Promise<Record<string, RewardFunction>> {
    const functions = Object.fromEntries(rewards.map((name) => [name, rewardFunction(name)]));
    if (code === undefined) return functions;
    if (!this.sandbox) throw new UserError('The sandbox for reward code is not open; reload the page.');
    const own = { port: this.sandbox, code, name: codeReward, timeLimitMs: reward_timeout * 1000 };
    await checkRewardCode(own);
    return { ...functions, [codeReward]: sandboxedReward(own) };
  }
}
