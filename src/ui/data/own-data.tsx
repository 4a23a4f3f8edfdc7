/** The visitor's own datasets: the list, a way in, and what files must look like. */
import { useState } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { save } from '../curves/save.ts';
import { Dialog } from '../parts/dialog.tsx';
import { count } from '../parts/format.ts';
import { isGoing } from '../state.ts';
import { text } from '../text.ts';
import { DatasetPicker, Taken } from './files.tsx';
import type { CardsProps } from './task-cards.tsx';

const t = text.data;

export function OwnData({ session, state, shown, chosen }: CardsProps) {
  const [removing, setRemoving] = useState<DatasetSummary>();
  return (
    <>
      {state.datasets.length === 0 ? (
        <p className="hint">{t.noOwn}</p>
      ) : (
        <ul className="cards">
          {state.datasets.map((dataset) => (
            <li className="card" key={dataset.id} data-shown={shown === `dataset ${dataset.id}`}>
              <button
                type="button"
                className="card-name"
                aria-pressed={shown === `dataset ${dataset.id}`}
                onClick={() => session.browsing.look({ dataset: dataset.id })}
              >
                {dataset.name}
              </button>
              {chosen === `dataset ${dataset.id}` && <span className="tag">{t.chosen}</span>}
              <p className="hint">{t.rows(count(dataset.good), dataset.good)}</p>
              <div className="small">
                <button
                  type="button"
                  aria-label={t.removeNamed(dataset.name)}
                  disabled={isGoing(state)}
                  onClick={() => setRemoving(dataset)}
                >
                  {t.remove}
                </button>
              </div>
            </li>
          ))}
        </ul>
      )}
      <div className="files">
        <div className="buttons small">
          <DatasetPicker session={session} state={state} />
          <button
            type="button"
            onClick={() =>
              void session.guarded(async () => {
                const file = await session.service.exampleDataset();
                save(file, file.name);
              })
            }
          >
            {t.example}
          </button>
        </div>
        <Taken state={state} />
      </div>
      <Formats />
      {removing && (
        <Dialog title={t.removeTitle(removing.name)} onClose={() => setRemoving(undefined)}>
          <p>{t.removeMeans}</p>
          <div className="buttons">
            <button
              type="button"
              className="danger"
              onClick={() => {
                void session.files.remove(removing.id);
                setRemoving(undefined);
              }}
            >
              {t.removeIt}
            </button>
            <button type="button" onClick={() => setRemoving(undefined)}>
              {t.cancel}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function Formats() {
  return (
    <details>
      <summary>{t.formats.title}</summary>
      <p className="hint">{t.formats.files}</p>
      <dl className="columns">
        {t.formats.columns.map(({ names, meaning }) => (
          <div key={names}>
            <dt>
              <code>{names}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <pre className="line">{t.formats.line}</pre>
      <p className="hint">{t.formats.exampleHint}</p>
    </details>
  );
}
