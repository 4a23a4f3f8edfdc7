/** What an evaluation found: a table a view, each row with its intervals drawn. The table is what the picture says. */
import type { EvaluationRow, EvaluationView, IntervalView } from '../../worker/evaluation-protocol.ts';
import { save } from '../curves/save.ts';
import { percent } from '../parts/format.ts';
import { leavesOutZero, pointRange, points, shareRange } from '../parts/intervals.ts';
import { text } from '../text.ts';
import type { ShownEvaluation } from './evaluations.ts';

const t = text.evaluate;

export function Results({ shown }: { shown: ShownEvaluation | undefined }) {
  if (!shown)
    return (
      <section className="panel" aria-labelledby="results-title">
        <h2 id="results-title">{t.results}</h2>
        <p className="hint">{t.none}</p>
      </section>
    );
  const { result, views, subjects, data, mask } = shown;
  const { questions, samples, csv } = result;
  return (
    <section className="panel" aria-labelledby="results-title" data-testid="evaluation">
      <div className="title-row">
        <h2 id="results-title">{t.results}</h2>
        <button type="button" onClick={() => save(csv, t.fileName)}>
          {t.csv}
        </button>
      </div>
      <p role="status">{summaryOf(result.rows, subjects)}</p>
      <p className="hint">
        {t.basis(questions, samples, data)}
        {result.rows.some(({ by }) => by === 'vision_dependency') && ` ${t.dependencies}`}
      </p>
      <div className="evaluate-tables">
        {views.map((view) => (
          <ViewTable key={view} view={view} mask={mask} rows={result.rows} subjects={subjects} />
        ))}
      </div>
      <details>
        <summary>{t.howTitle}</summary>
        {t.how.map((line) => (
          <p className="hint" key={line}>
            {line}
          </p>
        ))}
      </details>
    </section>
  );
}

const withRange = (value: IntervalView) => `${percent(value.estimate)} ${shareRange(value)}`;

/** One sentence on what matters most. */
function summaryOf(rows: readonly EvaluationRow[], subjects: readonly string[]): string {
  const row = rows.find(isMain);
  if (!row) return '';
  const shares = row.values.map(withRange);
  const { difference } = row;
  if (!difference) return t.summaryOne(subjects[0], shares[0]);
  return t.summary(
    shares,
    `${points(difference.estimate)} ${pointRange(difference)}`,
    leavesOutZero(difference),
  );
}

const isMain = ({ by, view }: EvaluationRow) => by === 'all' && view === 'image';
const groups = ['all', 'kind', 'vision_dependency', 'error'] as const;

function ViewTable({
  view,
  mask,
  rows,
  subjects,
}: {
  view: EvaluationView;
  mask: string;
  rows: readonly EvaluationRow[];
  subjects: readonly string[];
}) {
  const own = rows.filter((row) => row.view === view);
  const isPair = subjects.length > 1;
  return (
    <div>
      <h3 className="evaluate-view">{view === 'masked' ? t.maskedAs(mask) : t.views[view]}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
      <section className="scroll" tabIndex={0} aria-label={t.tableOf(t.views[view])}>
        <table className="evaluate-table">
          <thead>
            <tr>
              <th scope="col">{t.group}</th>
              <th scope="col" className="plot-head">
                <span className="visually-hidden">{t.plot}</span>
                <span className="axis" aria-hidden="true">
                  {[0, 50, 100].map((value) => (
                    <span key={value} style={{ left: `${value}%` }}>
                      {value}
                    </span>
                  ))}
                </span>
              </th>
              {subjects.map((subject, i) => (
                <th scope="col" key={subject}>
                  <span className={`evaluate-mark subject-${i}`} aria-hidden="true" />{' '}
                  {isPair ? t.sides[i] : t.share}
                </th>
              ))}
              {isPair && <th scope="col">{t.difference}</th>}
            </tr>
          </thead>
          {groups.map((by) => {
            const inGroup = own.filter((row) => row.by === by);
            if (inGroup.length === 0) return null;
            return (
              <tbody key={by}>
                {by !== 'all' && (
                  <tr>
                    <th colSpan={subjects.length + (isPair ? 3 : 2)} scope="rowgroup" className="group-name">
                      {t.groups[by]}
                    </th>
                  </tr>
                )}
                {inGroup.map((row) => (
                  <Row key={row.name} row={row} />
                ))}
              </tbody>
            );
          })}
        </table>
      </section>
      <p className="hint">
        {subjects.map((subject, i) => (
          <span key={subject} className="evaluate-key">
            <span className={`evaluate-mark subject-${i}`} aria-hidden="true" /> {subject}
          </span>
        ))}
      </p>
    </div>
  );
}

function Row({ row: { by, name, values, difference } }: { row: EvaluationRow }) {
  const label = by === 'all' ? t.all : by === 'kind' ? name : (t.names[name] ?? name);
  const isSure = difference !== null && leavesOutZero(difference);
  return (
    <tr>
      <th scope="row">
        {label} <small>{t.count(values[0].n)}</small>
      </th>
      <td>
        <Picture values={values} />
      </td>
      {values.map((value, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a subject is its place
        <td key={i}>
          {percent(value.estimate)} <small>{shareRange(value)}</small>
        </td>
      ))}
      {difference && (
        <td className={isSure ? 'sure' : undefined}>
          {points(difference.estimate)} <small>{pointRange(difference)}</small>
        </td>
      )}
    </tr>
  );
}

/** A dot and a bar for its interval, one below the other; the numbers beside it say the same. */
function Picture({ values }: { values: readonly IntervalView[] }) {
  return (
    <div className="intervals" aria-hidden="true">
      {values.map(({ estimate, low, high }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a subject is its place
        <div className={`lane subject-${i}`} key={i}>
          <span className="range" style={{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }} />
          <span className="dot" style={{ left: `${100 * estimate}%` }} />
        </div>
      ))}
    </div>
  );
}
