/** Every row that cannot be used, a page at a time: what stands in it, what is wrong, what was expected. */
import { useEffect } from 'react';
import type { ProblemRow } from '../../worker/data-protocol.ts';
import { count } from '../parts/format.ts';
import { Pixels } from '../parts/pixels.tsx';
import type { Session } from '../session.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { problemsAPage } from './browsing.ts';
import './data.css';

const t = text.data.problems;

export function ProblemRows({
  session,
  dataset,
  total,
}: {
  session: Session;
  dataset: string;
  total: number;
}) {
  const { browsing } = session;
  const { problems } = useStore(browsing.store);
  const page = problems?.dataset === dataset ? problems : undefined;
  useEffect(() => {
    if (browsing.store.snapshot().problems?.dataset !== dataset) void browsing.turn(dataset, 0);
  }, [browsing, dataset]);
  const from = page?.from ?? 0;
  const to = Math.min(total, from + problemsAPage);
  return (
    <div className="problems">
      {page?.error !== undefined && (
        <p className="problem" role="alert">
          {page.error}
        </p>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">{t.row}</th>
            <th scope="col">{t.what}</th>
          </tr>
        </thead>
        <tbody>
          {page?.rows?.map((row) => (
            <tr key={`${row.file} ${row.row}`}>
              <th scope="row" title={row.file}>
                {row.row}
              </th>
              <td>
                <Content row={row} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {!page?.rows && page?.error === undefined && <p className="hint">{t.reading}</p>}
      {total > problemsAPage && (
        <nav className="buttons small" aria-label={t.pages}>
          <button
            type="button"
            disabled={from === 0}
            onClick={() => void browsing.turn(dataset, Math.max(0, from - problemsAPage))}
          >
            {t.previous}
          </button>
          <span className="hint" role="status">
            {t.place(count(from + 1), count(to), count(total))}
          </span>
          <button type="button" disabled={to >= total} onClick={() => void browsing.turn(dataset, to)}>
            {t.next}
          </button>
        </nav>
      )}
    </div>
  );
}

function Content({ row }: { row: ProblemRow }) {
  return (
    <div className="problem-row">
      <ul className="wrong">
        {row.problems.map(({ column, message }) => (
          <li className="problem" key={`${column} ${message}`}>
            {column && !message.startsWith(column) && `${column}: `}
            {message}
          </li>
        ))}
      </ul>
      <div className="content">
        {row.image && <Pixels image={row.image} label={t.imageOf(count(row.row))} />}
        {row.text !== undefined && <pre className="line">{row.text}</pre>}
        {row.fields.length > 0 && (
          <dl className="fields">
            {row.fields.map(({ name, text: value }) => (
              <div key={name}>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </div>
  );
}
