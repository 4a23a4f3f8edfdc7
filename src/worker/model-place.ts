/** The place of the model that is loaded: its device, and one model on it at a time. */
import { type Device, DeviceLostError } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { type Opened, openBuiltIn } from './built-in-model.ts';
import type { LoadedModel } from './model.ts';
import type { Loaded, LoadProgress, ModelChoice } from './model-protocol.ts';
import { openDevice } from './open-device.ts';
import type { DeviceChoice } from './protocol.ts';
import type { Rates } from './step-estimate.ts';
import { Timings } from './timings.ts';

/** How long a GPU that was lost may take to come back. */
const gpuReturnMs = 5000;

export class ModelPlace {
  device?: Device;
  model?: LoadedModel;
  timings?: Timings;
  private choice: DeviceChoice = 'auto';
  private notices: (string | undefined)[] = [];
  private loading?: AbortController;
  private known?: {
    readonly model: LoadedModel;
    readonly device: Device;
    readonly rows: number;
    readonly rates: Promise<Rates>;
  };

  /**
   * `leave`: ends everything that uses the model, before it goes. `leavePolicies`: gives back what asks it on the device,
   * which is lost.
   */
  constructor(
    private readonly leave: () => Promise<void>,
    private readonly leavePolicies: () => void,
  ) {}

  /** null: the model that is there, on another device. */
  async load(
    choice: ModelChoice | null,
    device: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
    token?: string,
  ): Promise<Loaded> {
    this.cancel();
    const own = new AbortController();
    this.loading = own;
    const { signal } = own;
    try {
      const notices: string[] = [];
      const before = this.model;
      if (!choice && !before) throw new UserError('No model is loaded, so none can move to another device.');
      onProgress({ message: 'Looking for a device', fraction: 0 });
      // At first both at once: the device's code and the model come over the same wire. Later on an earlier model stays
      // until the new one is here.
      const opening = this.device ? undefined : this.open(device);
      const opened = choice ? openAny(choice, { onProgress, signal, token, notices }) : before!;
      const [, found] = await both(Promise.resolve(opening), Promise.resolve(opened));
      onProgress({ message: 'Checking the model', fraction: 0.95 });
      const model = 'mark' in found ? found : await asLoaded(found, signal);
      signal.throwIfAborted();
      if (!opening) {
        await this.clear();
        await this.open(device);
      }
      if (model.isLarge) await model.base(this.device!, onProgress, signal);
      this.model = model;
      this.notices.push(...notices);
      return this.loaded()!;
    } finally {
      if (this.loading === own) this.loading = undefined;
    }
  }

  cancel(): void {
    this.loading?.abort(new UserError('Loading was cancelled.'));
  }

  loaded(): Loaded | null {
    const { model, device } = this;
    if (!model || !device) return null;
    const { name, source, mark, parameters, isLarge } = model;
    const notice = this.notices.filter(Boolean).join(' ');
    return {
      model: name,
      name,
      source,
      mark,
      isOwn: source.kind === 'files',
      parameters,
      isLarge,
      device: { kind: device.kind, label: device.label },
      ...(notice && { notice }),
    };
  }

  /** The device, opened anew where it was lost. */
  async workingDevice(): Promise<Device> {
    const lost = await Promise.race([this.device?.lost, Promise.resolve('working')]);
    const old = this.device;
    if (old && !(lost instanceof DeviceLostError)) return old;
    this.leavePolicies();
    this.model?.leaveDevice();
    old?.dispose();
    this.device = undefined;
    // The same kind again; where the GPU stays away, a choice left to us falls to the CPU.
    const { choice } = this;
    try {
      await this.open(old?.kind === 'webgpu' ? 'webgpu' : choice, gpuReturnMs);
    } catch (error) {
      if (choice === 'webgpu') throw error;
      await this.open('cpu');
    }
    this.choice = choice;
    return this.device!;
  }

  /** How fast the device does the model's products; measured once for each model, device and number of rows. */
  rates(rows: number): Promise<Rates> {
    const { model, device } = this;
    if (!model || !device) throw new UserError('No model is loaded, so there is nothing to measure.');
    const { known } = this;
    if (known?.model === model && known.device === device && known.rows === rows) return known.rates;
    const rates = import('./step-estimate.ts').then(({ measureRates }) =>
      measureRates(model.config, device, rows),
    );
    this.known = { model, device, rows, rates };
    rates.catch(() => {
      this.known = undefined;
    });
    return rates;
  }

  private async open(choice: DeviceChoice, patience?: number): Promise<void> {
    this.choice = choice;
    const { device, notice } = await openDevice(choice, patience);
    this.device = device;
    this.notices = [notice];
    this.timings = await Timings.open(device.label);
  }

  private async clear(): Promise<void> {
    await this.leave();
    this.model?.leaveDevice();
    this.device?.dispose();
    this.device = this.model = undefined;
  }
}

interface Opening {
  readonly onProgress: (progress: LoadProgress) => void;
  readonly signal: AbortSignal;
  readonly token?: string;
  /** What is said on the way. */
  readonly notices: string[];
}

async function openAny(choice: ModelChoice, options: Opening): Promise<Opened> {
  const { onProgress, signal, token, notices } = options;
  const onNotice = (sentence: string) => notices.push(sentence);
  if (choice.kind === 'built-in') return openBuiltIn(choice, onProgress);
  const { openChoice } = await import('./open-model.ts');
  return openChoice(choice, { onProgress, onNotice, signal, ...(token && { token }) });
}

/** What reads models is loaded once the runtime is on its way: the page has better things to do before. */
async function asLoaded({ folder, name, source }: Opened, signal: AbortSignal): Promise<LoadedModel> {
  const { LoadedModel } = await import('./model.ts');
  return LoadedModel.of(folder, name, source, signal);
}

/** Both results, or the first failure once both have ended: what one of them opened can then be closed. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}
