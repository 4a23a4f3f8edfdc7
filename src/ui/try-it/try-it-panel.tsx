import '../look/look.css';
import './try-it.css';
import { type DragEvent, useEffect } from 'react';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';
import { pictureIn } from './clipboard.ts';
import { History } from './history.tsx';
import { PictureSources } from './picture-sources.tsx';
import { Question } from './question.tsx';
import { Sides } from './sides.tsx';

const t = text.tryIt;

export function TryPanel({ session, state }: { session: Session; state: State }) {
  const { trying } = session;
  const { loaded, form } = state;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another model has other words, another task other questions
  useEffect(() => void trying.follow(), [trying, loaded, form.task]);
  const onDrop = (event: DragEvent) => {
    const file = pictureIn(event.dataTransfer);
    // The page takes what is no picture: a model, or a dataset.
    if (!file) return;
    event.preventDefault();
    void trying.bring(file, file.name);
  };
  return (
    <section className="panel try-it" aria-labelledby="try-it-title" onDrop={onDrop}>
      <h2 id="try-it-title">{t.title}</h2>
      <p className="hint">{t.hint}</p>
      {loaded ? (
        <>
          <div className="try-grid">
            <PictureSources session={session} />
            <div className="try-talk">
              <Question session={session} state={state} />
              <Sides session={session} state={state} />
            </div>
          </div>
          <History trying={trying} />
        </>
      ) : (
        <p className="notice">{t.notLoaded}</p>
      )}
    </section>
  );
}
