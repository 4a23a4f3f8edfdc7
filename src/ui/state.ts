/** What the page shows, and how the worker's events change it. */
import type {
  Activity,
  Catalogue,
  DatasetSummary,
  DatasetView,
  DeviceChoice,
  GroupView,
  HeldOut,
  Loaded,
  LoadProgress,
  Problem,
  Progress,
  RunEvent,
  RunRequest,
  RunState,
  RunSummary,
  StorageView,
  TransferProgress,
  Validation,
} from '../worker/protocol.ts';
import { emptyHistory, type History, heldOutMetrics, historyOf, withRow } from './curves/history.ts';
import type { Panel } from './panels.ts';

/** What the user chose and typed. */
export interface Form {
  readonly preset: string;
  readonly task: string;
  readonly device: DeviceChoice;
  readonly settings: Readonly<Record<string, string>>;
  /** An imported dataset's id, instead of the task. */
  readonly dataset?: string;
  /** Built-in rewards. */
  readonly rewards: readonly string[];
  /** Own reward code; it runs only where it is switched on. */
  readonly code: string;
  readonly codeIsOn: boolean;
  readonly codeIsFromLink: boolean;
}

/** A checkpoint on its way out. */
export interface Transfer {
  readonly state: 'going' | 'done' | 'failed';
  readonly progress?: TransferProgress;
  /** What came of it, or what went wrong. */
  readonly message?: string;
  /** Where a push went. */
  readonly url?: string;
}

export interface State {
  readonly panel: Panel;
  readonly lessonIsOpen: boolean;
  readonly catalogue?: Catalogue;
  readonly form: Form;
  readonly validation?: Validation;
  readonly loading?: LoadProgress;
  readonly loaded?: Loaded;
  /** The preset changed with the model. */
  readonly suited?: { readonly from: string; readonly to: string; readonly model: string };
  /** What went wrong outside of a single field. */
  readonly error?: string;
  /** What went wrong left a checkpoint to go on from. */
  readonly canResume: boolean;
  readonly warnings: readonly string[];
  readonly run: RunState | 'none';
  /** A run was asked for, and the worker has not said so yet. */
  readonly pending?: 'start' | 'pause' | 'stop' | 'step';
  /** The run that trains, or trained last, in the list of kept runs. */
  readonly keptId?: string;
  readonly saved?: { readonly step: number; readonly at: number };
  readonly activity?: {
    readonly kind: Activity;
    readonly since: number;
    readonly expectedSeconds: number | null;
  };
  readonly progress?: Progress;
  readonly history: History;
  readonly heldOut: readonly HeldOut[];
  /** Of the last step, or what will be asked. */
  readonly groups: readonly GroupView[];
  readonly runs: readonly RunSummary[];
  readonly storage?: StorageView;
  readonly transfer?: Transfer;
  readonly datasets: readonly DatasetSummary[];
  /** Files that are being looked at. */
  readonly reading?: string;
  /** What dropped or picked files were taken for. */
  readonly taken?: string;
  /** A dataset that waits for the user's word. */
  readonly offered?: DatasetView;
}

export const initialState: State = {
  panel: 'train',
  lessonIsOpen: false,
  form: {
    preset: 'papo-nano',
    task: 'shapes',
    device: 'auto',
    settings: {},
    rewards: ['boxed_answer'],
    code: '',
    codeIsOn: false,
    codeIsFromLink: false,
  },
  canResume: false,
  warnings: [],
  run: 'none',
  history: emptyHistory(),
  heldOut: [],
  groups: [],
  runs: [],
  datasets: [],
};

/** A run begins: what the last one left is cleared. */
export function cleared(state: State): State {
  return {
    ...state,
    error: undefined,
    canResume: false,
    run: 'running',
    keptId: undefined,
    saved: undefined,
    progress: undefined,
    history: emptyHistory(),
    heldOut: [],
    activity: undefined,
  };
}

export const isGoing = ({ run }: State) => run === 'running' || run === 'paused';

/** The form as the worker takes it. */
export const requestOf = ({
  preset,
  task,
  dataset,
  rewards,
  code,
  codeIsOn,
  settings,
}: Form): RunRequest => ({
  preset,
  task,
  settings,
  rewards,
  ...(dataset !== undefined && { dataset }),
  ...(codeIsOn && { rewardCode: code }),
});

/** The form as it was when a run was begun with this. Code stays in the form where the run had none. */
export const formOf = (form: Form, { rewardCode, rewards = [], ...request }: RunRequest): Form => ({
  ...form,
  ...request,
  rewards,
  dataset: request.dataset,
  codeIsOn: rewardCode !== undefined,
  ...(rewardCode !== undefined && { code: rewardCode, codeIsFromLink: false }),
});

export function withEvent(state: State, event: RunEvent): State {
  switch (event.type) {
    case 'state':
      return {
        ...state,
        run: event.state,
        pending: undefined,
        error: event.message ?? (event.state === 'running' ? undefined : state.error),
        canResume: event.canResume ?? (event.state === 'running' ? false : state.canResume),
        ...(event.state !== 'running' && { activity: undefined }),
      };
    case 'kept':
      return { ...state, keptId: event.id };
    case 'resumed':
      return {
        ...state,
        history: historyOf(event.rows),
        heldOut: event.heldOut,
        ...(state.progress && { progress: { ...state.progress, step: event.step } }),
      };
    case 'saved':
      return { ...state, saved: { step: event.step, at: Date.now() } };
    case 'warning':
      return state.warnings.includes(event.message)
        ? state
        : { ...state, warnings: [...state.warnings, event.message] };
    case 'activity':
      return {
        ...state,
        activity: { kind: event.activity, since: performance.now(), expectedSeconds: event.expectedSeconds },
      };
    case 'evaluation':
      return {
        ...state,
        heldOut: [...state.heldOut, event.heldOut],
        history: withRow(state.history, event.heldOut.step, heldOutMetrics(event.heldOut)),
      };
    case 'step':
      return {
        ...state,
        progress: event.progress,
        groups: event.groups,
        history: withRow(state.history, event.step, event.metrics),
      };
  }
}

/** The problem of one field, or undefined. */
export function problemOf(validation: Validation | undefined, field: string): string | undefined {
  const own = validation?.problems.filter((problem) => problem.field === field).map((p) => p.message);
  return own?.length ? own.join(' ') : undefined;
}

/** Problems of fields that the page has no control for. */
export function otherProblems(validation: Validation | undefined, shown: readonly string[]): Problem[] {
  return validation?.problems.filter(({ field }) => field === undefined || !shown.includes(field)) ?? [];
}
