/** The panel Look: one picture, a mask over it, and what a model answers to both. */
import type { AskView, MaskRequest, MaskView, ModelFacts } from '../../worker/lab-protocol.ts';
import type { GroupView, ImageView, Loaded } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { Store } from '../store.ts';
import { drawingOf, leastRatio, maskOf } from './asking.ts';
import { Latest } from './latest.ts';
import { baseOption, chosenOption, type SubjectOption, trainedOptions } from './subjects.ts';

/** What is asked about. */
export interface Asked {
  readonly image: ImageView;
  readonly prompt: string;
  readonly answer: string | null;
}

type MaskSettings = Pick<MaskRequest, 'mask_type' | 'mask_ratio' | 'mask_patch_size'>;

export interface LookState {
  readonly facts?: ModelFacts;
  readonly source: 'task' | 'tried';
  /** Number of the question among the task's. */
  readonly index: number;
  readonly asked?: Asked;
  readonly subject?: string;
  /** What was changed here; the rest is as the form has it. */
  readonly edited: Partial<MaskSettings>;
  readonly draw: number;
  readonly mask?: MaskView;
  readonly view?: AskView;
  /** The step that the trained model had made when it answered. */
  readonly step?: number;
  readonly isBusy: boolean;
  /** Its passes are compiled. */
  readonly hasAnswered: boolean;
  readonly error?: string;
  /** Place of the token that is looked at. */
  readonly token?: number;
}

/** A hand that drags a slider rests for as long. */
const restMs = 120;
/** While a run trains it is asked anew as often. */
const refreshMs = 2000;
/** Completions of each view; fewer for models that take long. */
const samplesOf = ({ parameters }: Loaded) => (parameters < 1e7 ? 64 : 8);

export class Looking {
  readonly store = new Store<LookState>({
    source: 'task',
    index: 0,
    edited: {},
    draw: 0,
    isBusy: false,
    hasAnswered: false,
  });
  private readonly masks = new Latest();
  private readonly asks = new Latest();
  private rest: ReturnType<typeof setTimeout> | undefined;
  private loaded?: Loaded;
  private questions?: string;
  private answeredAt = 0;

  constructor(
    private readonly core: Core,
    /** The picture of Try it. */
    private readonly tried: () => Asked | undefined,
  ) {}

  /** The model, the task, a setting, or the number of steps may have changed: shows what is to be seen now. */
  async follow(): Promise<void> {
    const { loaded, form } = this.core.state;
    if (!loaded) return;
    const questions = `${form.dataset ?? ''} ${form.task}`;
    if (loaded !== this.loaded) {
      this.loaded = loaded;
      this.store.set({ hasAnswered: false });
      this.masks.forget();
      this.asks.forget();
      await this.guarded(async () => this.store.set({ facts: await this.core.service.modelFacts() }));
    } else if (questions === this.questions) {
      return this.recompute();
    }
    const isOther = this.questions !== undefined && questions !== this.questions;
    this.questions = questions;
    if (isOther) await this.goTo(0);
    else await this.take();
  }

  /** A step was made. The model that trains is asked anew, now and then. */
  async stepped(): Promise<void> {
    const isDue = this.core.state.run !== 'running' || performance.now() - this.answeredAt > refreshMs;
    if (this.subject.value === 'current' && isDue && !this.store.snapshot().isBusy) this.recompute();
  }

  async goTo(index: number): Promise<void> {
    this.store.set({ source: 'task', index });
    await this.take();
  }

  async takeTried(): Promise<void> {
    this.store.set({ source: 'tried' });
    await this.take();
  }

  choose(change: Partial<Pick<LookState, 'subject' | 'draw'>>): void {
    this.store.set(change);
    this.recompute();
  }

  edit(change: Partial<MaskSettings>): void {
    this.store.set({ edited: { ...this.store.snapshot().edited, ...change } });
    this.recompute();
  }

  lookAt(token: number): void {
    this.store.set({ token });
  }

  get subjects(): SubjectOption[] {
    return [...trainedOptions(this.core.state), baseOption];
  }

  get subject(): SubjectOption {
    return chosenOption(this.subjects, this.store.snapshot().subject) ?? baseOption;
  }

  get mask(): MaskRequest {
    const { edited, draw } = this.store.snapshot();
    const mask = { ...maskOf(this.core.state), ...edited, draw };
    return { ...mask, mask_ratio: Math.max(mask.mask_ratio, leastRatio(mask.mask_type)) };
  }

  get samples(): number {
    return this.loaded ? samplesOf(this.loaded) : 0;
  }

  get temperature(): number {
    return drawingOf(this.core.state).temperature;
  }

  /** Masks at once, and asks when the hand rests. */
  recompute(): void {
    const { asked } = this.store.snapshot();
    if (!asked) return;
    this.masks.do(() =>
      this.guarded(async () => {
        const mask = await this.core.service.maskPicture(this.subject.subject, asked.image, this.mask);
        this.store.set({ mask });
      }),
    );
    this.store.set({ isBusy: true });
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.asks.do(() => this.ask()), restMs);
  }

  private async ask(): Promise<void> {
    const { asked } = this.store.snapshot();
    if (!asked || !this.loaded) return;
    const step = this.subject.value === 'current' ? this.core.state.progress?.step : undefined;
    await this.guarded(async () => {
      const view = await this.core.service.ask({
        ...asked,
        ...drawingOf(this.core.state),
        subject: this.subject.subject,
        samples: this.samples,
        mask: this.mask,
      });
      if (this.asks.isStale) return;
      this.answeredAt = performance.now();
      this.store.set({ view, step, isBusy: false, hasAnswered: true, error: undefined });
    });
  }

  /** The picture that was chosen. */
  private async take(): Promise<void> {
    const { source, index } = this.store.snapshot();
    await this.guarded(async () => {
      const asked = source === 'tried' ? this.tried() : await this.question(index);
      // Another may have been chosen meanwhile.
      const now = this.store.snapshot();
      if (!asked || now.source !== source || now.index !== index) return;
      this.store.set({ asked, mask: undefined, view: undefined, token: undefined });
      this.recompute();
    });
  }

  private async question(index: number): Promise<Asked> {
    const { service, state } = this.core;
    const { dataset, task } = state.form;
    if (dataset === undefined) return askedOf(await service.example(task, index));
    const samples = await service.datasetSamples(dataset);
    return askedOf(samples[index % samples.length]);
  }

  private async guarded(work: () => Promise<unknown>): Promise<void> {
    const { loaded } = this;
    try {
      await work();
    } catch (error) {
      // What an earlier model or a worker that is gone said is of no interest.
      if (loaded === this.loaded) this.store.set({ error: messageOf(error), isBusy: false });
    }
  }
}

export const askedOf = ({ image, prompt, answer }: GroupView): Asked => ({ image, prompt, answer });
