/** What was asked since the page was opened. */
import { Pixels } from '../parts/pixels.tsx';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { Side, Trying } from './trying.ts';

const t = text.tryIt.history;

export function History({ trying }: { trying: Trying }) {
  const { history, shown } = useStore(trying.store);
  if (history.length === 0) return null;
  return (
    <section className="try-history" aria-labelledby="try-history-title">
      <h3 className="plain" id="try-history-title">
        {t.title}
      </h3>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              {[t.picture, t.question, t.base, t.trained, t.right].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
              <td />
            </tr>
          </thead>
          <tbody>
            {history.map(({ id, picture, prompt, answer, base, trained }) => (
              <tr key={id} aria-current={id === shown}>
                <td>
                  <Pixels image={picture.image} label={t.picture} />
                </td>
                <th scope="row">{prompt}</th>
                <td>{answerOf(base)}</td>
                <td>{answerOf(trained)}</td>
                <td>{answer ?? t.unknown}</td>
                <td className="small">
                  <button type="button" aria-label={t.againLabel(prompt)} onClick={() => trying.again(id)}>
                    {t.again}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const answerOf = (side: Side | undefined) => (side?.view ? (side.view.greedy.answer ?? t.none) : '–');
