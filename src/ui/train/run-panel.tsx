import type { DeviceChoice } from '../../worker/protocol.ts';
import { Files } from '../data/files.tsx';
import { Select } from '../parts/fields.tsx';
import { count, when } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, problemOf, type State } from '../state.ts';

const devices: readonly { value: DeviceChoice; label: string }[] = [
  { value: 'auto', label: 'auto (GPU if there is one)' },
  { value: 'webgpu', label: 'webgpu' },
  { value: 'cpu', label: 'cpu' },
];

/** Marks imported datasets among the tasks. */
const own = 'dataset:';

/** What to train and on what, the buttons, and how far it is. */
export function RunPanel({ session, state }: { session: Session; state: State }) {
  const { catalogue, form, loaded, validation, pending } = state;
  const going = isGoing(state);
  const busy = pending !== undefined || state.loading !== undefined;
  const preset = catalogue?.presets.find(({ name }) => name === form.preset);
  const task = catalogue?.tasks.find(({ name }) => name === form.task);
  const dataset = state.datasets.find(({ id }) => id === form.dataset);
  return (
    <section className="panel run" aria-labelledby="run-title">
      <h2 id="run-title">Train</h2>
      <div className="choices">
        <Select
          label="Preset"
          value={form.preset}
          options={(catalogue?.presets ?? [{ name: form.preset }]).map(({ name }) => ({ value: name }))}
          disabled={going || !catalogue}
          hint={preset?.source}
          onChange={(value) => void session.choose({ preset: value })}
        />
        <Select
          label="Task"
          value={form.dataset === undefined ? form.task : own + form.dataset}
          options={[
            ...(catalogue?.tasks ?? [{ name: form.task }]).map(({ name }) => ({ value: name })),
            ...state.datasets.map(({ id, name }) => ({ value: own + id, label: `your data: ${name}` })),
          ]}
          disabled={going || !catalogue || !loaded}
          hint={dataset ? `${dataset.good} rows, one in eight of them held out` : task?.meaning}
          problem={problemOf(validation, 'task')}
          onChange={(value) =>
            void session.choose(
              value.startsWith(own)
                ? { dataset: value.slice(own.length) }
                : { task: value, dataset: undefined },
            )
          }
        />
        <Select
          label="Device"
          value={form.device}
          options={devices}
          disabled={going || busy}
          hint={loaded ? `${loaded.device.label}.` : undefined}
          onChange={(value) => void session.choose({ device: value as DeviceChoice })}
        />
      </div>
      {dataset && (
        <p>
          <button
            type="button"
            disabled={going || busy}
            onClick={() => void session.files.remove(dataset.id)}
          >
            Remove {dataset.name} from this browser
          </button>
        </p>
      )}
      <Files session={session} state={state} />
      {loaded && (
        <p className="loaded">
          <strong>{loaded.model}</strong>, {count(loaded.parameters)} parameters
          {validation && validation.promptsPerStep > 0 && (
            <>
              ; each step answers {short(validation.promptsPerStep)} prompts{' '}
              {short(validation.completionsPerStep / validation.promptsPerStep)} times
            </>
          )}
          .
        </p>
      )}
      {loaded?.notice && <p className="notice">{loaded.notice}</p>}
      {state.saved && (
        <p className="hint" data-testid="saved">
          Checkpoint of step {state.saved.step} saved at {when(state.saved.at)}.
        </p>
      )}
    </section>
  );
}

const short = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
