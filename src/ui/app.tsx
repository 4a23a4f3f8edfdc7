import { useSyncExternalStore } from 'react';
import { Curves } from './curves.tsx';
import { LiveRegion } from './live-region.tsx';
import { Rollouts } from './rollouts.tsx';
import { RunPanel } from './run-panel.tsx';
import { Score } from './score.tsx';
import type { Session } from './session.ts';
import { SettingsPanel } from './settings-panel.tsx';

export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  return (
    <>
      <header className="top">
        <h1>papo-web</h1>
        <p>
          Trains a small vision-language model with PAPO (
          <a href="https://arxiv.org/abs/2507.06448">Perception-Aware Policy Optimization</a>), on your
          machine, in this page. Nothing leaves it.
        </p>
      </header>
      <main>
        {state.error !== undefined && (
          <div className="error-box" role="alert">
            <p>{state.error}</p>
            <div>
              <button type="button" onClick={() => void session.reopen()}>
                Load the model again
              </button>
              <button type="button" onClick={() => session.dismissError()}>
                Dismiss
              </button>
            </div>
          </div>
        )}
        <RunPanel session={session} state={state} />
        <Score heldOut={state.heldOut} />
        <SettingsPanel session={session} state={state} />
        <Curves history={state.history} />
        <Rollouts groups={state.groups} step={state.progress?.step} />
      </main>
      <LiveRegion state={state} />
    </>
  );
}
