/** One task or dataset: train on it, see samples, see what its answers are. */
import type { DataSource } from '../../worker/data-protocol.ts';
import type { Catalogue, DatasetView, GroupView } from '../../worker/protocol.ts';
import { count, duration } from '../parts/format.ts';
import { Pixels } from '../parts/pixels.tsx';
import type { Session } from '../session.ts';
import { text } from '../text.ts';
import type { SourceView } from './browsing.ts';
import { ProblemRows } from './problem-rows.tsx';
import { Statistics } from './statistics.tsx';

const t = text.data;

interface Props {
  readonly session: Session;
  readonly source: DataSource;
  readonly name: string;
  readonly view: SourceView | undefined;
  /** The next run trains on it. */
  readonly isChosen: boolean;
  readonly isGoing: boolean;
  readonly catalogue: Catalogue | undefined;
}

export function SourceDetail({ session, source, name, view, isChosen, isGoing, catalogue }: Props) {
  const task = 'task' in source ? catalogue?.tasks.find((one) => one.name === name) : undefined;
  const choose = () =>
    session.choose(
      'task' in source ? { task: source.task, dataset: undefined } : { dataset: source.dataset },
    );
  return (
    <div className="wide">
      <section className="panel" aria-labelledby="source-title">
        <div className="title-row">
          <h2 id="source-title">{name}</h2>
          {isChosen ? (
            <div className="buttons">
              <span className="tag">{t.chosen}</span>
              <button type="button" onClick={() => session.goTo('train')}>
                {t.toTrain}
              </button>
            </div>
          ) : (
            <button type="button" className="primary" disabled={isGoing} onClick={() => void choose()}>
              {t.trainOnThis}
            </button>
          )}
        </div>
        {isGoing && !isChosen && <p className="hint">{t.whileGoing}</p>}
        {task && <p className="hint">{task.meaning}</p>}
        {task?.kinds.some(({ name: kind }) => kind.startsWith('emoji')) && (
          <p className="hint">
            {t.emojiLicense}{' '}
            <a href="licenses/fluent-emoji.txt" target="_blank" rel="noreferrer">
              {t.license}
            </a>
          </p>
        )}
        {view?.facts && <Facts facts={view.facts} />}
        {view?.error !== undefined && (
          <div className="error-box" role="alert">
            <p>{view.error}</p>
            <div>
              <button type="button" onClick={() => void session.browsing.follow(source)}>
                {t.tryAgain}
              </button>
            </div>
          </div>
        )}
        <Samples view={view} onMore={() => void session.browsing.more(source)} />
      </section>
      <section className="panel" aria-labelledby="answers-title">
        <h2 id="answers-title">{t.statistics.title}</h2>
        {view?.counting && <CountingProgress {...view.counting} />}
        {view?.statistics ? (
          <Statistics statistics={view.statistics} kinds={task?.kinds} />
        ) : (
          !view?.counting && view?.error === undefined && <p className="hint">{t.statistics.waiting}</p>
        )}
      </section>
      {view?.facts && view.facts.problemRows > 0 && (
        <section className="panel" aria-labelledby="problems-title">
          <h2 id="problems-title">{t.problems.title}</h2>
          <ProblemRows session={session} dataset={view.facts.id} total={view.facts.problemRows} />
        </section>
      )}
    </div>
  );
}

function CountingProgress({ done, total, secondsLeft }: NonNullable<SourceView['counting']>) {
  return (
    <div className="counting">
      <p className="hint" id="counting">
        {t.statistics.counting(count(done), count(total))}
        {secondsLeft !== null && ` ${t.statistics.left(duration(secondsLeft))}`}
      </p>
      <progress value={done} max={total} aria-labelledby="counting" />
    </div>
  );
}

function Facts({ facts }: { facts: DatasetView }) {
  return (
    <>
      <p>
        <strong>{t.ofRows(count(facts.good), count(facts.rows))}</strong>{' '}
        {t.canBeUsed(facts.columns.join(', '))}
      </p>
      {!facts.hasAnswers && <p className="notice">{t.noAnswers}</p>}
      {facts.notes.map((note) => (
        <p className="hint" key={note}>
          {note}
        </p>
      ))}
    </>
  );
}

function Samples({ view, onMore }: { view: SourceView | undefined; onMore: () => void }) {
  const samples = view?.samples ?? [];
  return (
    <>
      {samples.length > 0 && <Previews samples={samples} />}
      {samples.length === 0 && view?.error === undefined && <p className="hint">{t.samplesWaiting}</p>}
      {view?.hasMore && (
        <button type="button" disabled={view.isLoading} onClick={onMore}>
          {t.moreSamples}
        </button>
      )}
    </>
  );
}

export function Previews({ samples }: { samples: readonly GroupView[] }) {
  return (
    <div className="previews">
      {samples.map((sample) => (
        <figure key={sample.id}>
          <Pixels image={sample.image} label={t.imageOf(sample.prompt)} />
          <figcaption>
            {sample.prompt}
            {sample.answer !== null && <b title={t.rightAnswer}>{sample.answer}</b>}
          </figcaption>
        </figure>
      ))}
    </div>
  );
}
