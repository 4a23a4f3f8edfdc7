/** The run's buttons and how far it is, above every panel. */

import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { text } from '../text.ts';
import { RunProgress } from './run-progress.tsx';
import './train.css';

export function RunBar({ session, state }: { session: Session; state: State }) {
  const { loaded, pending, run } = state;
  const going = isGoing(state);
  const busy = pending !== undefined || state.loading !== undefined;
  const t = text.train;
  return (
    <section className="run-bar" aria-label={t.run}>
      <div className="buttons">
        {!going && (
          <button
            type="button"
            className="primary"
            disabled={!loaded || busy}
            aria-keyshortcuts="Space"
            onClick={() => void session.begin(() => session.start())}
          >
            {run === 'none' ? t.start : t.startAgain}
          </button>
        )}
        {run === 'running' && (
          <button
            type="button"
            className="primary"
            disabled={busy}
            aria-keyshortcuts="Space"
            onClick={() => void session.pause()}
          >
            {t.pause}
          </button>
        )}
        {run === 'paused' && (
          <button
            type="button"
            className="primary"
            disabled={busy}
            aria-keyshortcuts="Space"
            onClick={() => void session.resume()}
          >
            {t.goOn}
          </button>
        )}
        <button
          type="button"
          disabled={!loaded || busy || run === 'running'}
          aria-keyshortcuts="ArrowRight"
          onClick={() => void session.begin(() => session.step())}
        >
          {t.singleStep}
        </button>
        <button
          type="button"
          disabled={!going || pending === 'stop'}
          aria-keyshortcuts="Escape"
          onClick={() => void session.stop()}
        >
          {t.stop}
        </button>
        <button
          type="button"
          disabled={!going || busy || !state.keptId}
          onClick={() => void session.saveNow()}
        >
          {t.saveNow}
        </button>
      </div>
      <RunProgress session={session} state={state} />
    </section>
  );
}
