/** Both runs of one seed over each other. */
import { useMemo, useState } from 'react';
import { ChartGrid } from '../curves/chart-grid.tsx';
import type { DrawnRun } from '../curves/drawn-run.ts';
import { Select } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';
import type { CompareState } from './comparison.ts';
import type { Plan } from './plan.ts';

const t = text.compare;

export function ComparedCurves({
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
  const [chosen, choose] = useState<number>();
  const begun = plan.runs.filter(({ run }) => run !== undefined);
  const seed = chosen ?? begun.at(-1)?.seed ?? 1;
  const { histories } = own;
  const { history, keptId } = state;
  const isHere = begun.some(({ run }) => run === keptId);
  // What is drawn changes with the numbers alone.
  const current = isHere ? history : undefined;
  const runs = useMemo(
    () =>
      plan.runs.flatMap(({ arm, seed: of, run }): DrawnRun[] => {
        if (of !== seed || run === undefined) return [];
        const own = run === keptId && current ? current : histories.get(run);
        return own ? [{ id: run, name: t.runName(plan.arms[arm].name, of), history: own, color: arm }] : [];
      }),
    [plan, seed, keptId, current, histories],
  );
  return (
    <section className="panel" aria-labelledby="compare-curves">
      <h2 id="compare-curves">{t.curves}</h2>
      {plan.seeds > 1 && (
        <Select
          label={t.curvesOf}
          value={String(seed)}
          options={Array.from({ length: plan.seeds }, (_, i) => ({ value: String(i + 1) }))}
          onChange={(value) => choose(Number(value))}
        />
      )}
      {runs.length === 0 ? (
        <p className="hint">{t.noCurves}</p>
      ) : (
        <ChartGrid runs={runs} view={session.comparison.view} />
      )}
    </section>
  );
}
