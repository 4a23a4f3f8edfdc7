/** The numbers behind the curves as a table, a page at a time: for those who cannot see a curve, and for looking up. */
import { useId, useMemo, useState } from 'react';
import { Select } from '../parts/fields.tsx';
import { short } from '../parts/format.ts';
import { text } from '../text.ts';
import { CHARTS, numbersIn } from './charts.ts';
import type { DrawnRun } from './drawn-run.ts';
import { firstAfter, rowAt } from './history.ts';
import { valueAt } from './source.ts';

const words = text.curves.table;
const pageRows = 50;
const all = 'all';

export function NumbersTable({ runs }: { runs: readonly DrawnRun[] }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{words.summary}</summary>
      {isOpen && <Pages runs={runs} />}
    </details>
  );
}

function Pages({ runs }: { runs: readonly DrawnRun[] }) {
  const [which, setWhich] = useState<string>(all);
  /** undefined: the last one, as it grows. */
  const [chosen, setPage] = useState<number>();
  const steps = useMemo(() => stepsOf(runs), [runs]);
  const pages = Math.max(1, Math.ceil(steps.length / pageRows));
  const page = Math.min(chosen ?? pages - 1, pages - 1);
  const shown = steps.slice(page * pageRows, (page + 1) * pageRows);
  const columns = CHARTS.filter(({ id }) => which === all || which === id).flatMap((chart) =>
    numbersIn(chart).flatMap(({ label, source }) =>
      runs.map((run) => ({
        key: `${chart.id} ${source.key} ${run.id}`,
        title:
          runs.length > 1
            ? words.columnOfRun(chart.title, label, run.name)
            : words.column(chart.title, label),
        source,
        run,
      })),
    ),
  );
  const turn = (label: string, to: number | undefined, isOff: boolean) => (
    <button type="button" disabled={isOff} onClick={() => setPage(to)}>
      {label}
    </button>
  );
  return (
    <div className="numbers">
      <div className="numbers-bar">
        <Select
          label={words.which}
          value={which}
          options={[
            { value: all, label: words.all },
            ...CHARTS.map(({ id, title }) => ({ value: id, label: title })),
          ]}
          onChange={setWhich}
        />
        <GoTo onGo={(step) => setPage(Math.floor(Math.max(0, rowAt(steps, step)) / pageRows))} />
        <nav aria-label={words.pages} className="buttons small">
          {turn(words.first, 0, page === 0)}
          {turn(words.previous, page - 1, page === 0)}
          <span aria-live="polite">{words.page(page + 1, pages)}</span>
          {turn(words.next, page + 1, page === pages - 1)}
          {turn(words.last, undefined, page === pages - 1)}
        </nav>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <section className="scroll" tabIndex={0} aria-label={words.summary}>
        <table>
          <caption>{words.caption(String(shown[0]), String(shown[shown.length - 1]), steps.length)}</caption>
          <thead>
            <tr>
              <th scope="col">{words.step}</th>
              {columns.map(({ key, title }) => (
                <th scope="col" key={key}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((step) => (
              <tr key={step}>
                <th scope="row">{step}</th>
                {columns.map(({ key, source, run: { history } }) => {
                  const row = rowAt(history.steps, step);
                  const value = history.steps[row] === step ? valueAt(history, source, row) : null;
                  return <td key={key}>{short(value)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}

function GoTo({ onGo }: { onGo: (step: number) => void }) {
  const id = useId();
  const [step, setStep] = useState('');
  const isFit = /^\s*\d+\s*$/.test(step);
  return (
    <form
      className="field"
      onSubmit={(event) => {
        event.preventDefault();
        if (isFit) onGo(Number(step));
      }}
    >
      <label htmlFor={id}>{words.goTo}</label>
      <input
        id={id}
        inputMode="numeric"
        autoComplete="off"
        enterKeyHint="go"
        value={step}
        onChange={({ target }) => setStep(target.value)}
      />
    </form>
  );
}

/** The steps of all runs, each once. */
function stepsOf(runs: readonly DrawnRun[]): readonly number[] {
  const lists = runs.map(({ history }) => history.steps).sort((a, b) => b.length - a.length);
  const [longest = [], ...others] = lists;
  const more = others.flatMap((steps) =>
    steps.filter((step) => longest[firstAfter(longest, step) - 1] !== step),
  );
  return more.length === 0 ? longest : [...new Set([...longest, ...more])].sort((a, b) => a - b);
}
