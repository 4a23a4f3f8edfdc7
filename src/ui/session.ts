/** The page's state and what a user can do, as a store for React. The worker does the work. */
import { type Client, callback, startWorker } from '../worker/client.ts';
import { type DeviceChoice, LIVE_SETTINGS, type RunEvent } from '../worker/protocol.ts';
import { cleared, type Form, initialState, isGoing, type State, withEvent } from './state.ts';

export class Session {
  private state: State = initialState;
  private readonly listeners = new Set<() => void>();
  private client: Client;
  private frame = 0;
  /** Only the answer to the last question asked is of interest. */
  private validations = 0;

  constructor(private readonly modelUrl: string) {
    this.client = this.newClient();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): State => this.state;

  /** Asks the worker what there is to choose from, and loads the model. */
  async open(): Promise<void> {
    await this.guarded(async () => {
      this.set({ loading: { message: 'Starting the worker', fraction: 0 } });
      const catalogue = await this.client.service.catalogue();
      this.set({ catalogue });
      await this.validate();
      await this.load();
    });
  }

  /** Starts over with a new worker after a failure. */
  async reopen(): Promise<void> {
    this.client.terminate();
    this.client = this.newClient();
    this.set({ error: undefined, run: 'none', pending: undefined, loaded: undefined, activity: undefined });
    await this.open();
  }

  async choose(change: Partial<Pick<Form, 'preset' | 'task' | 'device'>>): Promise<void> {
    this.set({ form: { ...this.state.form, ...change } });
    await this.guarded(async () => {
      if (change.preset !== undefined || change.task !== undefined) await this.validate();
      if (change.task !== undefined) await this.showSamples();
      if (change.device !== undefined) await this.load();
    });
  }

  /** A setting as typed; undefined goes back to the preset's. */
  async edit(name: string, text: string | undefined): Promise<void> {
    const { [name]: _, ...rest } = this.state.form.settings;
    const isPreset = text === undefined || text === this.state.validation?.preset[name];
    this.set({ form: { ...this.state.form, settings: isPreset ? rest : { ...rest, [name]: text } } });
    await this.guarded(async () => {
      await this.validate();
      const isLive = LIVE_SETTINGS.some((live) => live === name);
      if (!isLive || !isGoing(this.state) || this.state.validation?.problems.length) return;
      const value = this.state.validation?.values[name];
      if (value !== undefined) await this.client.service.setLive({ [name]: value });
    });
  }

  async resetSettings(): Promise<void> {
    this.set({ form: { ...this.state.form, settings: {} } });
    await this.guarded(() => this.validate());
  }

  /** Starts a run; with `steps` it pauses after so many. Resolves false where a setting is at fault. */
  async start(steps?: number): Promise<boolean> {
    let accepted = false;
    await this.guarded(async () => {
      this.set({ pending: 'start' });
      const { form } = this.state;
      const request = { preset: form.preset, task: form.task, settings: form.settings };
      const before = this.state;
      this.set(cleared(this.state));
      const onEvent = callback((event: RunEvent) => this.receive(event));
      const validation = await this.client.service.start(request, onEvent, steps);
      accepted = validation.problems.length === 0;
      this.set(accepted ? { validation } : { ...before, validation, pending: undefined });
    });
    return accepted;
  }

  async pause(): Promise<void> {
    this.set({ pending: 'pause' });
    await this.guarded(() => this.client.service.pause());
  }

  async resume(): Promise<void> {
    await this.guarded(() => this.client.service.resume());
  }

  async step(): Promise<boolean> {
    if (!isGoing(this.state)) return this.start(1);
    this.set({ pending: 'step' });
    await this.guarded(() => this.client.service.step());
    return true;
  }

  async stop(): Promise<void> {
    this.set({ pending: 'stop' });
    await this.guarded(() => this.client.service.stop());
  }

  dismissError(): void {
    this.set({ error: undefined });
  }

  private newClient(): Client {
    return startWorker((message) =>
      this.fail(`The worker that trains broke down: ${message}. Load the model again to go on.`),
    );
  }

  private async load(): Promise<void> {
    this.set({
      loaded: undefined,
      error: undefined,
      loading: { message: 'Loading', fraction: 0 },
      run: 'none',
    });
    const onProgress = callback((loading: State['loading']) => {
      if (!this.state.loaded) this.set({ loading });
    });
    const device: DeviceChoice = this.state.form.device;
    const loaded = await this.client.service.load(this.modelUrl, device, onProgress);
    this.set({ loaded, loading: undefined });
    if (this.state.groups.length === 0) await this.showSamples();
  }

  private async showSamples(): Promise<void> {
    const groups = await this.client.service.samples(this.state.form.task, 4);
    if (!isGoing(this.state)) this.set({ groups });
  }

  private async validate(): Promise<void> {
    const number = ++this.validations;
    const { preset, task, settings } = this.state.form;
    const validation = await this.client.service.validate({ preset, task, settings });
    if (number === this.validations) this.set({ validation });
  }

  private receive(event: RunEvent): void {
    this.state = withEvent(this.state, event);
    this.notify();
  }

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    this.notify();
  }

  /** Draws once a frame, however many events come; at once in a hidden tab, which has no frames. */
  private notify(): void {
    const tell = () => {
      this.frame = 0;
      for (const listener of this.listeners) listener();
    };
    if (document.hidden) tell();
    else if (!this.frame) this.frame = requestAnimationFrame(tell);
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  private fail(message: string): void {
    this.set({ error: message, loading: undefined, pending: undefined, activity: undefined });
    if (isGoing(this.state)) this.set({ run: 'failed' });
  }
}
