/** The page's state and what a user can do, as a store for React. The worker does the work. */
import { svgToPng } from '../export/curve-page.ts';
import { openSandbox } from '../rewards/sandbox/page.ts';
import type { Sandbox } from '../rewards/sandbox/protocol.ts';
import { type Client, callback, handOver, startWorker } from '../worker/client.ts';
import type { Loaded, ModelChoice, ModelMark } from '../worker/model-protocol.ts';
import { LIVE_SETTINGS, type RunEvent, type RunRequest } from '../worker/protocol.ts';
import { Address } from './address.ts';
import { Comparison } from './compare/comparison.ts';
import { type Core, messageOf } from './core.ts';
import { Overlay } from './curves/overlay.ts';
import { Browsing } from './data/browsing.ts';
import { FilesIn } from './data/files-in.ts';
import { EvaluateController } from './evaluate/evaluations.ts';
import { focusFirstProblem, panelOf } from './focus-problem.ts';
import { Lesson } from './lesson/lesson-controller.ts';
import { type LinkRequest, parseLink } from './link.ts';
import { Looking } from './look/looking.ts';
import { Models } from './models/models.ts';
import { Planned } from './models/planned.ts';
import type { Panel } from './panels.ts';
import { RewardTrials } from './reward/trials.ts';
import { RolloutsView } from './rollouts/controller.ts';
import { HandOver } from './runs/hand-over.ts';
import { Kept } from './runs/kept.ts';
import {
  cleared,
  type Form,
  formOf,
  initialState,
  isGoing,
  requestOf,
  type State,
  withEvent,
} from './state.ts';
import { text } from './text.ts';
import { Trying } from './try-it/trying.ts';

/** The presets of the built-in model, and of one whose frozen weights are large. */
const nanoPreset = 'papo-nano';
const largePreset = 'smolvlm-lora';

export class Session implements Core {
  state: State = initialState;
  readonly address = new Address(this);
  readonly overlay = new Overlay(this);
  readonly kept = new Kept(this, (runs) => this.overlay.follow(runs));
  readonly handOver = new HandOver(this);
  readonly reward = new RewardTrials(
    this,
    (change) => this.choose(change),
    () => this.needSandbox(),
  );
  readonly lesson = new Lesson(this);
  readonly evaluations = new EvaluateController(this);
  readonly comparison = new Comparison(this);
  readonly trying = new Trying(this);
  readonly looking = new Looking(this, () => this.trying.question);
  readonly rollouts = new RolloutsView(this);
  readonly browsing = new Browsing(this);
  readonly models = new Models(this, (choice, token) => this.loadModel(choice, token));
  readonly planned = new Planned(this);
  readonly files = new FilesIn(
    this,
    (files) => this.load({ kind: 'files', files }),
    (dataset) => this.choose({ dataset }),
  );
  /** Each warning is shown once. */
  private readonly dismissed = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private client: Client;
  private sandbox?: Promise<Sandbox>;
  private frame = 0;
  /** Only the answer to the last question asked is of interest. */
  private validations = 0;
  /** Runs begun; events of earlier ones come too late. */
  private begun = 0;

  /** `model`: the page's own, or what the address asks for. */
  constructor(
    private model: ModelChoice,
    private readonly link?: LinkRequest,
  ) {
    this.client = this.newClient();
    document.addEventListener('visibilitychange', () => {
      void this.service.setVisible(!document.hidden);
    });
    // Somebody edited the address, or followed a link to this very page.
    window.addEventListener('hashchange', () => void this.followAgain());
  }

  get service(): Client['service'] {
    return this.client.service;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): State => this.state;

  /** Asks the worker what there is to choose from, applies the link, and loads the model. */
  async open(): Promise<void> {
    await this.guarded(async () => {
      this.set({ loading: { message: text.session.startingWorker, fraction: 0 } });
      const catalogue = await this.service.catalogue();
      this.set({ catalogue });
      this.lesson.open();
      this.planned.open();
      if (this.link) this.address.follow(this.link);
      this.address.write();
      await this.connect();
      await this.validate();
      void this.kept.refresh();
      await this.load();
      this.set({ datasets: await this.service.datasets() });
    });
  }

  /** Starts over with a new worker after a failure to load. */
  async reopen(): Promise<void> {
    this.renew();
    this.set({ error: undefined, canResume: false, run: 'none' });
    await this.reconnect();
  }

  async choose(change: Partial<Form>): Promise<void> {
    if ('preset' in change) this.set({ suited: undefined });
    this.set({ form: { ...this.state.form, ...change } });
    this.address.write();
    // What is typed and ticked stands at once: a frame later React would have put it back first.
    this.tell();
    await this.guarded(async () => {
      if (change.device !== undefined) await this.load(this.state.loaded ? null : this.model);
      else await this.validate();
      if ('task' in change || 'dataset' in change) await this.showSamples();
    });
  }

  /** Another model; resolves to whether it is there. `token`: for this download, kept nowhere. */
  async loadModel(choice: ModelChoice, token?: string): Promise<boolean> {
    this.set({ error: undefined });
    await this.guarded(() => this.load(choice, token));
    return this.state.error === undefined;
  }

  cancelLoad(): void {
    void this.service.cancelLoad();
  }

  /** Takes back the preset that came with the model. */
  async unsuit(): Promise<void> {
    const { suited } = this.state;
    this.set({ suited: undefined });
    if (suited) await this.choose({ preset: suited.from });
  }

  /** A setting as typed; undefined goes back to the preset's. */
  async edit(name: string, text: string | undefined): Promise<void> {
    const { [name]: _, ...rest } = this.state.form.settings;
    const isPreset = text === undefined || text === this.state.validation?.preset[name];
    this.set({ form: { ...this.state.form, settings: isPreset ? rest : { ...rest, [name]: text } } });
    this.address.write();
    await this.guarded(async () => {
      await this.validate();
      const isLive = LIVE_SETTINGS.some((live) => live === name);
      // A comparison's runs keep their settings.
      if (this.comparison.isGoing) return;
      if (!isLive || !isGoing(this.state) || this.state.validation?.problems.length) return;
      const value = this.state.validation?.values[name];
      if (value !== undefined) await this.service.setLive({ [name]: value });
    });
  }

  goTo(panel: Panel): void {
    this.set({ panel });
    this.address.write();
  }

  toggleLesson(): void {
    this.set({ lessonIsOpen: !this.state.lessonIsOpen });
  }

  /** A start, or a step; where a setting prevents it, the reader is taken to that setting. */
  async begin(start: () => Promise<boolean>): Promise<void> {
    if (await start()) return;
    const problem = this.state.validation?.problems[0];
    if (!problem) return;
    this.goTo(panelOf(problem));
    focusFirstProblem();
  }

  async resetSettings(): Promise<void> {
    await this.choose({ settings: {} });
  }

  /**
   * Starts a run: of the form's settings, or of a comparison's; with `steps` it pauses after so many. Resolves false
   * where a setting is at fault.
   */
  async start(steps?: number, request?: RunRequest): Promise<boolean> {
    const asked = request ?? requestOf(this.state.form);
    const accepted = await this.beginning(async () => {
      this.set({ ...cleared(this.state), pending: 'start' });
      if (asked.rewardCode !== undefined) await this.needSandbox();
      const validation = await this.service.start(asked, this.receiver(), steps);
      if (!request) this.set({ validation });
      return validation.problems.length === 0;
    });
    if (accepted) void this.kept.askOnce();
    return accepted;
  }

  /** Goes on with a kept run: from its last checkpoint, or from the one of `step`. One that goes on here ends first. */
  async resumeRun(id: string, step?: number): Promise<void> {
    if (isGoing(this.state)) {
      // Stopping saves the run as it stands; what one goes back to is what was saved before.
      if (id === this.state.keptId) {
        const runs = await this.service.runs().catch(() => []);
        step ??= runs.find((run) => run.id === id)?.checkpoints.at(-1);
      }
      await this.stop();
    }
    await this.beginning(async () => {
      this.set({ pending: 'start' });
      const run = (await this.service.runs()).find((one) => one.id === id);
      await this.needBase(run?.base);
      if (run?.hasRewardCode) await this.needSandbox();
      const from = { step: step ?? run?.step ?? 0, totalSteps: run?.totalSteps ?? 1 };
      const progress = {
        ...from,
        stepsPerSecond: null,
        tokensPerSecond: null,
        secondsLeft: null,
        memory: null,
      };
      this.set({ ...cleared(this.state), pending: 'start', keptId: id, progress });
      const request = await this.service.resumeRun(id, this.receiver(), step);
      // The panels show the run that goes on.
      this.set({ form: formOf(this.state.form, request) });
      this.address.write();
      await this.validate();
      return true;
    });
  }

  /** What a kept run was begun with, in the form: for another one. */
  async duplicate(id: string): Promise<void> {
    await this.guarded(async () => {
      await this.choose(formOf(this.state.form, await this.service.runRequest(id)));
      this.goTo('train');
    });
  }

  async pause(): Promise<void> {
    this.set({ pending: 'pause' });
    await this.guarded(async () => this.service.pause());
  }

  async resume(): Promise<void> {
    this.set({ error: undefined });
    await this.guarded(async () => this.service.resume());
  }

  async step(): Promise<boolean> {
    if (!isGoing(this.state)) return this.start(1);
    this.set({ pending: 'step', error: undefined });
    await this.guarded(async () => this.service.step());
    return true;
  }

  async stop(): Promise<void> {
    this.set({ pending: 'stop' });
    await this.guarded(async () => this.service.stop());
  }

  async saveNow(): Promise<void> {
    await this.guarded(async () => this.service.saveNow());
  }

  dismissError(): void {
    this.set({ error: undefined, canResume: false });
  }

  dismissWarning(message: string): void {
    this.dismissed.add(message);
    this.set({ warnings: this.state.warnings.filter((warning) => warning !== message) });
  }

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    this.notify();
  }

  async guarded(work: () => Promise<void>): Promise<void> {
    const { client } = this;
    try {
      await work();
    } catch (error) {
      // A worker that broke down has said so itself.
      if (client === this.client) this.fail(messageOf(error));
    }
  }

  private newClient(): Client {
    return startWorker((message) => void this.crashed(message));
  }

  /** Gives the worker what only the page can do. */
  private async connect(): Promise<void> {
    await this.service.setPainter(callback((svg: string) => svgToPng(svg)));
    await this.service.setVisible(!document.hidden);
  }

  private renew(): void {
    this.client.terminate();
    void this.sandbox?.then((sandbox) => sandbox.close()).catch(() => undefined);
    this.sandbox = undefined;
    this.begun++;
    this.client = this.newClient();
    const loading = { message: text.session.startingWorker, fraction: 0 };
    this.set({ pending: undefined, loaded: undefined, activity: undefined, loading });
  }

  private async reconnect(): Promise<void> {
    await this.guarded(async () => {
      this.set({ catalogue: await this.service.catalogue() });
      await this.connect();
      await this.validate();
      await this.load();
      await this.kept.changed();
    });
  }

  /** A new worker, with the same model: a run goes on from its last checkpoint with one click. */
  private async crashed(reason: string): Promise<void> {
    const { loaded, keptId } = this.state;
    // One that did not get as far would break down again and again.
    if (!loaded) return this.fail(text.session.brokeAtStart(reason));
    const wasTraining = isGoing(this.state) || this.state.pending === 'start';
    this.renew();
    this.set({
      run: wasTraining ? 'failed' : this.state.run,
      canResume: wasTraining && keptId !== undefined,
      error: wasTraining ? text.session.brokeInRun(reason) : text.session.broke(reason),
    });
    await this.reconnect();
  }

  /** null: the model that is there, on another device. Where it fails, what was there stays, or comes back. */
  private async load(choice: ModelChoice | null = this.model, token?: string): Promise<void> {
    const before = this.state.loaded;
    this.set({ loaded: undefined, loading: { message: text.session.loading, fraction: 0 } });
    const onProgress = callback((loading: State['loading']) => {
      if (!this.state.loaded) this.set({ loading });
    });
    let loaded: Loaded;
    try {
      loaded = await this.service.load(choice, this.state.form.device, onProgress, token);
    } catch (error) {
      await this.comeBack(choice, before);
      throw error;
    }
    this.model = choice ?? this.model;
    // A failed run stays on show: it can be resumed.
    const run = this.state.canResume ? this.state.run : 'none';
    this.set({ loaded, loading: undefined, run });
    if (choice) this.suit(loaded, before);
    await this.validate();
    if (this.state.groups.length === 0) await this.showSamples();
  }

  private async comeBack(failed: ModelChoice | null, before: Loaded | undefined): Promise<void> {
    const still = await this.service.loadedModel();
    if (still) this.set({ loaded: still, loading: undefined });
    else if (before && failed && failed !== this.model) await this.load(this.model);
  }

  /** The preset that goes with the model, where the other model's was set; the visitor may take it back. */
  private suit(loaded: Loaded, before: Loaded | undefined): void {
    const { form } = this.state;
    const to = loaded.isLarge ? largePreset : nanoPreset;
    const isOther = form.preset === (loaded.isLarge ? nanoPreset : largePreset);
    // What a link asks for goes with the model that it finds.
    const isAsked = !before && !loaded.isLarge;
    const isOurs = loaded.isLarge || loaded.source.kind === 'built-in';
    if (!isOther || isAsked || !isOurs || before?.mark === loaded.mark) {
      this.set({ suited: undefined });
      return;
    }
    this.set({ form: { ...form, preset: to }, suited: { from: form.preset, to, model: loaded.name } });
    this.address.write();
  }

  /** The model that a run goes on with, loaded where it is not; the visitor's own files only the visitor can give again. */
  private async needBase(base: ModelMark | null | undefined): Promise<void> {
    const { loaded } = this.state;
    if (!base || base.source.kind === 'files') return;
    if (base.mark === '' ? loaded?.name === base.name : loaded?.mark === base.mark) return;
    await this.load(base.source);
  }

  private async showSamples(): Promise<void> {
    const { task, dataset } = this.state.form;
    const groups =
      dataset === undefined
        ? await this.service.samples(task, 4)
        : (await this.service.datasetSamples(dataset)).slice(0, 4);
    if (!isGoing(this.state)) this.set({ groups });
  }

  private async validate(): Promise<void> {
    const number = ++this.validations;
    const validation = await this.service.validate(requestOf(this.state.form));
    if (number === this.validations) this.set({ validation });
  }

  /** The address was edited: what it asks for now. */
  private async followAgain(): Promise<void> {
    if (isGoing(this.state) || !this.state.catalogue) return;
    await this.guarded(async () => {
      const { device } = this.state.form;
      this.address.follow(parseLink(location));
      await this.validate();
      if (this.state.form.device !== device) await this.load(this.state.loaded ? null : this.model);
    });
  }

  /** The frame in which reward code runs, opened when some is switched on. */
  private async needSandbox(): Promise<void> {
    this.sandbox ??= openSandbox().then(async (sandbox) => {
      await this.service.setSandbox(handOver(sandbox.port));
      return sandbox;
    });
    try {
      await this.sandbox;
    } catch (error) {
      this.sandbox = undefined;
      throw error;
    }
  }

  private receiver(): (event: RunEvent) => void {
    const run = ++this.begun;
    return callback((event: RunEvent) => {
      if (run !== this.begun) return;
      if (event.type === 'warning' && this.dismissed.has(event.message)) return;
      this.state = withEvent(this.state, event);
      this.notify();
      const isOver = event.type === 'state' && !isGoing(this.state);
      if (event.type === 'kept' || event.type === 'saved' || isOver) void this.kept.changed();
    });
  }

  /** Draws once a frame, however many events come; at once in a hidden tab, which has no frames. */
  private notify(): void {
    if (document.hidden) this.tell();
    else if (!this.frame) this.frame = requestAnimationFrame(() => this.tell());
  }

  private tell(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    for (const listener of this.listeners) listener();
  }

  private fail(message: string): void {
    this.set({ error: message, loading: undefined, pending: undefined });
  }

  /** A run that does not come about leaves the page as it was. */
  private async beginning(work: () => Promise<boolean>): Promise<boolean> {
    const { error, canResume, run, keptId, saved, progress, history, heldOut } = this.state;
    const before = { error, canResume, run, keptId, saved, progress, history, heldOut };
    const { client } = this;
    try {
      if (await work()) return true;
      this.set({ ...before, pending: undefined });
    } catch (failure) {
      if (client === this.client) this.set({ ...before, pending: undefined, error: messageOf(failure) });
    }
    return false;
  }
}
