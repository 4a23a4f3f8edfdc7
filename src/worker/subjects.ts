/** Whose answers are asked for: the model as it was loaded, the one that trains here, or a kept checkpoint. */
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { PAPOTrainer } from '../index.ts';
import type { Policy } from '../policy/policy.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import type { StoredCheckpoint } from '../store/run-store.ts';
import { checkpointFolder } from './checkpoint-folder.ts';
import type { Subject } from './protocol.ts';

/** What there is at the moment; the service holds it. */
export interface Place {
  readonly device?: Device;
  readonly folder?: ModelFolder;
  readonly trainer?: PAPOTrainer;
  openCheckpoint(run: string, step: number): Promise<StoredCheckpoint>;
}

export class Subjects {
  /** Policies of our own, by subject. The last one used stays beside the base: they are looked at in pairs. */
  private readonly own = new Map<string, Policy>();
  private device?: Device;
  private folder?: ModelFolder;
  /** One at a time: two would need room for the activations of both. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly place: () => Place) {}

  /** Works with a policy; one that trains is used between two updates, so that its weights are of one step. */
  with<T>(subject: Subject, work: (policy: Policy) => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.withAlone(subject, work));
    this.last = result.catch(() => {});
    return result;
  }

  /** Gives back what the policies hold on the device. */
  dispose(): void {
    for (const policy of this.own.values()) policy.dispose();
    this.own.clear();
  }

  private async withAlone<T>(subject: Subject, work: (policy: Policy) => Promise<T>): Promise<T> {
    const { device, folder, trainer } = this.place();
    if (!device || !folder) throw new UserError('No model is loaded, so there is nobody to ask.');
    if (device !== this.device || folder !== this.folder) this.dispose();
    this.device = device;
    this.folder = folder;
    // Before anything was trained the two are one.
    if (subject.kind === 'current' && trainer)
      return trainer.between_updates(async () => work(await trainer.policy()));
    return work(await this.policyOf(subject, device, folder));
  }

  private async policyOf(subject: Subject, device: Device, folder: ModelFolder): Promise<Policy> {
    const key = subject.kind === 'run' ? `${subject.run} ${subject.step}` : 'base';
    const known = this.own.get(key);
    if (known) return known;
    const { Policy } = await import('../policy/policy.ts');
    if (subject.kind !== 'run') return this.keep(key, Policy.create(device, folder));
    const kept = await checkpointFolder(await this.place().openCheckpoint(subject.run, subject.step));
    for (const [name, policy] of this.own)
      if (name !== 'base') {
        policy.dispose();
        this.own.delete(name);
      }
    return this.keep(key, Policy.create(device, kept));
  }

  private keep(key: string, policy: Policy): Policy {
    this.own.set(key, policy);
    return policy;
  }
}
