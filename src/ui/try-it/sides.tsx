/** What the base and the trained model answered, side by side. */
import { useState } from 'react';
import type { Completion } from '../../worker/lab-protocol.ts';
import { drawingOf } from '../look/asking.ts';
import { TokenStrip } from '../look/token-strip.tsx';
import { Select } from '../parts/fields.tsx';
import { short } from '../parts/format.ts';
import { readable } from '../parts/readable.ts';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { Side, Tried } from './trying.ts';

const t = text.tryIt.sides;

export function Sides({ session, state }: { session: Session; state: State }) {
  const { trying } = session;
  const { asking, picture, prompt, shown } = useStore(trying.store);
  const { tried, subjects, subject } = trying;
  const isOld = tried && (tried.picture.image !== picture?.image || tried.prompt !== prompt.trim());
  const temperature = short(drawingOf(state).temperature);
  return (
    <section className="try-answers" aria-labelledby="try-answers-title">
      <h3 className="plain" id="try-answers-title">
        {t.title}
      </h3>
      {isOld && <p className="hint">{t.old}</p>}
      <div className="sides">
        <OneSide
          // Another question starts without a chosen token.
          key={`base ${shown}`}
          title={t.base}
          side={tried?.base}
          tried={tried}
          waiting={asking === 'base' ? t.asking(t.base) : undefined}
          temperature={temperature}
        />
        {subject ? (
          <OneSide
            key={`trained ${shown}`}
            title={t.trained}
            side={tried?.trained}
            tried={tried}
            waiting={
              asking === undefined
                ? undefined
                : state.run === 'running' && subject.value === 'current'
                  ? t.waitsForStep
                  : t.asking(t.trained)
            }
            temperature={temperature}
          >
            <Select
              label={t.trainedSubject}
              value={subject.value}
              options={subjects}
              onChange={(value) => trying.set({ subject: value })}
            />
          </OneSide>
        ) : (
          <article className="try-side">
            <h4>{t.trained}</h4>
            <p>{t.trainFirst}</p>
            <button type="button" onClick={() => session.goTo('train')}>
              {t.toTrain}
            </button>
          </article>
        )}
      </div>
    </section>
  );
}

function OneSide({
  title,
  side,
  tried,
  waiting,
  temperature,
  children,
}: {
  title: string;
  side: Side | undefined;
  tried: Tried | undefined;
  waiting: string | undefined;
  temperature: string;
  children?: React.ReactNode;
}) {
  const [token, setToken] = useState<number>();
  const view = side?.view;
  return (
    <article className="try-side" aria-label={title} aria-busy={waiting !== undefined && !side}>
      <h4>
        {title} {side && side.label !== title && <span className="tag">{side.label}</span>}
      </h4>
      {children}
      {!side && (
        <p className="hint" role="status">
          {waiting ?? t.notAsked}
        </p>
      )}
      {side?.error !== undefined && (
        <p className="problem" role="alert">
          {t.failed(side.error)}
        </p>
      )}
      {view && tried && (
        <>
          <Said completion={view.greedy} answer={tried.answer} />
          {view.masked && (
            <>
              <TokenStrip view={view} chosen={token} onChoose={setToken} />
              <p className="hint">
                {t.masked}: <code>{readable(view.masked.text)}</code>
              </p>
            </>
          )}
          <p className="field-label">{t.sampled(view.samples, temperature)}</p>
          <ul className="sampled">
            {view.sampled.map((completion) => (
              <li key={completion.text}>
                <span className="times">{t.times(completion.count)}</span>
                <span>
                  <b>{completion.answer ?? t.noAnswer}</b>{' '}
                  <Verdict completion={completion} answer={tried.answer} />{' '}
                  <code>{readable(completion.thought)}</code>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </article>
  );
}

function Said({ completion, answer }: { completion: Completion; answer: string | null }) {
  return (
    <dl className="said" aria-live="polite">
      <dt>{t.answer}</dt>
      <dd className="said-answer">
        {completion.answer ?? t.noAnswer} <Verdict completion={completion} answer={answer} />
      </dd>
      <dt>{t.thought}</dt>
      <dd>
        <code>{readable(completion.thought)}</code>
      </dd>
    </dl>
  );
}

function Verdict({ completion, answer }: { completion: Completion; answer: string | null }) {
  if (answer === null) return null;
  const isRight = completion.answer === answer;
  return <span className={isRight ? 'tag right' : 'tag wrong'}>{isRight ? t.right : t.wrong}</span>;
}
