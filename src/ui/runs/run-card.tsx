/** One kept run: what it is, what was said of it, and what can be done with it. */
import { useState } from 'react';
import type { RunSummary } from '../../worker/protocol.ts';
import { bytes, percent, when } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { checkpointOptions } from './checkpoints.ts';
import { RunChanges } from './run-changes.tsx';
import { NameField, Notes, Star } from './run-fields.tsx';

const t = text.runs;

interface Props {
  run: RunSummary;
  session: Session;
  state: State;
}

export function RunCard({
  run,
  session,
  state,
  onHandOver,
}: Props & { onHandOver: (how: 'download' | 'push') => void }) {
  const { id, name, checkpoints, bestMetric, isOpenElsewhere } = run;
  const [isRenaming, setRenaming] = useState(false);
  const isHere = isGoing(state) && state.keptId === id;
  const facts = [
    when(run.createdAt),
    run.model,
    run.task,
    t.stepOf(run.step, run.totalSteps),
    bestMetric !== null && t.best(percent(bestMetric)),
    t.checkpoints(checkpoints.length),
    bytes(run.bytes),
  ].filter(Boolean);
  const isShown = useStore(session.overlay.store).shown.some((one) => one.id === id);
  const label = isOpenElsewhere
    ? t.elsewhere
    : isHere
      ? t.here
      : run.isCutOff
        ? t.cutOff
        : t.states[run.state];
  return (
    <li aria-label={name}>
      <div className="kept-head">
        <Star run={run} session={session} />
        {isRenaming ? (
          <NameField run={run} session={session} onClose={() => setRenaming(false)} />
        ) : (
          <strong>{name}</strong>
        )}
        <span className="tag">{label}</span>
      </div>
      <p className="hint">{facts.join(' · ')}</p>
      <RunChanges changes={run.changes} />
      <Notes run={run} session={session} />
      <div className="buttons small">
        {!isOpenElsewhere && !isHere && <ResumeFrom run={run} session={session} state={state} />}
        <button type="button" aria-pressed={isShown} onClick={() => void session.overlay.toggle(id)}>
          {t.show}
        </button>
        <button
          type="button"
          title={t.duplicateHint}
          disabled={isGoing(state)}
          onClick={() => void session.duplicate(id)}
        >
          {t.duplicate}
        </button>
        <button type="button" disabled={checkpoints.length === 0} onClick={() => onHandOver('download')}>
          {t.download}
        </button>
        {!isOpenElsewhere && (
          <button type="button" disabled={checkpoints.length === 0} onClick={() => onHandOver('push')}>
            {t.push}
          </button>
        )}
        <button type="button" disabled={isRenaming} onClick={() => setRenaming(true)}>
          {t.rename}
        </button>
        {!isOpenElsewhere && (
          <button
            type="button"
            disabled={isHere}
            onClick={({ detail }) => void remove(run, session, detail === 0)}
          >
            {t.delete}
          </button>
        )}
      </div>
      {checkpoints.length > 0 && <Checkpoints run={run} />}
    </li>
  );
}

/** With the keyboard the button that was pressed is gone: the next one to press is the one that undoes it. */
async function remove(run: RunSummary, session: Session, isKeyboard: boolean): Promise<void> {
  await session.kept.bin.put(run);
  if (isKeyboard)
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-undo="${run.id}"]`)?.focus());
}

function Checkpoints({ run: { checkpoints, checkpointBytes, bestStep } }: { run: RunSummary }) {
  return (
    <details className="checkpoints">
      <summary>{t.details}</summary>
      <ul>
        {checkpoints.map((step, i) => {
          const marks = [i === checkpoints.length - 1 && t.last, step === bestStep && t.bestMark];
          return (
            <li key={step}>
              {[t.step(step), bytes(checkpointBytes[i]), ...marks].filter(Boolean).join(' · ')}
            </li>
          );
        })}
      </ul>
    </details>
  );
}

/** From the last checkpoint, or from another that the visitor chooses. */
function ResumeFrom({ run, session, state }: Props) {
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
        title={isOver ? t.isEnd : undefined}
        onClick={() => void session.resumeRun(run.id, step === last ? undefined : step)}
      >
        {t.resume}
      </button>
      {run.checkpoints.length > 1 && (
        <select
          aria-label={t.resumeFrom}
          title={t.takesBack}
          value={step}
          disabled={isBusy}
          onChange={({ target }) => setChosen(Number(target.value))}
        >
          {checkpointOptions(run).map(({ value, label }) => (
            <option key={value} value={value}>
              {t.from(label)}
            </option>
          ))}
        </select>
      )}
    </span>
  );
}
