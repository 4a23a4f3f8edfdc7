/** The worker's service: a model on a device, and at most one run. */
import { transfer } from 'comlink';
import { generateExample } from '../data/examples.ts';
import type { TaskName } from '../data/tasks.ts';
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { LiveSettings } from '../papo/trainer.ts';
import { Policy } from '../policy/policy.ts';
import { loadModelFolder, type ModelFiles, type ModelFolder, urlFiles } from '../store/hf-folder.ts';
import { catalogue, check } from './catalogue.ts';
import { openDevice } from './open-device.ts';
import {
  type DeviceChoice,
  type GroupView,
  LIVE_SETTINGS,
  type Loaded,
  type LoadProgress,
  type RunEvent,
  type RunRequest,
  type TrainingService,
  type Validation,
} from './protocol.ts';
import { Run } from './run.ts';
import { Timings } from './timings.ts';
import { buffersOf, exampleView } from './views.ts';

/** Files that a folder of this project has; only for the share that has been read. */
const usualFiles = 9;

export class Service implements TrainingService {
  private device?: Device;
  private folder?: ModelFolder;
  private policy?: Policy;
  private timings?: Timings;
  private run?: Run;
  private request?: RunRequest;
  /** The run that goes on, to its end. */
  private running: Promise<void> = Promise.resolve();

  catalogue = catalogue;

  validate(request: RunRequest): Validation {
    return check(request).validation;
  }

  async load(
    url: string,
    choice: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Loaded> {
    await this.unload();
    onProgress({ message: 'Looking for a device', fraction: 0 });
    const { device, notice } = await openDevice(choice);
    this.device = device;
    this.timings = await Timings.open(device.label);
    this.folder = await loadModelFolder(watched(urlFiles(url), onProgress));
    onProgress({ message: `Placing the weights on ${device.label}`, fraction: 0.95 });
    this.policy = Policy.create(device, this.folder);
    const parameters = [...this.folder.weights.values()].reduce((sum, w) => sum + w.data.length, 0);
    const name = new URL(url, globalThis.location.href).pathname.split('/').filter(Boolean).at(-1) ?? url;
    return { model: name, parameters, device: { kind: device.kind, label: device.label }, notice };
  }

  samples(task: string, count: number): GroupView[] {
    const groups = Array.from({ length: count }, (_, i) =>
      exampleView(generateExample(0, 'train', i, task as TaskName)),
    );
    return transfer(groups, buffersOf(groups));
  }

  start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Validation {
    const { device, folder, timings } = this;
    if (!device || !folder || !timings)
      throw new UserError('No model is loaded, so there is nothing to train.');
    if (this.run && !this.run.isOver)
      throw new UserError('A run is going on; stop it before another starts.');
    const { config, validation } = check(request);
    if (!config) return validation;
    // Passes are compiled for one run's settings, and a run starts from the folder's weights: so a fresh policy.
    this.policy?.dispose();
    const policy = Policy.create(device, folder);
    this.policy = policy;
    this.request = request;
    const emit = (event: RunEvent) =>
      onEvent(event.type === 'step' ? transfer(event, buffersOf(event.groups)) : event);
    const run = new Run({ policy, config, task: request.task as TaskName, timings, emit, steps });
    this.run = run;
    this.running = run.start();
    return validation;
  }

  pause(): void {
    this.run?.pause();
  }

  resume(): void {
    this.run?.resume();
  }

  step(): void {
    this.run?.step();
  }

  stop(): void {
    this.run?.stop();
  }

  setLive(settings: Readonly<Record<string, string>>): Validation {
    if (!this.run || !this.request)
      throw new UserError('No run is going on, so no setting of it can change.');
    const other = Object.keys(settings).filter((name) => !LIVE_SETTINGS.some((live) => live === name));
    if (other.length) throw new UserError(`${other[0]}: cannot change during a run; start a new one.`);
    const request = { ...this.request, settings: { ...this.request.settings, ...settings } };
    const { config, validation } = check(request);
    if (!config) return validation;
    this.request = request;
    this.run.live = Object.fromEntries(LIVE_SETTINGS.map((name) => [name, config[name]])) as LiveSettings;
    return validation;
  }

  private async unload(): Promise<void> {
    this.run?.stop();
    await this.running;
    this.policy?.dispose();
    this.device?.dispose();
    this.run = this.policy = this.device = this.folder = undefined;
  }
}

/** The same files, with word of each as it is read. */
function watched(files: ModelFiles, onProgress: (progress: LoadProgress) => void): ModelFiles {
  let read = 0;
  return {
    where: files.where,
    read: (name) => {
      onProgress({ message: `Loading ${name}`, fraction: Math.min(0.9, (0.9 * read++) / usualFiles) });
      return files.read(name);
    },
  };
}
