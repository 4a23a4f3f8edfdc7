/** The charts of some runs over each other. */
import { memo, useEffect } from 'react';
import { useStore } from '../store.ts';
import { Chart } from './chart.tsx';
import { CHARTS } from './charts.ts';
import './curves.css';
import type { DrawnRun } from './drawn-run.ts';
import type { ChartsView } from './view.ts';

/** `runs` is a new array whenever a run in it has new numbers, and only then. */
export const ChartGrid = memo(function ChartGrid({
  runs,
  view,
}: {
  runs: readonly DrawnRun[];
  view: ChartsView;
}) {
  const { hidden } = useStore(view.store);
  // Before the charts hear of the runs: effects of children come first, and what they draw comes a frame later.
  useEffect(() => {
    view.setLast(Math.max(0, ...runs.map(({ history: { steps } }) => steps[steps.length - 1])));
  }, [runs, view]);
  return (
    <div className="chart-grid">
      {CHARTS.filter(({ id }) => !hidden.includes(id)).map((chart) => (
        <Chart key={chart.id} chart={chart} runs={runs} view={view} />
      ))}
    </div>
  );
});
