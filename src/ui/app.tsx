import { useSyncExternalStore } from 'react';
import { Curves } from './curves.tsx';
import { DatasetDialog } from './dataset-dialog.tsx';
import { DropZone } from './files.tsx';
import { KeptPanel } from './kept-panel.tsx';
import { LiveRegion } from './live-region.tsx';
import { Messages } from './messages.tsx';
import { RewardPanel } from './reward-panel.tsx';
import { Rollouts } from './rollouts.tsx';
import { RunPanel } from './run-panel.tsx';
import { Score } from './score.tsx';
import type { Session } from './session.ts';
import { SettingsPanel } from './settings-panel.tsx';

export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  const { viewed, groups } = state;
  const areAnswered = groups.some(({ completions }) => completions.length > 0);
  const { history, heldOut } = viewed ?? state;
  return (
    <>
      <header className="top">
        <h1>papo-web</h1>
        <p>
          Trains a small vision-language model with PAPO (
          <a href="https://arxiv.org/abs/2507.06448">Perception-Aware Policy Optimization</a>), on your
          machine, in this page. Nothing leaves it unless you push it.
        </p>
      </header>
      <main>
        <Messages session={session} state={state} />
        <RunPanel session={session} state={state} />
        <Score heldOut={heldOut} name={viewed?.name} />
        <div className="side">
          <SettingsPanel session={session} state={state} />
          <RewardPanel session={session} state={state} />
        </div>
        <Curves history={history} name={viewed?.name} onClose={() => session.kept.closeShown()} />
        <KeptPanel session={session} state={state} />
        <Rollouts groups={groups} step={areAnswered ? state.progress?.step : undefined} />
      </main>
      {state.offered && <DatasetDialog view={state.offered} session={session} />}
      <DropZone session={session} />
      <LiveRegion state={state} />
    </>
  );
}
