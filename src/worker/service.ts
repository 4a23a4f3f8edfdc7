/** The worker's service: a model on a device, at most one run, and the runs that are kept. */
import { transfer } from 'comlink';
import type { TaskName } from '../data/tasks.ts';
import { type Device, DeviceLostError } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { sameOriginUrl } from '../import/same-origin.ts';
import type { DatasetLike } from '../library.ts';
import { configToJson } from '../papo/config.ts';
import type { LiveSettings } from '../papo/trainer.ts';
import { type RewardFunction, rewardFunction } from '../rewards/rewards.ts';
import { checkRewardCode, sandboxedReward } from '../rewards/sandbox/client.ts';
import { loadModelFolder, type ModelFiles, type ModelFolder, urlFiles } from '../store/hf-folder.ts';
import type { IdbRun } from '../store/idb-run.ts';
import type { JsonObject } from '../store/json.ts';
import { openFromMemory } from '../store/open-folder.ts';
import type { CheckpointInfo, RunInfo } from '../store/run-store.ts';
import type { PAPOTrainer } from '../trainer/page-trainer.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import { catalogue, check } from './catalogue.ts';
import { checkpointFolder } from './checkpoint-folder.ts';
import { Datasets } from './datasets.ts';
import { lazily } from './lazily.ts';
import { Library } from './library.ts';
import { openDevice } from './open-device.ts';
import {
  type DeviceChoice,
  type GroupView,
  LIVE_SETTINGS,
  type Loaded,
  type LoadProgress,
  type PickedFileView,
  type RunEvent,
  type RunRequest,
  type TrainingService,
  type Validation,
} from './protocol.ts';
import { Run } from './run.ts';
import { type Origin, requestOfRun } from './run-request.ts';
import { Subjects } from './subjects.ts';
import { Timings } from './timings.ts';
import { buffersOf, rowView } from './views.ts';

/** Files that a folder of this project has; only for the share that has been read. */
const usualFiles = 9;
/** How long a GPU that was lost may take to come back. */
const gpuReturnMs = 5000;
const defaultReward = 'boxed_answer';
const codeReward = 'own_reward';

export class Service implements TrainingService {
  private device?: Device;
  private choice: DeviceChoice = 'auto';
  private folder?: ModelFolder;
  private model?: { readonly name: string; readonly url?: string };
  private timings?: Timings;
  private run?: Run;
  private trainer?: PAPOTrainer;
  private runStore?: IdbRun;
  private request?: RunRequest;
  private sandbox?: MessagePort;
  private isVisible = true;
  private readonly library = new Library();
  private readonly data = new Datasets();
  private readonly subjects = new Subjects(() => ({
    device: this.device,
    folder: this.folder,
    trainer: this.trainer,
    openCheckpoint: async (run, step) => (await this.library.runs.read(run)).openCheckpoint(step),
  }));
  // What trains, measures and looks is loaded beside the model: the page and the device's runtime go first.
  private readonly training = lazily(() => import('../trainer/page-trainer.ts'));
  private readonly evaluations = lazily(
    async () =>
      new (await import('./evaluations.ts')).Evaluations({
        subjects: this.subjects,
        heldOut: async (dataset, seed) => (await this.data.parts(dataset, seed)).heldOut,
        seedOf: async (subject) => {
          if (subject.kind !== 'run') return subject.kind === 'current' ? this.trainer?.args.seed : undefined;
          return Number((await (await this.library.runs.read(subject.run)).info())?.settings.seed);
        },
        keptRun: async (id) => {
          const run = await this.library.runs.read(id);
          return { lastStep: (await run.checkpoints()).at(-1)?.step, rows: await run.readLog() };
        },
      }),
  );
  private readonly lab = lazily(
    async () => new (await import('./lab.ts')).Lab(this.subjects, () => this.folder),
  );
  private readonly rollouts = lazily(
    async () =>
      new (await import('./rollouts.ts')).Rollouts(() => ({
        open: (run) => this.library.runs.read(run),
        trainingData: async ({ origin, settings }) =>
          (await this.dataOf(origin as unknown as Origin, new PAPOConfig(settings))).train,
        folder: (model) => (this.model?.name === model ? this.folder : undefined),
        ...(this.run?.latest && {
          latest: {
            run: this.runStore?.id ?? null,
            ...this.run.latest,
            written: () => this.trainer!.written(),
          },
        }),
      })),
  );
  private readonly rewardPreview = lazily(
    async () =>
      new (await import('./reward-preview.ts')).RewardPreview({
        sandbox: () => this.sandbox,
        dataset: async (id) => (await this.data.parts(id, 0)).train,
        latest: () => this.run?.latest?.report,
      }),
  );
  /** The run that goes on, to its end. */
  private running: Promise<void> = Promise.resolve();

  constructor() {
    // Where storage is denied the page still trains; each save then says why it cannot be kept.
    void this.library.sweep().catch(() => undefined);
  }

  catalogue = catalogue;

  validate(request: RunRequest): Validation {
    return check(request).validation;
  }

  load(url: string, choice: DeviceChoice, onProgress: (progress: LoadProgress) => void): Promise<Loaded> {
    const base = globalThis.location.href;
    const name = new URL(url, base).pathname.split('/').filter(Boolean).at(-1) ?? url;
    return this.open({ name, url }, async () => urlFiles(sameOriginUrl(url, base)), choice, onProgress);
  }

  loadFiles(
    files: PickedFileView[],
    choice: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Loaded> {
    const first = files[0]?.path ?? 'nothing';
    const name = first.includes('/') ? first.split('/')[0] : first.replace(/\.zip$/i, '');
    return this.open(
      { name },
      async () => (await import('../import/picked-files.ts')).openModelSource(files),
      choice,
      onProgress,
    );
  }

  async samples(task: string, count: number): Promise<GroupView[]> {
    const [{ exampleRow }, { generateExample }] = await Promise.all([
      import('../data/dataset.ts'),
      import('../data/examples.ts'),
    ]);
    const groups = Array.from({ length: count }, (_, i) =>
      rowView(exampleRow(generateExample(0, 'train', i, task as TaskName))),
    );
    return transfer(groups, buffersOf(groups));
  }

  async start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Promise<Validation> {
    const { folder, model } = this;
    if (!folder || !model) throw new UserError('No model is loaded, so there is nothing to train.');
    if (this.run && !this.run.isOver)
      throw new UserError('A run is going on; stop it before another starts.');
    const { config, validation } = check(request);
    if (!config) return validation;
    await this.closeRun();
    const device = await this.workingDevice();
    const args = new PAPOConfig(configToJson(config));
    const dataset = request.dataset ? await this.data.view(request.dataset) : undefined;
    const rewards = request.rewards ?? (request.rewardCode ? [] : [defaultReward]);
    const origin: Origin = {
      preset: request.preset,
      task: request.task,
      ...(dataset && { dataset: dataset.id, dataset_name: dataset.name }),
      rewards: [...rewards],
      ...(request.rewardCode && { reward_code: request.rewardCode }),
      model: model.name,
      ...(model.url && { model_url: model.url }),
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
    // Storage that is denied costs the run its checkpoints, not its life.
    const store = await this.library.runs.create(info).catch((error: Error) => {
      onEvent({ type: 'warning', message: `This run cannot be kept in this browser: ${error.message}` });
      return undefined;
    });
    this.request = request;
    await this.begin(
      { folder, device, args, origin, info, store, reward_funcs, data },
      onEvent,
      false,
      steps,
    );
    return validation;
  }

  async resumeRun(id: string, onEvent: (event: RunEvent) => void, step?: number): Promise<RunRequest> {
    if (this.run && !this.run.isOver)
      throw new UserError('A run is going on; stop it before another goes on.');
    await this.closeRun();
    const device = await this.workingDevice();
    const store = await this.library.runs.open(id);
    try {
      const info = (await store.info())!;
      const args = new PAPOConfig(info.settings);
      const origin = info.origin as unknown as Origin;
      const checkpoints = await store.checkpoints();
      const { folder, from } = await this.modelOf(store, origin, checkpoints, step);
      // Nothing was committed before it was cut off: it begins anew.
      if (from === false) await store.truncateLog(-1);
      const reward_funcs = await this.rewardsOf(origin, args);
      const data = await this.dataOf(origin, args);
      const request = requestOfRun(info);
      this.request = request;
      await this.begin({ folder, device, args, origin, info, store, reward_funcs, data }, onEvent, from);
      return request;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  pause(): void {
    this.run?.pause();
  }

  resume(): void {
    this.run?.resume();
  }

  step(): void {
    this.run?.step();
  }

  async stop(): Promise<void> {
    this.run?.stop();
    await this.running;
  }

  async saveNow(): Promise<void> {
    if (!this.run || this.run.isOver) throw new UserError('No run is going on, so there is nothing to save.');
    await this.run.saveNow();
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

  runs = () => this.library.list(this.runStore?.id);
  rolloutSteps = async (run: string | null) => (await this.rollouts()).steps(run);
  rollout = async (run: string | null, step: number) => {
    const groups = await (await this.rollouts()).groups(run, step);
    return transfer(groups, buffersOf(groups));
  };
  history = (id: string) => this.library.history(id);
  labelRun: TrainingService['labelRun'] = (id, labels) => this.library.runs.label(id, labels);
  runRequest = (id: string) => this.library.request(id);
  tryRewards: TrainingService['tryRewards'] = async (request) => (await this.rewardPreview()).try(request);
  storage = () => this.library.storage();
  exportZip: TrainingService['exportZip'] = (request, onProgress) =>
    this.library.exportZip(request, onProgress);
  exportFolder: TrainingService['exportFolder'] = (request, folder, onProgress) =>
    this.library.exportFolder(request, folder, onProgress);
  push: TrainingService['push'] = (request, onProgress) => this.library.push(request, onProgress);
  cancelTransfer = () => this.library.cancel();
  setPainter: TrainingService['setPainter'] = (paint) => {
    this.library.painter = paint;
  };

  async deleteRun(id: string): Promise<void> {
    if (this.runStore?.id === id) {
      if (this.run && !this.run.isOver)
        throw new UserError('This run is going on; stop it before it is deleted.');
      await this.closeRun();
    }
    await this.library.runs.delete(id);
  }

  importDataset: TrainingService['importDataset'] = async (files) => {
    const found = await this.data.add(files);
    return transfer(found, buffersOf(found.view.samples));
  };
  datasets = () => this.data.list();
  datasetSamples: TrainingService['datasetSamples'] = async (id) => {
    const { samples } = await this.data.view(id);
    return transfer(samples, buffersOf(samples));
  };
  removeDataset = (id: string) => this.data.remove(id);

  private readonly dataBrowser = lazily(
    async () => new (await import('./data-browser.ts')).DataBrowser(this.data, () => this.folder),
  );
  dataSamples: TrainingService['dataSamples'] = async (...args) =>
    (await this.dataBrowser()).dataSamples(...args);
  dataStatistics: TrainingService['dataStatistics'] = async (...args) =>
    (await this.dataBrowser()).dataStatistics(...args);
  datasetView: TrainingService['datasetView'] = async (...args) =>
    (await this.dataBrowser()).datasetView(...args);
  problemRows: TrainingService['problemRows'] = async (...args) =>
    (await this.dataBrowser()).problemRows(...args);
  exampleDataset: TrainingService['exampleDataset'] = async (...args) =>
    (await this.dataBrowser()).exampleDataset(...args);

  evaluate: TrainingService['evaluate'] = async (request, tell) =>
    (await this.evaluations()).evaluate(request, tell);
  cancelEvaluation = async () => (await this.evaluations.made)?.cancel();
  fixedQuestions: TrainingService['fixedQuestions'] = async (run, count) =>
    (await this.evaluations()).fixedQuestions(run, count);
  answerFixed: TrainingService['answerFixed'] = async (run, count, subject) =>
    (await this.evaluations()).answerFixed(run, count, subject);
  measureRun: TrainingService['measureRun'] = async (request, tell) =>
    (await this.evaluations()).measureRun(request, tell);
  compareRuns: TrainingService['compareRuns'] = async (pairs) =>
    (await import('./comparison.ts')).compareRuns(pairs);

  modelFacts: TrainingService['modelFacts'] = async () => (await this.lab()).modelFacts();
  example: TrainingService['example'] = async (task, index) => (await this.lab()).example(task, index);
  picture: TrainingService['picture'] = async (file) => (await this.lab()).picture(file);
  unknownWords: TrainingService['unknownWords'] = async (prompt) => (await this.lab()).unknownWords(prompt);
  maskPicture: TrainingService['maskPicture'] = async (subject, image, mask) =>
    (await this.lab()).maskPicture(subject, image, mask);
  ask: TrainingService['ask'] = async (request) => (await this.lab()).ask(request);

  setSandbox(port: MessagePort): void {
    this.sandbox = port;
  }

  setVisible(visible: boolean): void {
    this.isVisible = visible;
    this.run?.setVisible(visible);
  }

  private async open(
    model: { name: string; url?: string },
    files: () => Promise<ModelFiles>,
    choice: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Loaded> {
    this.run?.stop();
    await this.running;
    await this.closeRun();
    await (await this.evaluations.made)?.leave('all');
    this.subjects.dispose();
    this.device?.dispose();
    this.device = this.folder = this.model = undefined;
    this.choice = choice;
    onProgress({ message: 'Looking for a device', fraction: 0 });
    // Both at once: the device's code and the model come over the same wire.
    const opening = openDevice(choice).then(async (opened) => {
      this.device = opened.device;
      this.timings = await Timings.open(opened.device.label);
      return opened;
    });
    const loading = files().then((found) => loadModelFolder(watched(found, onProgress)));
    const [{ device, notice }, folder] = await both(opening, loading);
    onProgress({ message: 'Checking the model', fraction: 0.95 });
    // By now the runtime is on its way; what trains is here before anybody can ask for it.
    void this.training();
    const { Policy } = await import('../policy/policy.ts');
    Policy.inspect(openFromMemory(folder));
    this.folder = folder;
    this.model = model;
    const parameters = [...folder.weights.values()].reduce((sum, w) => sum + w.data.length, 0);
    const isOwn = model.url === undefined;
    return {
      model: model.name,
      isOwn,
      parameters,
      device: { kind: device.kind, label: device.label },
      notice,
    };
  }

  private async begin(
    parts: {
      folder: ModelFolder;
      device: Device;
      args: PAPOConfig;
      origin: Origin;
      info: RunInfo;
      store?: IdbRun;
      reward_funcs: Record<string, RewardFunction>;
      data: { train: DatasetLike; heldOut?: DatasetLike };
    },
    onEvent: (event: RunEvent) => void,
    resume: boolean | number,
    steps?: number,
  ): Promise<void> {
    const { store, data } = parts;
    const emit = (event: RunEvent) =>
      onEvent(event.type === 'step' ? transfer(event, buffersOf(event.groups)) : event);
    const run = new Run({ timings: this.timings!, emit, steps });
    run.setVisible(this.isVisible);
    const { PAPOTrainer } = await this.training();
    const trainer = new PAPOTrainer({
      model: parts.folder,
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
    this.runStore = store;
    if (store) emit({ type: 'kept', id: store.id });
    this.running = run.start(trainer, resume);
  }

  /** Ends what the last run holds: its model's place on the device, and its lock. */
  private async closeRun(): Promise<void> {
    await this.running;
    await (await this.evaluations.made)?.leave('current');
    await this.trainer?.dispose();
    await this.runStore?.close();
    this.run = this.trainer = this.runStore = undefined;
  }

  /** The device, opened anew where it was lost. */
  private async workingDevice(): Promise<Device> {
    const lost = await Promise.race([this.device?.lost, Promise.resolve('working')]);
    const old = this.device;
    if (old && !(lost instanceof DeviceLostError)) return old;
    this.subjects.dispose();
    old?.dispose();
    this.device = undefined;
    // The same kind again; where the GPU stays away, a choice left to us falls to the CPU.
    const opened = await openDevice(old?.kind === 'webgpu' ? 'webgpu' : this.choice, gpuReturnMs).catch(
      (error: unknown) => {
        if (this.choice === 'webgpu') throw error;
        return openDevice('cpu');
      },
    );
    this.device = opened.device;
    this.timings = await Timings.open(opened.device.label);
    return opened.device;
  }

  /** The model to go on with: what the last whole checkpoint holds, or what the run began with. */
  private async modelOf(
    store: IdbRun,
    origin: Origin,
    checkpoints: readonly CheckpointInfo[],
    step: number | undefined,
  ): Promise<{ folder: ModelFolder; from: boolean | number }> {
    const steps = step === undefined ? checkpoints.map((c) => c.step).toReversed() : [step];
    for (const wanted of steps) {
      try {
        return { folder: await checkpointFolder(await store.openCheckpoint(wanted)), from: step ?? true };
      } catch (error) {
        // The trainer says which checkpoints it passes over, and why.
        if (!(error instanceof UserError) || step !== undefined) throw error;
      }
    }
    if (this.folder && this.model?.name === origin.model) return { folder: this.folder, from: false };
    if (!origin.model_url)
      throw new UserError(`This run has no checkpoint yet: load its model, ${origin.model}, again first.`);
    const files = urlFiles(sameOriginUrl(origin.model_url, globalThis.location.href));
    return { folder: await loadModelFolder(files), from: false };
  }

  private async dataOf(
    { dataset, task }: Origin,
    { seed }: PAPOConfig,
  ): Promise<{ train: DatasetLike; heldOut?: DatasetLike }> {
    return dataset ? this.data.parts(dataset, seed) : { train: task as TaskName };
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

/** Both results, or the first failure once both have ended: what one of them opened can then be closed. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

/** The same files, with word of each as it is read. */
function watched(files: ModelFiles, onProgress: (progress: LoadProgress) => void): ModelFiles {
  let read = 0;
  return {
    where: files.where,
    read: (name) => {
      onProgress({ message: `Loading ${name}`, fraction: Math.min(0.9, (0.9 * read++) / usualFiles) });
      return files.read(name);
    },
  };
}
