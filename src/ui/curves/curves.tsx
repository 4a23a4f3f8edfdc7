/** The curves of the run at hand and of the kept runs over it, with what belongs to them. */

import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { LegendMark } from './chart.tsx';
import { ChartGrid } from './chart-grid.tsx';
import { CHARTS } from './charts.ts';
import type { DrawnRun } from './drawn-run.ts';
import { markOf } from './drawn-run.ts';
import { NumbersTable } from './numbers-table.tsx';
import type { Overlay } from './overlay.ts';
import { Toolbar } from './toolbar.tsx';

const words = text.curves;

export function Curves({ runs, overlay }: { runs: readonly DrawnRun[]; overlay: Overlay }) {
  const { reading } = useStore(overlay.store);
  return (
    <section className="panel curves" aria-labelledby="curves-title">
      <h2 id="curves-title">{words.title}</h2>
      <p className="hint" role="status" hidden={reading === undefined}>
        {reading !== undefined && words.reading(reading)}
      </p>
      {runs.length === 0 ? (
        <Empty />
      ) : (
        <>
          <RunList runs={runs} overlay={overlay} />
          <Toolbar runs={runs} view={overlay.view} />
          <ChartGrid runs={runs} view={overlay.view} />
          <NumbersTable runs={runs} />
        </>
      )}
    </section>
  );
}

/** Before the first run: what will be there. */
function Empty() {
  return (
    <>
      <p className="hint">{words.empty}</p>
      <dl className="charts-to-come">
        {CHARTS.map(({ id, title, meaning }) => (
          <div key={id}>
            <dt>{title}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** Which runs there are, where there are several or a kept one, and a way to take kept ones away. */
function RunList({ runs, overlay }: { runs: readonly DrawnRun[]; overlay: Overlay }) {
  if (!runs.some(({ id }) => overlay.has(id))) return null;
  return (
    <ul className="run-list" aria-label={words.runs}>
      {runs.map((run) => (
        <li key={run.id}>
          <LegendMark item={{ color: `--run-${run.color}`, dash: [], look: 'line' }} />
          <span>{words.marked(markOf(run), run.name)}</span>
          {overlay.has(run.id) && (
            <button
              type="button"
              className="small-button"
              aria-label={words.remove(run.name)}
              onClick={() => overlay.remove(run.id)}
            >
              {words.removeShort}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
