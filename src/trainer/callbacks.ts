/** What happens during training, as transformers' TrainerCallback tells it: same names, same order. */

import type { Evaluation } from '../data/evaluate.ts';
import type { StepReport } from '../papo/trainer.ts';
import type { CheckpointInfo } from '../store/run-store.ts';
import type { PAPOConfig } from './papo-config.ts';

/** Where a run stands (transformers' TrainerState). */
export class TrainerState {
  /** Passes over the training prompts; stays 0 where they have no end. */
  epoch = 0;
  /** Updates done. */
  global_step = 0;
  /** Updates of the whole run. */
  max_steps = 0;
  num_train_epochs = 0;
  /**
   * What `on_log` and `on_evaluate` were told, oldest first, each with its step; after a resume the numbers of every
   * single update before it.
   */
  log_history: Record<string, number>[] = [];
  /** The best held-out accuracy (without answers: reward) so far, and where it was. */
  best_metric: number | null = null;
  best_global_step: number | null = null;
  /** Updates in a row that were skipped because loss or gradient was no finite number. */
  skipped_in_a_row = 0;
  /** Generations in a row for which no reward function gave anything. */
  failed_rewards_in_a_row = 0;
  /** Milliseconds for which the last save held the training. */
  last_save_pause = 0;
}

/** What a callback may ask for; read after each event (transformers' TrainerControl). */
export class TrainerControl {
  should_training_stop = false;
  should_save = false;
  should_evaluate = false;
  should_log = false;
}

/** What an event carries beside settings, state and control. */
export interface CallbackDetails {
  /** on_step_end: the update. */
  readonly report?: StepReport;
  /** on_log: the numbers logged. */
  readonly logs?: Readonly<Record<string, number>>;
  /** on_evaluate: the numbers, and the completions they come from. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly evaluation?: Evaluation;
  /** on_prediction_step: held-out prompts answered. */
  readonly done?: number;
  readonly total?: number;
  /** on_save: what was committed. */
  readonly checkpoint?: CheckpointInfo;
  /** on_warning, on_pause: a sentence for people. */
  readonly message?: string;
}

export type CallbackEvent = (
  args: PAPOConfig,
  state: TrainerState,
  control: TrainerControl,
  details: CallbackDetails,
) => void | Promise<void>;

/**
 * Any of these may be there. Training waits for what they return, so a callback can hold it: an `on_step_begin` that
 * does not resolve is a pause.
 */
export interface TrainerCallback {
  on_init_end?: CallbackEvent;
  on_train_begin?: CallbackEvent;
  on_train_end?: CallbackEvent;
  on_epoch_begin?: CallbackEvent;
  on_epoch_end?: CallbackEvent;
  on_step_begin?: CallbackEvent;
  on_step_end?: CallbackEvent;
  /** Before held-out prompts are answered, and after each batch of them. */
  on_prediction_step?: CallbackEvent;
  on_evaluate?: CallbackEvent;
  /** A checkpoint was committed. Saving goes on beside training, so updates may lie between. */
  on_save?: CallbackEvent;
  on_log?: CallbackEvent;
  /** Something went wrong that does not end the run: a reward that failed, a disk that is full (ours). */
  on_warning?: CallbackEvent;
  /**
   * The run should not go on unattended: several updates in a row were skipped, or no reward was given (ours). It goes
   * on when this resolves; where no callback has it, `train` throws.
   */
  on_pause?: CallbackEvent;
}

/** Tells every callback, in order, each to its end. */
export class CallbackHandler {
  constructor(
    readonly callbacks: TrainerCallback[],
    private readonly args: PAPOConfig,
    private readonly state: TrainerState,
    private readonly control: TrainerControl,
  ) {}

  has(event: keyof TrainerCallback): boolean {
    return this.callbacks.some((callback) => callback[event] !== undefined);
  }

  async call(event: keyof TrainerCallback, details: CallbackDetails = {}): Promise<void> {
    for (const callback of this.callbacks)
      await callback[event]?.(this.args, this.state, this.control, details);
  }
}
