/** Nine short steps beside the page that they drive: one idea a screen, and a check of what the page measured. */
import './lesson.css';
import { useEffect, useRef } from 'react';
import { percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { Lesson as Controller, LessonState } from './lesson-controller.ts';
import { STEPS } from './steps.ts';

const t = text.lesson;

export function Lesson({ session, state }: { session: Session; state: State }) {
  const { lesson } = session;
  const shown = useStore(lesson.store);
  const { id } = STEPS[shown.step];
  const words = t.steps[id];
  const title = useFocusOnChange(shown.step);
  return (
    <aside className="lesson panel" aria-labelledby="lesson-title">
      <div className="title-row small">
        <h2 id="lesson-title">{t.title}</h2>
        <button type="button" onClick={() => session.toggleLesson()}>
          {t.close}
        </button>
      </div>
      <Places lesson={lesson} shown={shown} />
      <h3 ref={title} tabIndex={-1}>
        {words.title}
      </h3>
      <p>{words.body}</p>
      <Action lesson={lesson} shown={shown} state={state} />
      <section className="lesson-part" aria-labelledby="lesson-look">
        <h4 id="lesson-look">{t.lookFor}</h4>
        <p>{words.look}</p>
      </section>
      <Check shown={shown} state={state} />
      <Turns lesson={lesson} shown={shown} state={state} />
    </aside>
  );
}

/** A step that is turned to is read from its title on. */
function useFocusOnChange(step: number) {
  const title = useRef<HTMLHeadingElement>(null);
  const last = useRef(step);
  useEffect(() => {
    if (last.current === step) return;
    last.current = step;
    title.current?.focus();
  }, [step]);
  return title;
}

/** Where one is, and which steps are done; each can be turned to. */
function Places({ lesson, shown }: { lesson: Controller; shown: LessonState }) {
  return (
    <div className="lesson-places">
      <p>{t.progress(shown.step + 1, STEPS.length)}</p>
      <ol aria-label={t.stepsLabel}>
        {STEPS.map(({ id }, i) => {
          const isDone = shown.met[id] !== undefined;
          const name = t.stepName(i + 1, t.steps[id].title, isDone);
          return (
            <li key={id}>
              <button
                type="button"
                className={isDone ? 'met' : undefined}
                aria-current={i === shown.step ? 'step' : undefined}
                aria-label={name}
                title={name}
                onClick={() => lesson.goTo(i)}
              >
                {isDone ? '✓' : i + 1}
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Action({ lesson, shown, state }: { lesson: Controller; shown: LessonState; state: State }) {
  const { id } = STEPS[shown.step];
  const trains = STEPS[shown.step].trains === true;
  const stops = trains && lesson.wouldStop();
  const isBusy = shown.isDriving || state.pending !== undefined || !state.loaded;
  const label = stops ? t.stopAndDoIt : shown.met[id] === undefined ? t.doIt : t.doItAgain;
  const { loaded } = state;
  return (
    <div className="lesson-action">
      <button
        type="button"
        className="primary"
        disabled={isBusy}
        aria-describedby="lesson-action-hint"
        onClick={() => void lesson.drive()}
      >
        {label}
      </button>
      <p className="hint" id="lesson-action-hint">
        {t.steps[id].action} {stops ? t.stopHint : t.ownWay}
      </p>
      {id === 'home' && <Best lesson={lesson} state={state} />}
      {!loaded && <p className="hint">{t.notLoaded}</p>}
      {loaded && loaded.model !== 'papo-nano' && id !== 'real' && (
        <p className="notice">{t.otherModel(loaded.model)}</p>
      )}
    </div>
  );
}

/** Which run is worth taking home. */
function Best({ lesson, state }: { lesson: Controller; state: State }) {
  const best = lesson.best();
  const name = state.runs.find(({ id }) => id === best?.id)?.name;
  if (!best || name === undefined) return null;
  return <p>{t.best(name, percent(best.accuracy), percent(best.accuracyError))}</p>;
}

function Check({ shown, state }: { shown: LessonState; state: State }) {
  const { id } = STEPS[shown.step];
  const done = shown.met[id];
  const missed = shown.finding?.state === 'missed' ? shown.finding.say : undefined;
  const isWatching = isGoing(state) && state.run === 'running' && done === undefined;
  const { progress } = state;
  const heading = done !== undefined ? t.done : missed !== undefined ? t.notHappened : t.notYet;
  return (
    <section
      className={`lesson-part check-${done !== undefined ? 'met' : missed !== undefined ? 'missed' : 'open'}`}
      aria-labelledby="lesson-check"
      data-testid="lesson-check"
    >
      <h4 id="lesson-check">{t.checkTitle}</h4>
      <div role="status">
        <p className="lesson-verdict">
          <span aria-hidden="true">{done !== undefined ? '✓' : missed !== undefined ? '✗' : '○'}</span>{' '}
          {heading}
        </p>
        {done !== undefined && <p>{done}</p>}
        {missed !== undefined && <p>{done === undefined ? missed : t.now(missed)}</p>}
        {done === undefined && missed === undefined && <p className="hint">{t.waiting[id]}</p>}
      </div>
      {shown.measuring !== undefined && <p className="hint">{t.measuring(percent(shown.measuring))}</p>}
      {isWatching && (
        <p className="hint">{progress ? t.watching(progress.step, progress.totalSteps) : t.starting}</p>
      )}
    </section>
  );
}

function Turns({ lesson, shown, state }: { lesson: Controller; shown: LessonState; state: State }) {
  const isLast = shown.step === STEPS.length - 1;
  return (
    <>
      <div className="buttons small lesson-turns">
        <button type="button" disabled={shown.step === 0} onClick={() => lesson.goTo(shown.step - 1)}>
          {t.previous}
        </button>
        {isLast ? (
          <>
            <button type="button" onClick={() => lesson.startOver()}>
              {t.startOver}
            </button>
            <button type="button" disabled={isGoing(state)} onClick={() => void lesson.finish()}>
              {t.finish}
            </button>
          </>
        ) : (
          <button type="button" onClick={() => lesson.goTo(shown.step + 1)}>
            {t.next}
          </button>
        )}
      </div>
      {shown.before && !isGoing(state) && (
        <div className="small lesson-back">
          <p className="hint">{t.giveBackHint}</p>
          <button type="button" onClick={() => void lesson.giveBack()}>
            {t.giveBack}
          </button>
        </div>
      )}
    </>
  );
}
