/** The runs that this browser keeps, what can be done with each, and how much room there is. */
import { useState } from 'react';
import type { RunSummary, StorageView } from '../../worker/protocol.ts';
import { checkpointOptions } from './checkpoints.ts';
import { bytes, percent, when } from '../parts/format.ts';
import { DownloadDialog, PushDialog } from './hand-over-dialogs.tsx';
import { DeleteDialog, RenameDialog } from './run-dialogs.tsx';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';

type Action = 'download' | 'push' | 'rename' | 'delete';

export function RunsPanel({ session, state }: { session: Session; state: State }) {
  const [open, setOpen] = useState<{ action: Action; id: string }>();
  const { runs, storage } = state;
  const run = runs.find(({ id }) => id === open?.id);
  const dialog = { session, state, onClose: () => setOpen(undefined) };
  return (
    <section className="panel kept" aria-labelledby="kept-title">
      <h2 id="kept-title">Kept runs</h2>
      {storage && <Room storage={storage} session={session} />}
      {runs.length === 0 ? (
        <p className="hint">
          Every run is kept in this browser with its checkpoints, from its first step on. None is there yet.
        </p>
      ) : (
        <ul className="kept-list">
          {runs.map((one) => (
            <KeptRun
              key={one.id}
              run={one}
              session={session}
              state={state}
              onAction={(action) => setOpen({ action, id: one.id })}
            />
          ))}
        </ul>
      )}
      {run && open?.action === 'download' && <DownloadDialog run={run} {...dialog} />}
      {run && open?.action === 'push' && <PushDialog run={run} {...dialog} />}
      {run && open?.action === 'rename' && <RenameDialog run={run} {...dialog} />}
      {run && open?.action === 'delete' && <DeleteDialog run={run} {...dialog} />}
    </section>
  );
}

function KeptRun({
  run,
  session,
  state,
  onAction,
}: {
  run: RunSummary;
  session: Session;
  state: State;
  onAction: (action: Action) => void;
}) {
  const { id, name, checkpoints, bestMetric, isOpenElsewhere } = run;
  const isHere = isGoing(state) && state.keptId === id;
  const facts = [
    when(run.createdAt),
    run.task,
    `step ${run.step} of ${run.totalSteps}`,
    bestMetric !== null && `best accuracy ${percent(bestMetric)}`,
    `${checkpoints.length} ${checkpoints.length === 1 ? 'checkpoint' : 'checkpoints'}`,
    bytes(run.bytes),
  ].filter(Boolean);
  const isShown = useStore(session.overlay.store).shown.some((one) => one.id === id);
  return (
    <li aria-label={name}>
      <p className="kept-head">
        <strong>{name}</strong>
        <span className="tag">
          {isOpenElsewhere
            ? 'open in another tab'
            : isHere
              ? 'going on here'
              : run.isCutOff
                ? 'cut off'
                : run.state}
        </span>
      </p>
      <p className="hint">{facts.join(' · ')}</p>
      <div className="buttons small">
        {!isOpenElsewhere && !isHere && <ResumeFrom run={run} session={session} state={state} />}
        <button
          type="button"
          aria-pressed={isShown}
          onClick={() => void session.overlay.toggle(id)}
        >
          Show
        </button>
        <button type="button" disabled={checkpoints.length === 0} onClick={() => onAction('download')}>
          Download
        </button>
        {!isOpenElsewhere && (
          <>
            <button type="button" disabled={checkpoints.length === 0} onClick={() => onAction('push')}>
              Push
            </button>
            <button type="button" disabled={isHere} onClick={() => onAction('rename')}>
              Rename
            </button>
            <button type="button" disabled={isHere} onClick={() => onAction('delete')}>
              Delete
            </button>
          </>
        )}
      </div>
    </li>
  );
}

/** From the last checkpoint, or from another that the visitor chooses. */
function ResumeFrom({ run, session, state }: { run: RunSummary; session: Session; state: State }) {
  const last = run.checkpoints.at(-1);
  const [chosen, setChosen] = useState<number>();
  const step = chosen !== undefined && run.checkpoints.includes(chosen) ? chosen : last;
  const isOver = step !== undefined && step >= run.totalSteps;
  const isBusy = isGoing(state) || state.pending !== undefined || state.loading !== undefined;
  return (
    <span className="resume">
      <button
        type="button"
        disabled={isBusy || isOver}
        title={isOver ? 'This checkpoint is the end of the run; choose an earlier one.' : undefined}
        onClick={() => void session.resumeRun(run.id, step === last ? undefined : step)}
      >
        Resume
      </button>
      {run.checkpoints.length > 1 && (
        <select
          aria-label="Checkpoint to resume from"
          title="Resuming from an earlier checkpoint takes back what came after it."
          value={step}
          disabled={isBusy}
          onChange={({ target }) => setChosen(Number(target.value))}
        >
          {checkpointOptions(run).map(({ value, label }) => (
            <option key={value} value={value}>
              from {label}
            </option>
          ))}
        </select>
      )}
    </span>
  );
}

function Room({ storage, session }: { storage: StorageView; session: Session }) {
  const { used, free, persistence } = storage;
  const share = free === null || used + free === 0 ? 0 : used / (used + free);
  return (
    <div className="room">
      {free !== null && <progress className="thin" aria-label="Storage used" max={1} value={share} />}
      <p className="hint">
        {bytes(used)} used{free !== null && `, ${bytes(free)} free`}.{' '}
        {persistence === 'granted' && 'The browser keeps it until you delete it.'}
        {persistence === 'denied' && 'The browser does not promise to keep it: download what matters to you.'}
      </p>
      {persistence !== 'granted' && (
        <div className="buttons small">
          <button type="button" onClick={() => void session.kept.askToKeep()}>
            Ask the browser to keep it
          </button>
        </div>
      )}
    </div>
  );
}
