import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { Rollouts } from './rollouts.tsx';

export function RolloutsPanel({ state }: { session: Session; state: State }) {
  const { groups } = state;
  const areAnswered = groups.some(({ completions }) => completions.length > 0);
  return <Rollouts groups={groups} step={areAnswered ? state.progress?.step : undefined} />;
}
