/** What went wrong, what to know, and what was left unfinished, above everything else. */
import type { Session } from './session.ts';
import { isGoing, type State } from './state.ts';
import { text } from './text.ts';

const t = text.messages;

export function Messages({ session, state }: { session: Session; state: State }) {
  return (
    <div className="messages">
      <Trouble session={session} state={state} />
      {state.warnings.length > 0 && (
        <ul className="warnings" role="status">
          {state.warnings.map((message) => (
            <li className="notice" key={message}>
              <span>{message}</span>
              <button type="button" onClick={() => session.dismissWarning(message)}>
                {t.dismiss}
              </button>
            </li>
          ))}
        </ul>
      )}
      <Unfinished session={session} state={state} />
    </div>
  );
}

function Trouble({ session, state }: { session: Session; state: State }) {
  const { error, canResume, keptId, run, loaded, loading, pending } = state;
  if (error === undefined) return null;
  const resumes = canResume && keptId !== undefined;
  const isBusy = loading !== undefined || pending !== undefined;
  const resume = () => keptId !== undefined && void session.resumeRun(keptId);
  return (
    <div className="error-box" role="alert">
      <p>{error}</p>
      <div>
        {run === 'paused' && (
          <button type="button" className="primary" disabled={isBusy} onClick={() => void session.resume()}>
            {t.goOn}
          </button>
        )}
        {resumes && run === 'paused' && (
          <button type="button" disabled={isBusy} onClick={resume}>
            {t.goBack}
          </button>
        )}
        {resumes && run !== 'paused' && (
          <button type="button" className="primary" disabled={isBusy} onClick={resume}>
            {t.resumeLast}
          </button>
        )}
        {!loaded && !loading && (
          <button type="button" onClick={() => void session.reopen()}>
            {t.loadAgain}
          </button>
        )}
        <button type="button" onClick={() => session.dismissError()}>
          {t.dismiss}
        </button>
      </div>
    </div>
  );
}

/** The newest run, where its tab was closed, or crashed, before its end. */
function Unfinished({ session, state }: { session: Session; state: State }) {
  const newest = state.runs[0];
  const isShown =
    newest?.isCutOff &&
    newest.step < newest.totalSteps &&
    state.run === 'none' &&
    !isGoing(state) &&
    state.error === undefined;
  if (!isShown) return null;
  return (
    <p className="unfinished" data-testid="unfinished">
      {t.unfinished(newest.name, newest.step, newest.totalSteps)}{' '}
      <button
        type="button"
        disabled={state.pending !== undefined || state.loading !== undefined}
        onClick={() => void session.resumeRun(newest.id)}
      >
        {t.resume}
      </button>
    </p>
  );
}
