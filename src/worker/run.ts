/** One run: evaluate, update after update, evaluate now and then; pausing and stopping between updates. */
import { evaluate } from '../data/evaluate.ts';
import { generateExample } from '../data/examples.ts';
import type { TaskName } from '../data/tasks.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { type LiveSettings, Trainer } from '../papo/trainer.ts';
import type { Policy } from '../policy/policy.ts';
import { rewardFunction } from '../rewards/rewards.ts';
import { Pace } from './pace.ts';
import type { Activity, RunEvent, RunState } from './protocol.ts';
import type { Timings } from './timings.ts';
import { groupView, heldOutView } from './views.ts';

export interface RunOptions {
  readonly policy: Policy;
  readonly config: ResolvedConfig;
  readonly task: TaskName;
  readonly timings: Timings;
  readonly emit: (event: RunEvent) => void;
  /** Updates before the first pause. */
  readonly steps?: number;
}

const rewardName = 'boxed_answer';
const firstStep = 'first step';

/** What ends a run before its last step. */
class Stopped extends Error {}

export class Run {
  live: Partial<LiveSettings> = {};
  /** Updates that may still be made before it pauses. */
  private allowance: number;
  private stopped = false;
  private wake: () => void = () => {};
  private state: RunState = 'running';
  private readonly pace = new Pace();

  constructor(private readonly options: RunOptions) {
    this.allowance = options.steps ?? Number.POSITIVE_INFINITY;
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

  /** Runs to the end; every outcome, failures included, is told through `emit`. */
  async start(): Promise<void> {
    const { policy, config, task, emit } = this.options;
    this.enter('running');
    let trainer: Trainer | undefined;
    try {
      this.activity('compiling');
      trainer = await Trainer.create({
        policy,
        config,
        examples: (index) => generateExample(config.seed, 'train', index, task),
        reward_funcs: { [rewardName]: rewardFunction(rewardName) },
      });
      await this.gate(false);
      await this.evaluate(0);
      await this.train(trainer);
      this.enter('finished');
    } catch (error) {
      if (error instanceof Stopped) this.enter('stopped');
      else {
        this.state = 'failed';
        emit({ type: 'state', state: 'failed', message: explain(error) });
      }
    } finally {
      trainer?.dispose();
    }
  }

  private async train(trainer: Trainer): Promise<void> {
    const { policy, config, emit, timings } = this.options;
    const { max_steps: total, eval_steps: every } = config;
    const isEvaluated = (step: number) => step === total || (every !== null && step % every === 0);
    while (trainer.step < total) {
      await this.gate(true);
      if (trainer.step === 0) this.activity('compiling', timings.expected(firstStep));
      const report = await trainer.update(this.live);
      this.allowance--;
      const { step, metrics } = report;
      if (step === 1) timings.record(firstStep, report.timing.total / 1000);
      this.pace.add(step, report.timing.total / 1000, metrics.num_tokens);
      let evaluationsLeft = 0;
      for (let s = step; s <= total; s++) if (isEvaluated(s)) evaluationsLeft++;
      const groups = report.groups.map((group) => groupView(group, policy.text));
      emit({
        type: 'step',
        step,
        metrics,
        groups,
        progress: this.pace.progress(step, total, evaluationsLeft),
      });
      if (isEvaluated(step)) await this.evaluate(step);
      else if (step === 1) this.activity('training');
    }
  }

  private async evaluate(step: number): Promise<void> {
    const { policy, config, task, emit, timings } = this.options;
    const questions = config.num_eval_samples;
    // The first one of a run compiles its pass.
    const part = `${step === 0 ? 'first evaluation' : 'evaluation'} of ${questions}`;
    this.activity('evaluating', timings.expected(part));
    await this.breathe();
    const started = performance.now();
    const evaluation = await evaluate(policy, {
      task,
      examples: questions,
      seed: config.seed,
      maxTokens: config.max_completion_length,
      temperature: config.temperature,
    });
    const seconds = (performance.now() - started) / 1000;
    timings.record(part, seconds);
    if (step > 0) this.pace.evaluation = seconds;
    emit({ type: 'evaluation', heldOut: heldOutView(step, questions, evaluation) });
    this.activity('training');
  }

  /** Between updates: lets messages in, waits while paused, throws when stopped. */
  private async gate(mayPause: boolean): Promise<void> {
    await this.breathe();
    while (mayPause && this.allowance <= 0 && !this.stopped) {
      this.enter('paused');
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      if (!this.stopped) this.enter('running');
    }
    if (this.stopped) throw new Stopped();
  }

  /** The CPU device never leaves the event loop on its own accord: without this no message would be heard. */
  private breathe(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve);
    });
  }

  private enter(state: RunState): void {
    this.state = state;
    this.options.emit({ type: 'state', state });
  }

  private activity(activity: Activity, expectedSeconds: number | null = null): void {
    this.options.emit({ type: 'activity', activity, expectedSeconds });
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'UserError' ? error.message : `${error.name}: ${error.message}`;
}
