/** What became of files given as a dataset; its good rows are used only when the visitor says so. */
import type { DatasetView } from '../../worker/protocol.ts';
import { Dialog } from '../parts/dialog.tsx';
import { count } from '../parts/format.ts';
import { Pixels } from '../parts/pixels.tsx';
import type { Session } from '../session.ts';

export function DatasetDialog({ view, session }: { view: DatasetView; session: Session }) {
  const { name, rows, good, columns, problems, problemCount, notes, samples } = view;
  return (
    <Dialog title={`Dataset ${name}`} onClose={() => void session.files.decline()}>
      <p>
        <strong>
          {count(good)} of {count(rows)} rows
        </strong>{' '}
        can be used. Columns: {columns.join(', ')}.
      </p>
      {!view.hasAnswers && (
        <p className="notice">
          There are no answers, so the built-in rewards have nothing to compare with: bring your own reward
          code.
        </p>
      )}
      {problems.length > 0 && (
        <section className="problems" aria-label="Problems by row">
          <table>
            <thead>
              <tr>
                <th scope="col">Row</th>
                <th scope="col">What is wrong, and what was expected</th>
              </tr>
            </thead>
            <tbody>
              {problems.map(({ file, row, column, message }) => (
                <tr key={`${file} ${row} ${column} ${message}`}>
                  <th scope="row" title={file}>
                    {row}
                  </th>
                  <td>
                    {column && !message.startsWith(column) && `${column}: `}
                    {message}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {problemCount > problems.length && (
            <p className="hint">and {count(problemCount - problems.length)} more</p>
          )}
        </section>
      )}
      {notes.map((note) => (
        <p className="hint" key={note}>
          {note}
        </p>
      ))}
      <div className="previews">
        {samples.map((sample) => (
          <figure key={sample.id}>
            <Pixels image={sample.image} label={`Image of “${sample.prompt}”`} />
            <figcaption>
              {sample.prompt}
              {sample.answer !== null && (
                <>
                  {' '}
                  <b>{sample.answer}</b>
                </>
              )}
            </figcaption>
          </figure>
        ))}
      </div>
      <div className="buttons">
        <button type="button" className="primary" onClick={() => void session.files.accept()}>
          {problemCount > 0 ? `Use the ${count(good)} good rows` : `Use the ${count(good)} rows`}
        </button>
        <button type="button" onClick={() => void session.files.decline()}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}
