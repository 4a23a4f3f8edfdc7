/** Rewards tried on samples while they are written. Code runs only where the visitor agreed to that. */
import type { RewardTrial } from '../../worker/reward-protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { type Form, requestOf } from '../state.ts';
import { Store } from '../store.ts';
import { withRewards } from './weights.ts';

/** So long nobody types before it is tried. */
const quietMs = 300;

interface Trials {
  readonly isTrying: boolean;
  readonly trial?: RewardTrial;
  /** Of the trial. */
  readonly code: string;
  /** The trial itself failed. */
  readonly error?: string;
}

export class RewardTrials {
  readonly store = new Store<Trials>({ isTrying: false, code: '' });
  /** The code as it was last typed here: other code came from elsewhere, and nobody agreed to it. */
  private typed = '';
  private agreed = false;
  private timer?: ReturnType<typeof setTimeout>;
  private last = 0;

  constructor(
    private readonly core: Core,
    private readonly choose: (change: Partial<Form>) => Promise<void>,
    private readonly openSandbox: () => Promise<void>,
  ) {}

  write(code: string): void {
    this.forgetForeign();
    this.typed = code;
    const isEmpty = code.trim() === '';
    const { form } = this.core.state;
    void this.choose(withRewards(form, { code, ...(isEmpty && { codeIsOn: false }) }));
  }

  /** What is tried changed: it is tried again once nobody types. */
  changed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.attempt(), quietMs);
  }

  /** The visitor asks for it: from now on the code is tried as it is typed. */
  async tryNow(): Promise<void> {
    this.forgetForeign();
    this.agreed = true;
    clearTimeout(this.timer);
    await this.attempt();
  }

  private forgetForeign(): void {
    const { code } = this.core.state.form;
    if (code !== this.typed) this.agreed = false;
    this.typed = code;
  }

  private async attempt(): Promise<void> {
    const { form, run, groups, catalogue } = this.core.state;
    // The worker and the sandbox have other things to do.
    if (run === 'running' || !catalogue) return;
    this.forgetForeign();
    const number = ++this.last;
    const { code } = form;
    const hasCode = code.trim() !== '';
    const mayRun = form.codeIsOn || this.agreed;
    this.store.set({ isTrying: true });
    let result: Partial<Trials>;
    try {
      if (hasCode && mayRun) await this.openSandbox();
      const trial = await this.core.service.tryRewards({
        run: { ...requestOf(form), ...(hasCode && { rewardCode: code }) },
        mayRun,
        onLastStep: groups.some(({ completions }) => completions.length > 0),
      });
      result = { trial, code, error: undefined };
    } catch (error) {
      result = { error: messageOf(error) };
    }
    if (number === this.last) this.store.set({ ...result, isTrying: false });
  }
}
