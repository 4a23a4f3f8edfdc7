/** What became of files given as a dataset; its good rows are used only when the visitor says so. */
import type { DatasetView } from '../../worker/protocol.ts';
import { Dialog } from '../parts/dialog.tsx';
import { count } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { text } from '../text.ts';
import { ProblemRows } from './problem-rows.tsx';
import { Previews } from './source-detail.tsx';

const t = text.data;

export function DatasetDialog({ view, session }: { view: DatasetView; session: Session }) {
  const { id, name, rows, good, columns, problemRows, notes, samples } = view;
  return (
    <Dialog title={t.datasetTitle(name)} onClose={() => void session.files.decline()}>
      <p>
        <strong>{t.ofRows(count(good), count(rows))}</strong> {t.canBeUsed(columns.join(', '))}
      </p>
      {good === 0 && <p className="notice">{t.noneGood}</p>}
      {good > 0 && !view.hasAnswers && <p className="notice">{t.noAnswers}</p>}
      {problemRows > 0 && (
        <section aria-label={t.problems.title}>
          <ProblemRows session={session} dataset={id} total={problemRows} />
        </section>
      )}
      {notes.map((note) => (
        <p className="hint" key={note}>
          {note}
        </p>
      ))}
      <Previews samples={samples} />
      <div className="buttons">
        {good > 0 && (
          <button type="button" className="primary" onClick={() => void session.files.accept()}>
            {problemRows > 0 ? t.acceptGood(count(good)) : t.acceptAll(count(good))}
          </button>
        )}
        <button type="button" onClick={() => void session.files.decline()}>
          {t.cancel}
        </button>
      </div>
    </Dialog>
  );
}
