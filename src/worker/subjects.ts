/** Whose answers are asked for: the model as it was loaded, the one that trains here, or a kept checkpoint. */
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { PAPOTrainer } from '../index.ts';
import type { Policy } from '../policy/policy.ts';
import type { StoredCheckpoint } from '../store/run-store.ts';
import { checkpointAdapter, checkpointFolder, isAdapter } from './checkpoint-folder.ts';
import type { LoadedModel } from './model.ts';
import type { Subject } from './protocol.ts';

/** What there is at the moment; the service holds it. */
export interface Place {
  readonly device?: Device;
  readonly model?: Pick<LoadedModel, 'base'>;
  readonly trainer?: PAPOTrainer;
  openCheckpoint(run: string, step: number): Promise<StoredCheckpoint>;
  /** The base of this policy, whose adapter a run trained. Throws a UserError where it is not the one that is loaded. */
  checkBase(run: string): Promise<void>;
}

export class Subjects {
  /** The checkpoint that was asked last, by run and step; it stays, because subjects are looked at in pairs. */
  private kept?: { readonly key: string; readonly policy: Policy };
  private device?: Device;
  private model?: Place['model'];
  /** One at a time: two would need room for the activations of both. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly place: () => Place) {}

  /** Works with a policy; one that trains is used between two updates, so that its weights are of one step. */
  with<T>(subject: Subject, work: (policy: Policy) => Promise<T>): Promise<T> {
    return this.alone(() => this.withPolicy(subject, work));
  }

  /** Runs `work` while nobody is asked. */
  alone<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => {});
    return result;
  }

  /** Gives back what the policies hold on the device; the loaded model's own is its owner's. */
  dispose(): void {
    this.kept?.policy.dispose();
    this.kept = undefined;
  }

  private async withPolicy<T>(subject: Subject, work: (policy: Policy) => Promise<T>): Promise<T> {
    const { device, model, trainer } = this.place();
    if (!device || !model) throw new UserError('No model is loaded, so there is nobody to ask.');
    if (device !== this.device || model !== this.model) this.dispose();
    this.device = device;
    this.model = model;
    // Before anything was trained the two are one.
    if (subject.kind === 'current' && trainer)
      return trainer.between_updates(async () => work(await trainer.policy()));
    if (subject.kind !== 'run') return work(await model.base(device));
    return work(await this.checkpoint(subject, device, model));
  }

  private async checkpoint(
    { run, step }: Extract<Subject, { kind: 'run' }>,
    device: Device,
    model: Pick<LoadedModel, 'base'>,
  ): Promise<Policy> {
    const key = `${run} ${step}`;
    if (this.kept?.key === key) return this.kept.policy;
    const { openCheckpoint, checkBase } = this.place();
    const checkpoint = await openCheckpoint(run, step);
    let policy: Policy;
    if (isAdapter(checkpoint)) {
      await checkBase(run);
      const { lora, seed, tensors } = await checkpointAdapter(checkpoint);
      const base = await model.base(device);
      this.dispose();
      policy = base.adapt(lora, seed, tensors);
    } else {
      const folder = await checkpointFolder(checkpoint);
      const { Policy } = await import('../policy/policy.ts');
      this.dispose();
      // Nobody trains it here: a large one is held in half floats.
      policy = await Policy.open(device, folder, { trains: () => false });
    }
    this.kept = { key, policy };
    return policy;
  }
}
