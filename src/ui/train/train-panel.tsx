/** What to train, with which settings, and the curves that come of it. */
import { Curves } from '../curves/curves.tsx';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { RunPanel } from './run-panel.tsx';
import { Score } from './score.tsx';
import { SettingsPanel } from './settings-panel.tsx';

export function TrainPanel({ session, state }: { session: Session; state: State }) {
  const { viewed } = state;
  const { history, heldOut } = viewed ?? state;
  return (
    <div className="train">
      <div className="side">
        <RunPanel session={session} state={state} />
        <SettingsPanel session={session} state={state} />
      </div>
      <div className="wide">
        <Score heldOut={heldOut} name={viewed?.name} />
        <Curves history={history} name={viewed?.name} onClose={() => session.kept.closeShown()} />
      </div>
    </div>
  );
}
