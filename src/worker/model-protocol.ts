/** What page and worker say to each other about models: where they come from, how far they are, what is kept of them. */
import type { PlanView } from '../policy/plan.ts';
import type { DeviceChoice, PickedFileView, RunRequest } from './protocol.ts';

export type { PlanView } from '../policy/plan.ts';

/** Where a model comes from, as a run remembers it. Never a token. */
export type ModelSource =
  /** The page's own. */
  | { readonly kind: 'built-in'; readonly url: string }
  /** A folder below the page's own origin. */
  | { readonly kind: 'site'; readonly url: string }
  /** `commit`: what the revision was when it was loaded. */
  | { readonly kind: 'hub'; readonly id: string; readonly revision?: string; readonly commit?: string }
  /** Files that the user gave: only the user can give them again. */
  | { readonly kind: 'files' };

/** A model to load. */
export type ModelChoice =
  | Exclude<ModelSource, { kind: 'files' }>
  | { readonly kind: 'files'; readonly files: PickedFileView[] };

/** The model that an adapter was trained on, or that a run began with. */
export interface ModelMark {
  readonly name: string;
  readonly source: ModelSource;
  /** Of its configuration and of some of its weights: two models that have the same are taken for one. */
  readonly mark: string;
}

export interface LoadProgress {
  /** A sentence for people. */
  readonly message: string;
  /** From 0 to 1. */
  readonly fraction: number;
  /** Where bytes are counted: a download, or the way onto the device. */
  readonly bytes?: {
    readonly loaded: number;
    readonly total: number;
    /** null until it can be told. */
    readonly perSecond: number | null;
    readonly secondsLeft: number | null;
  };
}

export interface Loaded extends ModelMark {
  /** The same as `name`. */
  readonly model: string;
  /** The user gave its files; else it is the page's, or was downloaded. */
  readonly isOwn: boolean;
  readonly parameters: number;
  /** Its frozen weights lie on the device in half floats, once for everybody who asks it. */
  readonly isLarge: boolean;
  readonly device: { readonly kind: 'webgpu' | 'cpu' | 'reference'; readonly label: string };
  /** Why the device, or the model's copy, is not the one that one might expect. */
  readonly notice?: string;
}

/** A model that was downloaded and is kept in this browser. */
export interface CachedModelView {
  readonly key: string;
  readonly source: Exclude<ModelSource, { kind: 'files' }>;
  readonly name: string;
  /** Bytes that are here, and that the whole model has. */
  readonly bytes: number;
  readonly totalBytes: number;
  readonly isWhole: boolean;
}

/** What a model would take in memory on the device that is there, trained as the preset for SmolVLM trains. */
export interface ModelNeeds {
  readonly parameters: number;
  /** null where it cannot be trained so. */
  readonly lora: { readonly bytes: number; readonly fits: boolean } | null;
  readonly full: { readonly bytes: number; readonly fits: boolean } | null;
  /** null where the device does not say how much it has. */
  readonly limit: number | null;
}

/** Seconds of one step, and of its two parts. */
export interface StepEstimate {
  readonly seconds: number;
  readonly rollout: number;
  readonly training: number;
}

/** Models that can be planned without a download. */
export type KnownModel = 'smolvlm-256m' | 'smolvlm-500m';

/** What the Hub says of a model. */
export interface HubModelView {
  readonly id: string;
  readonly revision: string;
  readonly commit: string;
  /** As its card has it; null where it says nothing. */
  readonly license: string | null;
  readonly downloadBytes: number;
  readonly isGated: boolean;
  readonly needs: ModelNeeds;
}

export interface ModelService {
  /** `config`: a known model's, or an address of the page's own. */
  modelNeeds(config: KnownModel | { readonly url: string }): Promise<ModelNeeds>;
  /** Asks the Hub, which is a request to it. `token` is kept nowhere. */
  lookUpModel(id: string, revision: string | undefined, token: string | undefined): Promise<HubModelView>;
  /**
   * What a run of the loaded model with these settings would hold; null where none is loaded, the settings have problems,
   * or a later question came before the answer.
   */
  plan(request: RunRequest): Promise<PlanView | null>;
  /** About how long a step of such a run takes on this device, by a probe of two seconds at most; null as for `plan`. */
  estimateStep(request: RunRequest): Promise<StepEstimate | null>;
  /**
   * Loads a model onto a device; an earlier one and its run are given up once the new one's files are here. `token`: of
   * the Hub, for this one download, kept nowhere. null: the model that is there, on another device. Rejects where it
   * fails or is cancelled; `loadedModel` then says what there is.
   */
  load(
    choice: ModelChoice | null,
    device: DeviceChoice,
    onProgress: (progress: LoadProgress) => void,
    token?: string,
  ): Promise<Loaded>;
  cancelLoad(): void;
  /** The model that is there; null where none is. */
  loadedModel(): Loaded | null;
  cachedModels(): Promise<CachedModelView[]>;
  deleteCachedModel(key: string): Promise<void>;
}
