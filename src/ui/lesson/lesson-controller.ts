/** The lesson's state: which step is shown, what was found, what to give back. It drives the page as a visitor would. */
import { callback } from '../../worker/client.ts';
import type { ComparisonResult, EvaluationProgress, RunMeasure } from '../../worker/evaluation-protocol.ts';
import type { Panel } from '../panels.ts';
import { whileWorkerLives } from '../parts/worker-lives.ts';
import type { Session } from '../session.ts';
import { isGoing } from '../state.ts';
import { Store } from '../store.ts';
import type { Finding } from './checks.ts';
import { type Facts, factsOf, type Measured, measuredOf, type Part, partOf, weightsOf } from './facts.ts';
import { keep, kept } from './memory.ts';
import { formOf, type LessonForm, lessonForm, paperMask, type Recipe } from './recipes.ts';
import { STEPS, type StepId } from './steps.ts';

/** Questions that both runs answer, with one seed. */
const comparedQuestions = 256;
const comparedSeed = 42;

/** What the lesson needs of the page. */
export type Page = Pick<
  Session,
  | 'state'
  | 'service'
  | 'subscribe'
  | 'set'
  | 'guarded'
  | 'choose'
  | 'goTo'
  | 'begin'
  | 'start'
  | 'stop'
  | 'looking'
  | 'overlay'
  | 'models'
>;

export interface LessonState {
  readonly step: number;
  /** What happened at the steps that are done. */
  readonly met: Readonly<Partial<Record<StepId, string>>>;
  readonly runs: Readonly<Partial<Record<Part, Measured>>>;
  /** What was set before the lesson set something. */
  readonly before?: LessonForm;
  /** What the check of the step that is shown says now. */
  readonly finding?: Finding;
  /** The page is being driven. */
  readonly isDriving: boolean;
  /** The share of a comparison that is measured. */
  readonly measuring?: number;
}

export class Lesson {
  readonly store: Store<LessonState>;
  /** The weights of the run that is shown: they stay when the form goes on. */
  private weights = { gamma: 0, eta: 0 };
  private handedOver?: string;
  /** The model whose run is shown, where it is a large one that trains an adapter. */
  private real?: string;
  private tooMuch?: Facts['tooMuch'];
  private compared?: ComparisonResult;
  private wasOpen = false;
  /** The steps of the run that the lesson began; its run may be stopped without asking. */
  private own?: readonly number[];

  constructor(private readonly page: Page) {
    this.store = new Store<LessonState>({ step: 0, met: {}, runs: {}, isDriving: false, ...kept()?.lesson });
  }

  /** Goes on where the last visit left it. */
  open(): void {
    if (kept()?.isOpen) this.page.set({ lessonIsOpen: true });
    this.page.subscribe(() => this.look());
    this.page.looking.store.subscribe(() => this.look());
  }

  /** A run of the visitor's own goes on, and the next step would stop it. */
  wouldStop(): boolean {
    const { state } = this.page;
    return isGoing(state) && state.history.steps !== this.own;
  }

  goTo(step: number): void {
    this.change({ step: Math.max(0, Math.min(STEPS.length - 1, step)), finding: undefined });
    this.look();
  }

  /** Does on the page what the step that is shown is about. */
  async drive(): Promise<void> {
    this.change({ isDriving: true, finding: undefined });
    try {
      await STEPS[this.store.snapshot().step].drive(this);
    } finally {
      this.change({ isDriving: false });
      this.look();
    }
  }

  /** Trains with a recipe, on a panel that shows it; with `steps` it pauses after so many updates. */
  async train(recipe: Recipe, panel: Panel, steps?: number): Promise<void> {
    const { page } = this;
    if (isGoing(page.state)) await page.stop();
    this.change({ before: this.store.snapshot().before ?? lessonForm(page.state.form) });
    await page.choose(formOf(recipe));
    page.goTo(panel);
    await page.begin(() => page.start(steps));
    this.own = page.state.history.steps;
  }

  show(panel: Panel): void {
    this.page.goTo(panel);
  }

  lookAtMask(): void {
    this.show('look');
    this.page.looking.edit(paperMask);
  }

  /** The collapsed and the cured run over each other, and what differs between them on the same questions. */
  async compare(): Promise<void> {
    const { page } = this;
    const { hacked, mended } = this.store.snapshot().runs;
    if (!hacked || !mended) return;
    page.goTo('train');
    await page.guarded(async () => {
      const [first, second] = [await this.measure(hacked, 0), await this.measure(mended, 0.5)];
      if (first && second)
        this.compared = await page.service.compareRuns([{ seed: comparedSeed, first, second }]);
    });
    this.change({ measuring: undefined });
    for (const { id } of [hacked, mended])
      if (id !== page.state.keptId && !page.overlay.has(id)) await page.overlay.toggle(id);
  }

  private measure({ id }: Measured, done: number): Promise<RunMeasure | null> {
    this.change({ measuring: done });
    const { preset, task, settings, rewards } = formOf('mended');
    const request = {
      id,
      run: { preset, task, settings, rewards },
      questions: comparedQuestions,
      samples: 1,
    };
    const tell = callback((progress: EvaluationProgress) =>
      this.change({ measuring: done + progress.done / progress.total / 2 }),
    );
    return whileWorkerLives(this.page, (service) => service.measureRun(request, tell));
  }

  /** Shows the run to take home where it can be downloaded. */
  takeHome(): void {
    this.show('runs');
  }

  /** One LoRA step of the real model that is loaded; where none is, the door to them, or why there is none here. */
  async goReal(): Promise<void> {
    const { page } = this;
    if (page.state.loaded?.isLarge) return this.train('real', 'rollouts');
    this.tooMuch = undefined;
    await page.guarded(async () => {
      const { lora, limit } = await page.service.modelNeeds('smolvlm-256m');
      if (lora && !lora.fits) this.tooMuch = { needed: lora.bytes, limit };
    });
    if (this.tooMuch) return;
    if (isGoing(page.state)) await page.stop();
    this.show('train');
    await page.models.open();
  }

  /** The run to take home: the best of those that were measured. */
  best(): Measured | undefined {
    return Object.values(this.store.snapshot().runs).toSorted((a, b) => b.accuracy - a.accuracy)[0];
  }

  async giveBack(): Promise<void> {
    const { before } = this.store.snapshot();
    if (!before) return;
    this.change({ before: undefined });
    await this.page.choose(before);
  }

  async finish(): Promise<void> {
    await this.giveBack();
    this.page.set({ lessonIsOpen: false });
  }

  startOver(): void {
    this.handedOver = this.compared = this.tooMuch = undefined;
    this.change({ step: 0, met: {}, runs: {}, finding: undefined });
  }

  /** The page changed: what is there to see? */
  private look(): void {
    const { state } = this.page;
    if (this.wasOpen !== state.lessonIsOpen) this.save();
    if (!state.lessonIsOpen) return;
    // A start that is refused leaves the last run on show.
    const hasBegun = isGoing(state) && state.pending !== 'start';
    if (hasBegun && state.validation) {
      this.weights = weightsOf(state.validation.values);
      const isReal = state.loaded?.isLarge === true && state.validation.values.use_peft === 'true';
      this.real = isReal ? state.loaded?.name : undefined;
    }
    if (state.transfer?.state === 'done') this.handedOver = state.transfer.message;
    this.remember();
    const { step, met, runs, finding: last } = this.store.snapshot();
    const { id, check } = STEPS[step];
    const { compared, handedOver, real, tooMuch } = this;
    const { mask, view, isBusy } = this.page.looking.store.snapshot();
    const looked = mask && view && !isBusy ? { share: mask.share, view } : undefined;
    const finding = check(
      factsOf(state, { ...this.weights, runs, looked, compared, handedOver, real, tooMuch }),
    );
    const isNew = finding?.state === 'met' && met[id] !== finding.say;
    if (finding?.say === last?.say && !isNew) return;
    this.change({ finding, ...(isNew && { met: { ...met, [id]: finding.say } }) });
  }

  /** A run that ended is measured, whatever step is shown. */
  private remember(): void {
    const { state } = this.page;
    const { runs } = this.store.snapshot();
    const part = partOf(this.weights.gamma, this.weights.eta);
    if (!part || !state.keptId || isGoing(state)) return;
    const facts = factsOf(state, { ...this.weights, runs });
    const measured = measuredOf(state.keptId, facts);
    const known = runs[part];
    if (!measured || (known?.id === measured.id && known.steps === measured.steps)) return;
    this.change({ runs: { ...runs, [part]: measured } });
  }

  private change(change: Partial<LessonState>): void {
    this.store.set(change);
    this.save();
  }

  private save(): void {
    const { step, met, runs, before } = this.store.snapshot();
    this.wasOpen = this.page.state.lessonIsOpen;
    keep({ lesson: { step, met, runs, before }, isOpen: this.wasOpen });
  }
}
