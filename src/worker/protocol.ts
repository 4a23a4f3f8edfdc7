/** What page and worker say to each other: types and one list, so that the page carries none of the trainer's code. */
import type { DataService, TaskKindInfo } from './data-protocol.ts';
import type { EvaluationService } from './evaluation-protocol.ts';
import type { LabService } from './lab-protocol.ts';
import type { ModelMark, ModelService } from './model-protocol.ts';
import type { RewardService } from './reward-protocol.ts';

export type { Loaded, LoadProgress } from './model-protocol.ts';

export const DEVICE_CHOICES = ['auto', 'webgpu', 'cpu'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/** A setting as the page shows it. */
export interface SettingInfo {
  readonly name: string;
  readonly meaning: string;
  /** What a value must be, in words. */
  readonly range: string;
  readonly group: string;
  /** What the paper found about it, and where it says so. */
  readonly finding?: { readonly says: string; readonly source: string };
  /** The values there are, where they can be counted. */
  readonly options?: readonly string[];
  /** It is true or false. */
  readonly isFlag: boolean;
}

/** What there is to choose from. Values are texts as a person types them. */
export interface Catalogue {
  readonly settings: readonly SettingInfo[];
  readonly presets: readonly { readonly name: string; readonly source: string }[];
  readonly tasks: readonly {
    readonly name: string;
    readonly meaning: string;
    readonly kinds: readonly TaskKindInfo[];
  }[];
  /** Built-in reward functions. */
  readonly rewards: readonly { readonly name: string; readonly meaning: string }[];
}

/** A run as the page asks for it. `settings` holds what the user changed, by TRL's name, as typed. */
export interface RunRequest {
  readonly preset: string;
  /** A built-in task; passed over where a dataset was imported and chosen. */
  readonly task: string;
  /** An imported dataset's id. */
  readonly dataset?: string;
  /** Built-in reward functions. Default: boxed_answer, where there is no code of the user's. */
  readonly rewards?: readonly string[];
  /** The user's own reward function, switched on by the user; runs in the sandbox alone. */
  readonly rewardCode?: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** null = there was none. `reward_code` comes whole. */
export interface RunChange {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What a visitor says of a run; `deletedAt` hides it, and null brings it back. */
export interface RunLabels {
  readonly name?: string;
  readonly notes?: string;
  readonly isStarred?: boolean;
  readonly deletedAt?: number | null;
}

/** A run that is kept in this browser. */
export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly state: 'running' | 'finished' | 'stopped' | 'failed';
  readonly step: number;
  readonly totalSteps: number;
  readonly bestMetric: number | null;
  /** Steps of its checkpoints, oldest first. */
  readonly checkpoints: readonly number[];
  /** The bytes of each. */
  readonly checkpointBytes: readonly number[];
  readonly notes: string;
  readonly isStarred: boolean;
  /** In what it was set up differently from the run before it; null where there is none before it. */
  readonly changes: readonly RunChange[] | null;
  readonly bestStep: number | null;
  /** Bytes in storage. */
  readonly bytes: number;
  /** Another tab writes to it, so here it can only be read. */
  readonly isOpenElsewhere: boolean;
  /** It is the one that trains here, or trained last. */
  readonly isOpenHere: boolean;
  /** Nobody stopped it and it did not fail: its tab was closed, or crashed. */
  readonly isCutOff: boolean;
  /** It needs the sandbox to go on. */
  readonly hasRewardCode: boolean;
  readonly model: string;
  /** It trained an adapter, not the model's own weights. */
  readonly hasAdapter: boolean;
  /** What must be loaded for it to go on; null where its checkpoints hold all of it. */
  readonly base: ModelMark | null;
  readonly task: string;
}

/** Whose answers are asked for: the model as loaded, the one that trains or trained here, or a kept checkpoint. */
export type Subject =
  | { readonly kind: 'base' }
  | { readonly kind: 'current' }
  | { readonly kind: 'run'; readonly run: string; readonly step: number };

export interface StorageView {
  readonly used: number;
  /** null where the browser does not say. */
  readonly free: number | null;
  /** Whether the browser promises to keep what is stored when space gets short. */
  readonly persistence: 'granted' | 'denied' | 'unknown';
}

/** One update's or evaluation's numbers, as kept with the run. */
export interface HistoryRow {
  readonly step: number;
  readonly kind: 'step' | 'evaluation';
  readonly metrics: Readonly<Record<string, number>>;
}

export interface ExportRequest {
  readonly run: string;
  /** A checkpoint's step. */
  readonly step: number;
  /**
   * The model's folder, with an adapter merged in; the adapter alone, for PEFT; the model for transformers.js alone; or the
   * model with its data and settings, for the authors' code on a cluster.
   */
  readonly what: 'model' | 'adapter' | 'onnx' | 'cluster';
  /** undefined: as the model itself is stored. */
  readonly dtype?: 'float32' | 'bfloat16';
  /** With `model`: the files of transformers.js too. */
  readonly onnx: boolean;
  /** Every sampled completion, as JSONL and Parquet. */
  readonly completions: boolean;
}

export interface TransferProgress {
  /** From 0 to 1. */
  readonly fraction: number;
  readonly message: string;
  readonly secondsLeft: number | null;
}

export interface PushRequest extends ExportRequest {
  /** `user/name`. */
  readonly repo_id: string;
  /** Used for this one push, never kept. */
  readonly token: string;
  readonly isPrivate: boolean;
}

/** A file and its path inside what was dropped or picked. */
export interface PickedFileView {
  readonly path: string;
  readonly file: Blob;
}

/** A dataset that is kept in this browser. */
export interface DatasetSummary {
  readonly id: string;
  readonly name: string;
  /** Rows that can be used. */
  readonly good: number;
}

/** What became of files given as a dataset. */
export interface DatasetView extends DatasetSummary {
  readonly rows: number;
  readonly columns: readonly string[];
  /** Rows that cannot be used. */
  readonly problemRows: number;
  /** What was done to good rows that their owner may not expect. */
  readonly notes: readonly string[];
  readonly hasAnswers: boolean;
  /** The first good rows. */
  readonly samples: readonly GroupView[];
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

/** RGBA, row by row, as ImageData takes it. */
export interface ImageView {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  /** As RasterImage has it: a picture that is asked about again is not resized a second time. */
  readonly prepared?: string;
}

export interface TokenView {
  readonly text: string;
  /** KL[π‖π_mask] of this token, nats; null where the masked view was not computed. */
  readonly kl: number | null;
  /** π(token | image), and the same for the masked image; null where the update did not compute it. */
  readonly probability: number | null;
  readonly maskedProbability: number | null;
  /** H[π], nats. */
  readonly entropy: number | null;
  /** π / π_old: what the policy's clip looks at. */
  readonly ratio: number | null;
}

export interface CompletionView {
  readonly text: string;
  readonly tokens: readonly TokenView[];
  readonly rewards: readonly { readonly name: string; readonly value: number | null }[];
  readonly advantage: number;
  /** null where nobody can tell. */
  readonly correct: boolean | null;
  /** The first thing that is wrong. */
  readonly error: null | 'format' | 'perception' | 'reasoning';
}

/** A prompt with its completions, highest advantage first; none before the first step. */
export interface GroupView {
  readonly id: string;
  readonly prompt: string;
  readonly answer: string | null;
  readonly kind?: string;
  /** How little the text gives away. */
  readonly visionDependency?: string;
  readonly image: ImageView;
  readonly masked?: ImageView;
  readonly completions: readonly CompletionView[];
  /** Mean KL[π‖π_mask] of its tokens, nats; null where the masked view was not computed. */
  readonly meanKl?: number | null;
}

/** The steps of a run whose rollouts are there. */
export interface RolloutSteps {
  /** Oldest first. */
  readonly steps: readonly number[];
  /** Of older steps every one (1), every second (2), every fourth, … is kept. */
  readonly stride: number;
}

/** Held-out questions answered once each by the policy as it is. */
export interface HeldOut {
  readonly step: number;
  readonly questions: number;
  readonly accuracy: number;
  /** Standard error. */
  readonly accuracyError: number;
  /** Shares of completions by the first thing that is wrong; with `sound` they add up to 1. null where nobody can tell. */
  readonly shares: Readonly<Record<'sound' | 'perception' | 'reasoning' | 'format', number>> | null;
}

export interface Progress {
  readonly step: number;
  readonly totalSteps: number;
  /** Over the last steps, evaluations left out; null before the second step. */
  readonly stepsPerSecond: number | null;
  readonly tokensPerSecond: number | null;
  /** Seconds to the end, the evaluations still to come included. */
  readonly secondsLeft: number | null;
  /** Bytes that the run holds on the device, as planned before it began; null where that is not known yet. */
  readonly memory: number | null;
}

export type RunState = 'running' | 'paused' | 'stopped' | 'finished' | 'failed';

/** What the worker is doing while no step comes. */
export type Activity = 'compiling' | 'evaluating' | 'training';

export type RunEvent =
  | {
      readonly type: 'state';
      readonly state: RunState;
      readonly message?: string;
      /** The run can go on from this checkpoint. */
      readonly canResume?: boolean;
    }
  /** The run has an entry in the list of runs. */
  | { readonly type: 'kept'; readonly id: string }
  /** Goes on from this step, with these rows before it. */
  | {
      readonly type: 'resumed';
      readonly step: number;
      readonly rows: readonly HistoryRow[];
      readonly heldOut: readonly HeldOut[];
    }
  | { readonly type: 'saved'; readonly step: number; readonly pauseMs: number }
  | { readonly type: 'warning'; readonly message: string }
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
export interface TrainingService
  extends DataService,
    EvaluationService,
    LabService,
    ModelService,
    RewardService {
  catalogue(): Catalogue;
  validate(request: RunRequest): Validation;
  /** Training questions of a task, without completions. */
  samples(task: string, count: number): Promise<GroupView[]>;
  /**
   * Starts a run from the loaded weights; resolves once it is accepted, with its problems where it is not. With
   * `steps` it pauses after so many updates.
   */
  start(request: RunRequest, onEvent: (event: RunEvent) => void, steps?: number): Promise<Validation>;
  /**
   * Goes on with a kept run: from its last whole checkpoint, or from the one of `step`. Resolves to what was asked for
   * when it began.
   */
  resumeRun(id: string, onEvent: (event: RunEvent) => void, step?: number): Promise<RunRequest>;
  /** Waits for the update in progress to end. */
  pause(): void;
  resume(): void;
  /** One update of a paused run. */
  step(): void;
  /** Resolves when the run has ended and everything of it is written. */
  stop(): Promise<void>;
  /** A checkpoint of the run as it is after the update in progress. */
  saveNow(): Promise<void>;
  /** Live settings of the run, as typed; with problems nothing changes. */
  setLive(settings: Readonly<Record<string, string>>): Validation;

  /** The runs that are kept, newest first. */
  runs(): Promise<RunSummary[]>;
  history(id: string): Promise<{ rows: HistoryRow[]; heldOut: HeldOut[] }>;
  /** `run`: null for the run at hand where it is not kept; only its last step is there then. */
  rolloutSteps(run: string | null): Promise<RolloutSteps>;
  /** All prompts of a step with their completions. Throws where they cannot be shown any more. */
  rollout(run: string | null, step: number): Promise<GroupView[]>;
  /** Also of a run that trains, here or in another tab. */
  labelRun(id: string, labels: RunLabels): Promise<void>;
  /** What a run was begun with. */
  runRequest(id: string): Promise<RunRequest>;
  /** For good. One that is hidden for a while is deleted at the next visit if nobody does it before. */
  deleteRun(id: string): Promise<void>;
  storage(): Promise<StorageView>;
  /** A checkpoint as a zip; the file lies on the disk, not in memory, where the browser can do that. */
  exportZip(request: ExportRequest, onProgress: (progress: TransferProgress) => void): Promise<File>;
  /** The same, into a folder that the user picked. */
  exportFolder(
    request: ExportRequest,
    folder: FileSystemDirectoryHandle,
    onProgress: (progress: TransferProgress) => void,
  ): Promise<void>;
  /** Uploads a checkpoint; resolves to its address. */
  push(request: PushRequest, onProgress: (progress: TransferProgress) => void): Promise<string>;
  /** Ends an export or a push that goes on. */
  cancelTransfer(): void;
  /** Draws an SVG as PNG: only the page can. */
  setPainter(paint: (svg: string) => Promise<Uint8Array<ArrayBuffer>>): void;

  /** JSONL or Parquet with its images, or a zip of these. */
  importDataset(files: PickedFileView[]): Promise<{ view: DatasetView; warning?: string }>;
  datasets(): Promise<DatasetSummary[]>;
  /** The first usable rows, without completions. */
  datasetSamples(id: string): Promise<readonly GroupView[]>;
  removeDataset(id: string): Promise<void>;

  /** The door to the sandbox in which a user's reward code runs. */
  setSandbox(port: MessagePort): void;
  /** Whether the page is seen: the browser may slow a hidden one down. */
  setVisible(visible: boolean): void;
}
