/** Data to train on: the built-in tasks and the visitor's own, each with samples and what its answers are. */
import { useEffect } from 'react';
import type { DataSource } from '../../worker/data-protocol.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { chosenSource, keyOf } from './browsing.ts';
import { OwnData } from './own-data.tsx';
import { SourceDetail } from './source-detail.tsx';
import { TaskCards } from './task-cards.tsx';
import './data.css';

export function DataPanel({ session, state }: { session: Session; state: State }) {
  const { shown, views } = useStore(session.browsing.store);
  const { form, datasets, loaded, loading, catalogue } = state;
  const isThere = (source: DataSource) =>
    'task' in source || datasets.some(({ id }) => id === source.dataset);
  const chosen = chosenSource(form);
  const source = shown && isThere(shown) ? shown : chosen;
  const key = keyOf(source);
  // The model on its way is waited for: its tokens are counted too.
  const isReady = catalogue !== undefined && (loaded !== undefined || loading === undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the source
  useEffect(() => {
    if (isReady) void session.browsing.follow(source);
  }, [session, key, loaded, isReady]);
  const parts = { session, state, shown: key, chosen: keyOf(chosen) };
  return (
    <div className="data">
      <div className="side">
        <section className="panel" aria-labelledby="tasks-title">
          <h2 id="tasks-title">{text.data.tasks}</h2>
          <TaskCards {...parts} />
        </section>
        <section className="panel" aria-labelledby="own-title">
          <h2 id="own-title">{text.data.own}</h2>
          <OwnData {...parts} />
        </section>
      </div>
      <SourceDetail
        key={key}
        session={session}
        source={source}
        name={nameOf(source, state)}
        view={views[key]}
        isChosen={key === keyOf(chosen)}
        isGoing={isGoing(state)}
        catalogue={catalogue}
      />
    </div>
  );
}

const nameOf = (source: DataSource, { datasets }: State): string =>
  'task' in source
    ? source.task
    : (datasets.find(({ id }) => id === source.dataset)?.name ?? text.data.removed);
