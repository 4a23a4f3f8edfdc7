/** One run as the page steers it: the trainer's callbacks, told as events; pausing and stopping between updates. */
import type { TextProcessor } from '../data/tokenizer.ts';
import type { PAPOTrainer } from '../index.ts';
import type { StepReport } from '../papo/trainer.ts';
import type { LogRow } from '../store/run-store.ts';
import type { CallbackDetails, TrainerCallback, TrainerControl, TrainerState } from '../trainer/callbacks.ts';
import type { PAPOConfig } from '../trainer/papo-config.ts';
import { Breath } from './breath.ts';
import { Pace } from './pace.ts';
import type { Activity, HeldOut, HistoryRow, RunEvent, RunState } from './protocol.ts';
import type { Timings } from './timings.ts';
import { groupView, heldOutRow, heldOutView } from './views.ts';

export interface RunOptions {
  readonly timings: Timings;
  readonly emit: (event: RunEvent) => void;
  /** Updates before the first pause. */
  readonly steps?: number;
}

const firstStep = 'first step';

export class Run implements TrainerCallback {
  /** Updates that may still be made before it pauses. */
  private allowance: number;
  private stopped = false;
  private wake: () => void = () => {};
  private state: RunState = 'running';
  private readonly pace = new Pace();
  private readonly breath: Breath;
  private evaluationStarted = 0;
  private trainer!: PAPOTrainer;
  private text?: TextProcessor;
  /** What the last update left. */
  latest?: { readonly report: StepReport; readonly text: TextProcessor };

  constructor(private readonly options: RunOptions) {
    this.allowance = options.steps ?? Number.POSITIVE_INFINITY;
    this.breath = new Breath((message) => options.emit({ type: 'warning', message }));
  }

  get isOver(): boolean {
    return this.state !== 'running' && this.state !== 'paused';
  }

  pause(): void {
    this.allowance = 0;
  }

  resume(): void {
    this.allowance = Number.POSITIVE_INFINITY;
    this.wake();
  }

  /** One more update, then a pause. */
  step(): void {
    this.allowance = 1;
    this.wake();
  }

  stop(): void {
    this.stopped = true;
    this.wake();
  }

  setVisible(visible: boolean): void {
    this.breath.isVisible = visible;
  }

  /** A checkpoint now where the run is paused, else after the update in progress. */
  async saveNow(): Promise<void> {
    if (this.state === 'paused') await this.trainer.save_checkpoint();
    else this.trainer.control.should_save = true;
  }

  /**
   * Runs to the end; every outcome, failures included, is told through `emit`. `resume`: from the last checkpoint, or
   * from the one of a step.
   */
  async start(trainer: PAPOTrainer, resume: boolean | number): Promise<void> {
    this.trainer = trainer;
    this.enter('running');
    try {
      this.activity('compiling');
      this.text = (await trainer.policy()).text;
      const { global_step } = await trainer.train({ resume_from_checkpoint: resume === 0 ? '0' : resume });
      this.enter(global_step >= trainer.state.max_steps ? 'finished' : 'stopped');
    } catch (error) {
      this.state = 'failed';
      this.options.emit({
        type: 'state',
        state: 'failed',
        message: explain(error),
        canResume: (await trainer.checkpoints().catch(() => [])).length > 0,
      });
    } finally {
      this.breath.end();
    }
  }

  async on_train_begin(args: PAPOConfig, state: TrainerState): Promise<void> {
    const rows = this.trainer.history;
    if (state.global_step > 0)
      this.options.emit({
        type: 'resumed',
        step: state.global_step,
        rows: rows.map(historyRow),
        heldOut: heldOutOf(rows, args.num_eval_samples),
      });
    // So that whatever happens from now on there is something to come back to.
    else if (this.trainer.isKept) await this.trainer.save_checkpoint();
  }

  /** A run that is stopped can go on from where it was. */
  async on_train_end(_: PAPOConfig, state: TrainerState): Promise<void> {
    const isCutShort = state.global_step < state.max_steps && state.skipped_in_a_row === 0;
    if (isCutShort && this.trainer.isKept) await this.trainer.save_checkpoint();
  }

  async on_step_begin(_: PAPOConfig, state: TrainerState, control: TrainerControl): Promise<void> {
    await this.gate(control);
    if (state.global_step === 0) this.activity('compiling', this.options.timings.expected(firstStep));
  }

  on_step_end(
    args: PAPOConfig,
    state: TrainerState,
    _: TrainerControl,
    { report }: CallbackDetails,
  ): Promise<void> | void {
    const { timings, emit } = this.options;
    const { step, metrics, timing } = report!;
    this.latest = { report: report!, text: this.text! };
    this.allowance--;
    if (step === 1) timings.record(firstStep, timing.total / 1000);
    this.pace.add(step, timing.total / 1000, metrics.num_tokens);
    this.pace.memory = this.trainer.memory;
    const { max_steps: total } = state;
    let evaluationsLeft = 0;
    for (let s = step; s <= total; s++)
      if (s === total || (args.eval_steps !== null && s % args.eval_steps === 0)) evaluationsLeft++;
    emit({
      type: 'step',
      step,
      metrics,
      groups: report!.groups.map((group) => groupView(group, this.text!)),
      progress: this.pace.progress(step, total, evaluationsLeft),
    });
    if (step === 1) this.activity('training');
  }

  async on_prediction_step(
    _: PAPOConfig,
    state: TrainerState,
    __: TrainerControl,
    { done, total }: CallbackDetails,
  ): Promise<void> {
    if (done === 0) {
      this.evaluationStarted = performance.now();
      this.activity('evaluating', this.options.timings.expected(evaluationPart(state.global_step, total!)));
    }
    await this.breath.take();
  }

  on_evaluate(_: PAPOConfig, state: TrainerState, __: TrainerControl, { evaluation }: CallbackDetails): void {
    const { timings, emit } = this.options;
    const { rows } = evaluation!;
    const seconds = (performance.now() - this.evaluationStarted) / 1000;
    timings.record(evaluationPart(state.global_step, rows.length), seconds);
    if (state.global_step > 0) this.pace.evaluation = seconds;
    emit({ type: 'evaluation', heldOut: heldOutView(state.global_step, rows.length, evaluation!) });
    this.activity('training');
  }

  on_save(_: PAPOConfig, state: TrainerState, __: TrainerControl, { checkpoint }: CallbackDetails): void {
    this.options.emit({ type: 'saved', step: checkpoint!.step, pauseMs: state.last_save_pause });
  }

  on_warning(_: PAPOConfig, __: TrainerState, ___: TrainerControl, { message }: CallbackDetails): void {
    this.options.emit({ type: 'warning', message: message! });
  }

  async on_pause(
    _: PAPOConfig,
    __: TrainerState,
    control: TrainerControl,
    { message }: CallbackDetails,
  ): Promise<void> {
    this.allowance = 0;
    this.options.emit({
      type: 'state',
      state: 'paused',
      message,
      canResume: (await this.trainer.checkpoints()).length > 0,
    });
    await this.gate(control, false);
  }

  /** Between updates: lets messages in, and waits while paused. */
  private async gate(control: TrainerControl, tells = true): Promise<void> {
    await this.breath.take();
    while (this.allowance <= 0 && !this.stopped) {
      if (tells) this.enter('paused');
      else this.state = 'paused';
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      if (!this.stopped) this.enter('running');
    }
    if (this.stopped) control.should_training_stop = true;
  }

  private enter(state: RunState): void {
    this.state = state;
    this.options.emit({ type: 'state', state });
  }

  private activity(activity: Activity, expectedSeconds: number | null = null): void {
    this.options.emit({ type: 'activity', activity, expectedSeconds });
  }
}

/** The first one of a run compiles its pass. */
const evaluationPart = (step: number, questions: number) =>
  `${step === 0 ? 'first evaluation' : 'evaluation'} of ${questions}`;

export const historyRow = ({ step, kind, metrics }: LogRow): HistoryRow => ({ step, kind, metrics });

/** Held-out results among the rows of a run. */
export const heldOutOf = (rows: readonly LogRow[], questions: number): HeldOut[] =>
  rows.filter(({ kind }) => kind === 'evaluation').map((row) => heldOutRow(row, questions));

/** Errors that are made for people speak for themselves. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const forPeople = ['UserError', 'DeviceLostError', 'OutOfMemoryError', 'StorageFullError'];
  return forPeople.includes(error.name) ? error.message : `${error.name}: ${error.message}`;
}
