/** What page and worker say to each other: types and one list, so that the page carries none of the trainer's code. */

export type DeviceChoice = 'auto' | 'webgpu' | 'cpu';

/** A setting as the page shows it. */
export interface SettingInfo {
  readonly name: string;
  readonly meaning: string;
  /** What a value must be, in words. */
  readonly range: string;
  readonly group: string;
  /** The values there are, where they can be counted. */
  readonly options?: readonly string[];
}

/** What there is to choose from. Values are texts as a person types them. */
export interface Catalogue {
  readonly settings: readonly SettingInfo[];
  readonly presets: readonly { readonly name: string; readonly source: string }[];
  readonly tasks: readonly { readonly name: string; readonly meaning: string }[];
}

/** A run as the page asks for it. `settings` holds what the user changed, by TRL's name, as typed. */
export interface RunRequest {
  readonly preset: string;
  readonly task: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface Problem {
  /** The setting at fault; undefined where it cannot be told. */
  readonly field?: string;
  /** What was expected and what was given. */
  readonly message: string;
}

/** What the preset alone gives, and what the request gives, both by name as typed. */
export interface Validation {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly preset: Readonly<Record<string, string>>;
  /** The settings in force; those of the preset where there are problems. */
  readonly values: Readonly<Record<string, string>>;
  readonly completionsPerStep: number;
  readonly promptsPerStep: number;
}

export interface LoadProgress {
  /** A sentence for people. */
  readonly message: string;
  /** From 0 to 1. */
  readonly fraction: number;
}

export interface Loaded {
  readonly model: string;
  readonly parameters: number;
  readonly device: { readonly kind: 'webgpu' | 'cpu' | 'reference'; readonly label: string };
  /** Why the device is not the one that one might expect. */
  readonly notice?: string;
}

/** RGBA, row by row, as ImageData takes it. */
export interface ImageView {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

export interface TokenView {
  readonly text: string;
  /** KL[π‖π_mask] of this token, nats; null where the masked view was not computed. */
  readonly kl: number | null;
  /** 1 − exp(−kl): how strongly the page tints the token, from 0 to 1. */
  readonly tint: number;
}

export interface CompletionView {
  readonly text: string;
  readonly tokens: readonly TokenView[];
  readonly rewards: readonly { readonly name: string; readonly value: number | null }[];
  readonly advantage: number;
  readonly correct: boolean;
  /** The first thing that is wrong. */
  readonly error: null | 'format' | 'perception' | 'reasoning';
}

/** A prompt with its completions, highest advantage first; none before the first step. */
export interface GroupView {
  readonly id: string;
  readonly prompt: string;
  readonly answer: string;
  readonly kind: string;
  readonly visionDependency: 'low' | 'medium' | 'high';
  readonly image: ImageView;
  readonly masked?: ImageView;
  readonly completions: readonly CompletionView[];
}

/** Held-out questions answered once each by the policy as it is. */
export interface HeldOut {
  readonly step: number;
  readonly questions: number;
  readonly accuracy: number;
  /** Standard error. */
  readonly accuracyError: number;
  /** Shares of completions by the first thing that is wrong; with `sound` they add up to 1. */
  readonly shares: Readonly<Record<'sound' | 'perception' | 'reasoning' | 'format', number>>;
}

export interface Progress {
  readonly step: number;
  readonly totalSteps: number;
  /** Over the last steps, evaluations left out; null before the second step. */
  readonly stepsPerSecond: number | null;
  readonly tokensPerSecond: number | null;
  /** Seconds to the end, the evaluations still to come included. */
  readonly secondsLeft: number | null;
}

export type RunState = 'running' | 'paused' | 'stopped' | 'finished' | 'failed';

/** What the worker is doing while no step comes. */
export type Activity = 'compiling' | 'evaluating' | 'training';

export type RunEvent =
  | { readonly type: 'state'; readonly state: RunState; readonly message?: string }
  /** `expectedSeconds` where such work has been timed before. */
  | { readonly type: 'activity'; readonly activity: Activity; readonly expectedSeconds: number | null }
  | { readonly type: 'evaluation'; readonly heldOut: HeldOut }
  | {
      readonly type: 'step';
      readonly step: number;
      readonly metrics: Readonly<Record<string, number>>;
      readonly groups: readonly GroupView[];
      readonly progress: Progress;
    };

/** What may change while a run goes on; it takes effect at the next update. */
export const LIVE_SETTINGS = [
  'learning_rate',
  'perception_loss_weight',
  'der_loss_weight1',
  'der_loss_weight2',
  'temperature',
] as const;

/** The worker's side, reached through comlink. */
export interface TrainingService {
  catalogue(): Catalogue;
  validate(request: RunRequest): Validation;
  /** Loads the model folder at `url` onto a device. An earlier model and its run are given up. */
  load(url: string, device: DeviceChoice, onProgress: (progress: LoadProgress) => void): Promise<Loaded>;
  /** Training questions of a task, without completions. */
  samples(task: string, count: number): GroupView[];
  /**
   * Starts a run from the loaded weights; resolves once it is accepted, with its problems where it is not. With
   * `steps` it pauses after so many updates.
   */
  start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Validation;
  /** Waits for the update in progress to end. */
  pause(): void;
  resume(): void;
  /** One update of a paused run. */
  step(): void;
  stop(): void;
  /** Live settings of the run, as typed; with problems nothing changes. */
  setLive(settings: Readonly<Record<string, string>>): Validation;
}
