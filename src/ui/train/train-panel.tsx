/** What to train, with which settings, and the curves that come of it. */
import { useMemo } from 'react';
import type { DrawnRun } from '../curves/drawn-run.ts';
import { Plan } from '../models/chosen-model.tsx';
import { later } from '../parts/later.tsx';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { RunPanel } from './run-panel.tsx';
import { Score } from './score.tsx';
import { SettingsPanel } from './settings-panel.tsx';

const atHand = 'at hand';

const Curves = later(async () => (await import('../curves/curves.tsx')).Curves);

export function TrainPanel({ session, state }: { session: Session; state: State }) {
  const { history, heldOut, keptId, runs } = state;
  const { shown } = useStore(session.overlay.store);
  const name = runs.find(({ id }) => id === keptId)?.name ?? text.curves.thisRun;
  const drawn = useMemo(() => {
    const own: DrawnRun[] = history.columns.size > 0 ? [{ id: atHand, name, history, color: 0 }] : [];
    // The run at hand is not drawn twice.
    return [...own, ...shown.filter(({ id }) => own.length === 0 || id !== keptId)];
  }, [history, name, keptId, shown]);
  // The charts' code comes after the model: until then there is nothing to draw.
  const hasCurves = state.loaded !== undefined || drawn.length > 0;
  return (
    <div className="train">
      <div className="side">
        <RunPanel session={session} state={state} />
        <Plan session={session} state={state} />
        <SettingsPanel session={session} state={state} />
      </div>
      <div className="wide">
        <Score heldOut={heldOut} name={name} others={shown.filter(({ id }) => id !== keptId)} />
        {hasCurves && <Curves runs={drawn} overlay={session.overlay} />}
      </div>
    </div>
  );
}
