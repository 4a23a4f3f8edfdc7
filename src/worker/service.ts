/** The worker's service: a model on a device, at most one run, and the runs that are kept. */
import { transfer } from 'comlink';
import type { TaskName } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import { catalogue } from './catalogue.ts';
import { Datasets } from './datasets.ts';
import { lazily } from './lazily.ts';
import { Library } from './library.ts';
import { ModelPlace } from './model-place.ts';
import type { ModelSource } from './model-protocol.ts';
import type { GroupView, RunEvent, RunRequest, TrainingService, Validation } from './protocol.ts';
import { RunHost } from './run-host.ts';
import { checkBase, type Origin } from './run-request.ts';
import { Subjects } from './subjects.ts';
import { buffersOf, rowView } from './views.ts';

export class Service implements TrainingService {
  private readonly library: Library = new Library({
    base: (info) => {
      const { model } = this.models;
      checkBase(info, model);
      return model.folder;
    },
    data: async ({ origin, settings }) => {
      const { toDataset } = await import('../trainer/inputs.ts');
      const args = new PAPOConfig(settings);
      const known = origin as unknown as Origin;
      const { train, heldOut } = await this.host.dataOf(known, args);
      return {
        train: toDataset(train, 'train', args.seed),
        heldOut: toDataset(heldOut ?? train, 'test', args.seed),
        rewards: [...known.rewards, ...(known.reward_code === undefined ? [] : ['own_reward'])],
      };
    },
  });
  private readonly data = new Datasets();
  private readonly subjects = new Subjects(() => ({
    device: this.models.device,
    model: this.models.model,
    trainer: this.host.trainer,
    openCheckpoint: async (run, step) => (await this.library.runs.read(run)).openCheckpoint(step),
    checkBase: async (run) =>
      checkBase((await (await this.library.runs.read(run)).info())!, this.models.model),
  }));
  private readonly models: ModelPlace = new ModelPlace(
    async () => {
      await this.host.stop();
      await this.host.close();
      await (await this.evaluations.made)?.leave('all');
      await this.subjects.alone(() => this.subjects.dispose());
    },
    () => this.subjects.dispose(),
  );
  private readonly host: RunHost = new RunHost({
    models: this.models,
    library: this.library,
    data: this.data,
    leaveCurrent: async () => (await this.evaluations.made)?.leave('current'),
    leaveBase: (model) =>
      this.subjects.alone(() => {
        this.subjects.dispose();
        model.leaveDevice();
      }),
  });
  // What measures and looks is loaded when it is asked for: the page and the device's runtime go first.
  private readonly evaluations = lazily(
    async () =>
      new (await import('./evaluations.ts')).Evaluations({
        subjects: this.subjects,
        heldOut: async (dataset, seed) => (await this.data.parts(dataset, seed)).heldOut,
        seedOf: async (subject) => {
          if (subject.kind !== 'run')
            return subject.kind === 'current' ? this.host.trainer?.args.seed : undefined;
          return Number((await (await this.library.runs.read(subject.run)).info())?.settings.seed);
        },
        keptRun: async (id) => {
          const run = await this.library.runs.read(id);
          return { lastStep: (await run.checkpoints()).at(-1)?.step, rows: await run.readLog() };
        },
      }),
  );
  private readonly lab = lazily(
    async () => new (await import('./lab.ts')).Lab(this.subjects, () => this.models.model?.folder),
  );
  private readonly rollouts = lazily(
    async () =>
      new (await import('./rollouts.ts')).Rollouts(() => ({
        open: (run) => this.library.runs.read(run),
        trainingData: async ({ origin, settings }) =>
          (await this.host.dataOf(origin as unknown as Origin, new PAPOConfig(settings))).train,
        folder: (model) => (this.models.model?.name === model ? this.models.model?.folder : undefined),
        ...(this.host.run?.latest && {
          latest: {
            run: this.host.store?.id ?? null,
            ...this.host.run.latest,
            written: () => this.host.trainer!.written(),
          },
        }),
      })),
  );
  private readonly rewardPreview = lazily(
    async () =>
      new (await import('./reward-preview.ts')).RewardPreview({
        sandbox: () => this.host.sandbox,
        dataset: async (id) => (await this.data.parts(id, 0)).train,
        latest: () => this.host.run?.latest?.report,
      }),
  );

  private readonly planner = lazily(async () => new (await import('./planner.ts')).Planner());

  constructor() {
    // Where storage is denied the page still trains; each save then says why it cannot be kept.
    void this.library.sweep().catch(() => undefined);
  }

  catalogue = catalogue;

  validate(request: RunRequest): Validation {
    return this.host.check(request).validation;
  }

  load: TrainingService['load'] = async (choice, device, onProgress, token) => {
    const loaded = await this.models.load(choice, device, onProgress, token);
    // By now the runtime is on its way; what trains is here before anybody can ask for it.
    void this.host.training();
    return loaded;
  };
  cancelLoad = () => this.models.cancel();
  loadedModel = () => this.models.loaded();
  cachedModels: TrainingService['cachedModels'] = async () => (await import('./open-model.ts')).keptModels();
  deleteCachedModel: TrainingService['deleteCachedModel'] = async (key) => {
    const { deleteCachedModel, keptModels } = await import('./open-model.ts');
    const kept = (await keptModels()).find((one) => one.key === key);
    const { model } = this.models;
    // Its tensors are read where they lie, whenever somebody wants them.
    if (kept && model && isSameSource(kept.source, model.source))
      throw new UserError(`${model.name} is loaded: load another model before it is deleted.`);
    await deleteCachedModel(key);
  };

  modelNeeds: TrainingService['modelNeeds'] = async (model) =>
    (await this.planner()).needsOf(model, this.device());

  lookUpModel: TrainingService['lookUpModel'] = async (id, revision, token) => {
    const { lookUpModel } = await import('../models/look-up.ts');
    const { config, ...facts } = await lookUpModel(id, revision, { ...(token && { token }) });
    return { ...facts, needs: await (await this.planner()).needsOfConfig(config, this.device()) };
  };

  plan: TrainingService['plan'] = async (request) => {
    const asked = await this.asked(request);
    return asked && (await this.planner()).plan(asked.model, asked.config, asked.train, asked.device);
  };

  estimateStep: TrainingService['estimateStep'] = async (request) => {
    const asked = await this.asked(request);
    // What trains needs the device for itself.
    if (!asked || this.host.isGoing) return null;
    const { model, config, train } = asked;
    const [{ prefixLength }, { estimate, stepWork }] = await Promise.all([
      import('./planner.ts'),
      import('./step-estimate.ts'),
    ]);
    const rates = await this.models.rates(config.num_generations);
    return estimate(stepWork(model.config, config, await prefixLength(model, config, train)), rates);
  };

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

  start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Promise<Validation> {
    return this.host.start(request, onEvent, steps);
  }

  resumeRun(id: string, onEvent: (event: RunEvent) => void, step?: number): Promise<RunRequest> {
    return this.host.resume(id, onEvent, step);
  }

  pause = () => this.host.run?.pause();
  resume = () => this.host.run?.resume();
  step = () => this.host.run?.step();
  stop = () => this.host.stop();
  saveNow = () => this.host.saveNow();
  setLive: TrainingService['setLive'] = (settings) => this.host.setLive(settings);

  runs = () => this.library.list(this.host.store?.id);
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
    if (this.host.store?.id === id) {
      if (this.host.isGoing) throw new UserError('This run is going on; stop it before it is deleted.');
      await this.host.close();
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
    async () =>
      new (await import('./data-browser.ts')).DataBrowser(this.data, () => this.models.model?.folder),
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
    this.host.sandbox = port;
  }

  setVisible(visible: boolean): void {
    this.host.setVisible(visible);
  }

  /** The parts of a question about a run of the loaded model; null where there is nothing to ask. */
  private async asked(request: RunRequest) {
    const { model, device } = this.models;
    const { config } = this.host.check(request);
    if (!model || !device || !config) return null;
    const { train } = await this.host.dataOf(request, config);
    return { model, device, config, train };
  }

  private device() {
    const { device } = this.models;
    if (!device) throw new UserError('There is no device yet: load a model first.');
    return device;
  }
}

const isSameSource = (one: ModelSource, other: ModelSource) =>
  one.kind === 'hub' && other.kind === 'hub'
    ? one.id === other.id && one.commit === other.commit
    : one.kind === 'site' && other.kind === 'site' && one.url === other.url;
