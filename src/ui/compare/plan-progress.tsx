/** How far a comparison is: all its runs, and its buttons. */
import { duration, percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';
import type { CompareState } from './comparison.ts';
import type { Plan } from './plan.ts';

const t = text.compare;
/** Of a run's time; a guess until one was measured. */
const measuringShare = 0.15;

export function PlanProgress({
  session,
  state,
  own,
  plan,
}: {
  session: Session;
  state: State;
  own: CompareState;
  plan: Plan;
}) {
  const { comparison } = session;
  const done = plan.runs.filter(({ measure }) => measure).length;
  const isIdle = own.phase === 'idle';
  return (
    <div className="plan">
      {!isIdle && <Going state={state} own={own} plan={plan} done={done} />}
      {isIdle && !plan.result && <p className="hint">{t.unfinished(done, plan.runs.length)}</p>}
      <div className="buttons">
        {isIdle && !plan.result && (
          <button
            type="button"
            className="primary"
            disabled={!state.loaded || state.run === 'running' || state.run === 'paused'}
            onClick={() => void comparison.goOn()}
          >
            {t.goOn(plan.runs.length - done)}
          </button>
        )}
        {own.phase === 'training' && state.run === 'running' && (
          <button type="button" disabled={state.pending !== undefined} onClick={() => void session.pause()}>
            {t.pause}
          </button>
        )}
        {own.phase === 'training' && state.run === 'paused' && (
          <button type="button" disabled={state.pending !== undefined} onClick={() => void session.resume()}>
            {t.resume}
          </button>
        )}
        {!isIdle && (
          <button type="button" disabled={own.stopping} onClick={() => void comparison.stop()}>
            {own.stopping ? t.stopping : t.stop}
          </button>
        )}
        {isIdle && (
          <button type="button" onClick={() => void comparison.forget()}>
            {t.forget}
          </button>
        )}
      </div>
      <ol className="plan-runs" aria-label={t.runs}>
        {plan.runs.map(({ arm, seed, run, measure }, i) => {
          const isAt = !isIdle && own.at === i;
          const where = measure ? 'measured' : isAt ? 'training' : run ? 'begun' : 'waiting';
          return (
            <li key={`${arm} ${seed}`} className={where} aria-current={isAt ? 'step' : undefined}>
              {t.runName(plan.arms[arm].name, seed)} <span className="tag">{t.states[where]}</span>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function Going({ state, own, plan, done }: { state: State; own: CompareState; plan: Plan; done: number }) {
  const { arm, seed } = plan.runs[own.at];
  const name = t.runName(plan.arms[arm].name, seed);
  const total = plan.runs.length;
  const { progress } = state;
  const { measuring } = own;
  const measured = measuring ? measuring.done / measuring.total : 0;
  const trained = progress ? progress.step / plan.steps : 0;
  const share =
    own.phase === 'measuring'
      ? 1 - measuringShare + measuringShare * measured
      : (1 - measuringShare) * Math.min(1, trained);
  const left = secondsLeft(state, own, total - done, share);
  return (
    <>
      <progress value={done + share} max={total} aria-label={t.progress} />
      <p className="hint" data-testid="comparing">
        {own.phase === 'measuring'
          ? t.measuring(name, own.at + 1, total, percent(measured))
          : t.training(name, own.at + 1, total) + (progress ? t.step(progress.step, plan.steps) : '')}
        {state.run === 'paused' ? t.paused : left === null ? '' : t.left(duration(left))}
      </p>
    </>
  );
}

/** From runs that are done, else from the pace of the one in progress; null before anything is known. */
function secondsLeft(
  { progress }: State,
  { seconds, phase, measuring }: CompareState,
  runsLeft: number,
  share: number,
): number | null {
  if (seconds.length > 0) {
    const each = seconds.reduce((a, b) => a + b, 0) / seconds.length;
    return each * (runsLeft - share);
  }
  if (!progress?.stepsPerSecond) return null;
  const training = progress.totalSteps / progress.stepsPerSecond;
  const each = training / (1 - measuringShare);
  const here =
    phase === 'measuring'
      ? (measuring?.secondsLeft ?? each * measuringShare)
      : (progress.secondsLeft ?? 0) + each * measuringShare;
  return here + each * (runsLeft - 1);
}
