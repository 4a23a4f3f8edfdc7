/** What to train, on what, and on which device. */
import { DEVICE_CHOICES, type DeviceChoice } from '../../worker/protocol.ts';
import { Files } from '../data/files.tsx';
import { ChosenModel } from '../models/chosen-model.tsx';
import { Select } from '../parts/fields.tsx';
import { when } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, problemOf, type State } from '../state.ts';
import { text } from '../text.ts';

const t = text.train;
const devices = DEVICE_CHOICES.map((value) => ({ value, label: t.deviceChoices[value] }));

/** Marks imported datasets among the tasks. */
const own = 'dataset:';

export function RunPanel({ session, state }: { session: Session; state: State }) {
  const { catalogue, form, loaded, validation, pending } = state;
  const going = isGoing(state);
  const busy = pending !== undefined || state.loading !== undefined;
  const preset = catalogue?.presets.find(({ name }) => name === form.preset);
  const task = catalogue?.tasks.find(({ name }) => name === form.task);
  const dataset = state.datasets.find(({ id }) => id === form.dataset);
  return (
    <section className="panel run" aria-labelledby="run-title">
      <h2 id="run-title">{t.title}</h2>
      <ChosenModel session={session} state={state} />
      <div className="choices">
        <Select
          label={t.preset}
          value={form.preset}
          options={(catalogue?.presets ?? [{ name: form.preset }]).map(({ name }) => ({ value: name }))}
          disabled={going || !catalogue}
          hint={preset?.source}
          onChange={(value) => void session.choose({ preset: value })}
        />
        <Select
          label={t.task}
          value={form.dataset === undefined ? form.task : own + form.dataset}
          options={[
            ...(catalogue?.tasks ?? [{ name: form.task }]).map(({ name }) => ({ value: name })),
            ...state.datasets.map(({ id, name }) => ({ value: own + id, label: t.yourData(name) })),
          ]}
          disabled={going || !catalogue || !loaded}
          hint={dataset ? t.yourDataHint(dataset.good) : task?.meaning}
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
          label={t.device}
          value={form.device}
          options={devices}
          disabled={going || busy}
          hint={loaded && t.deviceHint(loaded.device.label)}
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
            {t.removeData(dataset.name)}
          </button>
        </p>
      )}
      <Files session={session} state={state} />
      {validation && validation.promptsPerStep > 0 && (
        <p className="hint">
          {t.stepFacts(
            short(validation.promptsPerStep),
            short(validation.completionsPerStep / validation.promptsPerStep),
          )}
        </p>
      )}
      {loaded?.notice && <p className="notice">{loaded.notice}</p>}
      <p className="hint">{text.shell.keys}</p>
      {state.saved && (
        <p className="hint" data-testid="saved">
          {t.saved(state.saved.step, when(state.saved.at))}
        </p>
      )}
    </section>
  );
}

const short = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
