/** What the page shows, and how the worker's events change it. */
import type {
  Activity,
  Catalogue,
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
  Validation,
} from '../worker/protocol.ts';

export interface Form extends RunRequest {
  readonly device: DeviceChoice;
}

/** Numbers by step; row 0 stands for the start, before any update. */
export interface History {
  readonly steps: number[];
  readonly columns: Map<string, (number | null)[]>;
}

export interface State {
  readonly catalogue?: Catalogue;
  readonly form: Form;
  readonly validation?: Validation;
  readonly loading?: LoadProgress;
  readonly loaded?: Loaded;
  /** What went wrong outside of a single field. */
  readonly error?: string;
  readonly run: RunState | 'none';
  /** A run was asked for, and the worker has not said so yet. */
  readonly pending?: 'start' | 'pause' | 'stop' | 'step';
  readonly activity?: {
    readonly kind: Activity;
    readonly since: number;
    readonly expectedSeconds: number | null;
  };
  readonly progress?: Progress;
  readonly history: History;
  readonly heldOut: readonly HeldOut[];
  readonly groups: readonly GroupView[];
}

export const initialState: State = {
  form: { preset: 'papo-nano', task: 'shapes', device: 'auto', settings: {} },
  run: 'none',
  history: emptyHistory(),
  heldOut: [],
  groups: [],
};

function emptyHistory(): History {
  return { steps: [0], columns: new Map() };
}

/** A run begins: what the last one left is cleared. */
export function cleared(state: State): State {
  return {
    ...state,
    error: undefined,
    run: 'running',
    progress: undefined,
    history: emptyHistory(),
    heldOut: [],
    activity: undefined,
  };
}

export const isGoing = ({ run }: State) => run === 'running' || run === 'paused';

export function withEvent(state: State, event: RunEvent): State {
  switch (event.type) {
    case 'state':
      return {
        ...state,
        run: event.state,
        pending: undefined,
        ...(event.message !== undefined && { error: event.message }),
        ...(event.state !== 'running' && { activity: undefined }),
      };
    case 'activity':
      return {
        ...state,
        activity: { kind: event.activity, since: performance.now(), expectedSeconds: event.expectedSeconds },
      };
    case 'evaluation':
      return {
        ...state,
        heldOut: [...state.heldOut, event.heldOut],
        history: withRow(state.history, event.heldOut.step, { held_out: event.heldOut.accuracy }),
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

/** The history is shared between states and grown in place: copying it would make a long run quadratic. */
function withRow(history: History, step: number, values: Readonly<Record<string, number>>): History {
  const { steps, columns } = history;
  if (steps[steps.length - 1] !== step) {
    steps.push(step);
    for (const column of columns.values()) column.push(null);
  }
  for (const [name, value] of Object.entries(values)) {
    let column = columns.get(name);
    if (!column) {
      column = new Array<number | null>(steps.length).fill(null);
      columns.set(name, column);
    }
    column[steps.length - 1] = value;
  }
  return { steps, columns };
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
