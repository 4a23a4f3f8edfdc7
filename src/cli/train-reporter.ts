/** What `npm run train` prints: a progress line for people, or one JSON object a step. */

import type { ModelProgress } from '../models/progress.ts';
import type { CallbackDetails, TrainerCallback, TrainerControl, TrainerState } from '../trainer/callbacks.ts';
import type { PAPOConfig } from '../trainer/papo-config.ts';

/** Where lines cannot be overwritten, one is printed every ten steps, and after so long a silence. */
const quietMs = 5000;

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

export class Reporter implements TrainerCallback {
  private started = 0;
  private firstStep = 0;
  private printed = 0;
  /** The step's object, complete when the next step begins: what is held out is measured after the update. */
  private line?: Record<string, number>;

  constructor(private readonly json: boolean) {}

  say(text: string): void {
    if (this.json) console.error(text);
    else console.log(text);
  }

  /** A line a second while a model comes. */
  downloading({ phase, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }: ModelProgress): void {
    const now = performance.now();
    if (now - this.printed < 1000 && loadedBytes < totalBytes) return;
    this.printed = now;
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    const left = secondsLeft === null ? '' : `, ${Math.ceil(secondsLeft)} s left`;
    const speed = bytesPerSecond === null ? '' : ` at ${megabytes(bytesPerSecond)}/s${left}`;
    this.say(`${phase}: ${megabytes(loadedBytes)} of ${megabytes(totalBytes)}${speed}`);
  }

  on_train_begin(_: PAPOConfig, state: TrainerState): void {
    this.started = this.printed = performance.now();
    this.firstStep = state.global_step;
    if (this.firstStep > 0) this.say(`going on from step ${this.firstStep}`);
  }

  on_step_begin(): void {
    this.flush();
  }

  on_step_end(_: PAPOConfig, state: TrainerState, __: TrainerControl, { report }: CallbackDetails): void {
    const { step, metrics } = report!;
    this.line = { step, ...metrics };
    if (!this.json) this.progress(step, state.max_steps, metrics);
  }

  on_evaluate(_: PAPOConfig, state: TrainerState, __: TrainerControl, { metrics }: CallbackDetails): void {
    this.line = { step: state.global_step, ...this.line, ...metrics };
    const { eval_accuracy, eval_accuracy_error, eval_reward, eval_samples } = metrics!;
    const found = Number.isFinite(eval_accuracy)
      ? `held-out accuracy ${percent(eval_accuracy)} ± ${percent(eval_accuracy_error)}`
      : `held-out reward ${eval_reward.toFixed(3)}`;
    this.say(`\rstep ${state.global_step}: ${found}  (${eval_samples} examples)   `);
  }

  on_save(_: PAPOConfig, __: TrainerState, ___: TrainerControl, { checkpoint }: CallbackDetails): void {
    this.say(`\rsaved checkpoint-${checkpoint!.step}   `);
  }

  on_warning(_: PAPOConfig, __: TrainerState, ___: TrainerControl, { message }: CallbackDetails): void {
    this.say(`\rwarning: ${message}`);
  }

  finish(text: string): void {
    this.flush();
    if (!this.json) process.stdout.write('\n');
    this.say(text);
  }

  private flush(): void {
    if (this.json && this.line) console.log(JSON.stringify(this.line));
    this.line = undefined;
  }

  private progress(step: number, total: number, metrics: Readonly<Record<string, number>>): void {
    const elapsed = (performance.now() - this.started) / 1000;
    const done = step - this.firstStep;
    const left = Math.round((elapsed / done) * (total - step));
    const line =
      `step ${step}/${total}  reward ${metrics.reward.toFixed(3)}  loss ${metrics.loss.toFixed(4)}  ` +
      `grad norm ${metrics.grad_norm.toFixed(3)}  ${(done / elapsed).toFixed(2)} steps/s  ${left} s left`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(100)}`);
    else if (step % 10 === 0 || step === total || performance.now() - this.printed > quietMs) {
      this.printed = performance.now();
      console.log(line);
    }
  }
}
