/** Tells what goes wrong without ending the run, and holds a run that only goes wrong. */
import { UserError } from '../errors.ts';
import type { StepReport } from '../papo/trainer.ts';
import type { RewardFailure } from '../rewards/guard.ts';
import type { CallbackHandler, TrainerState } from './callbacks.ts';
import type { PAPOConfig } from './papo-config.ts';

/** Generations in a row without a single reward. */
const mostFailedRewards = 3;

export class Health {
  constructor(
    private readonly args: PAPOConfig,
    private readonly state: TrainerState,
    private readonly handler: CallbackHandler,
  ) {}

  /** Counts skipped updates and failed rewards in a row. `learning_rate` and γ: those in force. */
  async check(
    report: StepReport,
    { learning_rate, perception_loss_weight }: Pick<PAPOConfig, 'learning_rate' | 'perception_loss_weight'>,
  ): Promise<void> {
    const { args, state } = this;
    await this.tellFailures(report.rewardFailures, `step ${report.step}`);
    if (!report.updated)
      await this.handler.call('on_warning', {
        message: `Step ${report.step}: loss or gradient was not a finite number, so the update was skipped.`,
      });
    state.skipped_in_a_row = report.updated ? 0 : state.skipped_in_a_row + 1;
    if (report.generated)
      state.failed_rewards_in_a_row = report.rewardsFailed ? state.failed_rewards_in_a_row + 1 : 0;
    // Held again after as many more: the count itself ends with the first good update, and no save comes before that.
    if (!report.updated && state.skipped_in_a_row % args.max_skipped_updates === 0)
      await this.hold(
        `${state.skipped_in_a_row} updates in a row were skipped, because loss or gradient was not a finite number. ` +
          `The weights are as they were before. Lower learning_rate (${learning_rate}) or perception_loss_weight ` +
          `(${perception_loss_weight}), or go back to the last checkpoint.`,
      );
    if (state.failed_rewards_in_a_row >= mostFailedRewards) {
      state.failed_rewards_in_a_row = 0;
      await this.hold(
        'For three generations in a row no reward function gave a single number, so nothing is learnt. Mend the reward, ' +
          'then go on.',
      );
    }
  }

  /** Each kind of failure once: the guard reports no more. */
  async tellFailures(failures: readonly RewardFailure[], where: string): Promise<void> {
    for (const { reward, row, message, completion } of failures) {
      const at = row === null ? ` for all of ${where}` : ` for completion ${row + 1} of ${where}`;
      const text = completion === null ? '' : ` (${JSON.stringify(completion)})`;
      await this.handler.call('on_warning', {
        message: `The reward "${reward}" failed${at}${text}, so there it counts as none: ${message}`,
      });
    }
  }

  private async hold(message: string): Promise<void> {
    if (!this.handler.has('on_pause'))
      throw new UserError(`Training was stopped at step ${this.state.global_step}. ${message}`);
    await this.handler.call('on_pause', { message });
  }
}
