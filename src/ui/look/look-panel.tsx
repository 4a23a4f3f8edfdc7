import './look.css';
import { useEffect } from 'react';
import { Select } from '../parts/fields.tsx';
import { percent, short } from '../parts/format.ts';
import { readable } from '../parts/readable.ts';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { Looking } from './looking.ts';
import { MaskControls } from './mask-controls.tsx';
import { PairedBars } from './paired-bars.tsx';
import { Pictures } from './pictures.tsx';
import { TokenStrip } from './token-strip.tsx';

const t = text.look;

export function LookPanel({ session, state }: { session: Session; state: State }) {
  const { looking } = session;
  const { asked, error } = useStore(looking.store);
  const { loaded, form, validation, progress, run } = state;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what it shows depends on these
  useEffect(() => void looking.follow(), [looking, loaded, form.task, form.dataset, validation?.values]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a step, or the end of a run
  useEffect(() => void looking.stepped(), [looking, progress?.step, run]);
  return (
    <section className="panel look" aria-labelledby="look-title">
      <h2 id="look-title">{t.title}</h2>
      <p className="hint">{t.hint}</p>
      {!loaded && <p className="notice">{t.notLoaded}</p>}
      {error !== undefined && (
        <div className="error-box" role="alert">
          <p>{t.failed(error)}</p>
          <div>
            <button type="button" onClick={() => looking.recompute()}>
              {t.tryAgain}
            </button>
          </div>
        </div>
      )}
      {loaded && asked && (
        <>
          <Choice session={session} state={state} />
          <div className="look-grid">
            <div className="look-left">
              <Pictures looking={looking} />
              <MaskControls session={session} state={state} />
            </div>
            <Answers looking={looking} state={state} />
          </div>
        </>
      )}
    </section>
  );
}

/** Which picture, and whose answers. */
function Choice({ session, state }: { session: Session; state: State }) {
  const { looking, trying } = session;
  const { source, index, asked } = useStore(looking.store);
  const { picture } = useStore(trying.store);
  const { task, dataset } = state.form;
  const name = state.datasets.find(({ id }) => id === dataset)?.name ?? task;
  return (
    <div className="look-choice">
      <div className="field">
        <span className="field-label">{t.source.label}</span>
        <div className="buttons small">
          <button type="button" aria-pressed={source === 'task'} onClick={() => void looking.goTo(index)}>
            {t.source.task}
          </button>
          <button
            type="button"
            aria-pressed={source === 'tried'}
            disabled={picture === undefined}
            title={picture === undefined ? t.source.none : undefined}
            onClick={() => void looking.takeTried()}
          >
            {t.source.tried}
          </button>
        </div>
      </div>
      {source === 'task' && (
        <div className="field">
          <span className="field-label">{t.source.name(index, name)}</span>
          <div className="buttons small">
            <button type="button" disabled={index === 0} onClick={() => void looking.goTo(index - 1)}>
              {t.source.previous}
            </button>
            <button type="button" onClick={() => void looking.goTo(index + 1)}>
              {t.source.next}
            </button>
            <button
              type="button"
              onClick={() => void looking.goTo(Math.floor(Math.random() * mostQuestions))}
            >
              {t.source.random}
            </button>
          </div>
        </div>
      )}
      <Select
        label={t.subject}
        value={looking.subject.value}
        options={looking.subjects}
        onChange={(subject) => looking.choose({ subject })}
      />
      {asked && (
        <p className="look-question">
          <strong>{t.question(asked.prompt)}</strong>{' '}
          <span className="hint">{asked.answer === null ? t.rightUnknown : t.rightAnswer(asked.answer)}</span>
        </p>
      )}
    </div>
  );
}

/** A random one is one of so many. */
const mostQuestions = 10_000;

function Answers({ looking, state }: { looking: Looking; state: State }) {
  const { view, step, asked, isBusy, token, hasAnswered } = useStore(looking.store);
  const waiting = state.run === 'running' ? t.waitingForStep : t.waiting;
  if (!view)
    return (
      <div className="look-right">
        {isBusy && (
          <p className="hint" role="status">
            {hasAnswered ? waiting : t.first}
          </p>
        )}
      </div>
    );
  const likeliest = view.answers.find(({ kind }) => kind === 'answer');
  return (
    <div className="look-right" aria-busy={isBusy}>
      <h3 className="plain">{t.answers.title}</h3>
      <p className="hint">{t.answers.hint(view.samples, short(looking.temperature))}</p>
      <PairedBars
        caption={t.answers.caption}
        head={t.answers.answer}
        rows={view.answers.map(({ kind, answer, image, masked }) => ({
          key: `${kind} ${answer}`,
          label: kind === 'answer' ? answer : t.answers[kind],
          tag: kind === 'answer' && answer === asked?.answer ? t.answers.right : undefined,
          isSoft: kind !== 'answer',
          image: { ...image, title: intervalOf(image, view.samples) },
          masked: masked && { ...masked, title: intervalOf(masked, view.samples) },
        }))}
      />
      <h3 className="plain">{t.tokens.title}</h3>
      <p className="hint">{t.tokens.hint}</p>
      <TokenStrip view={view} chosen={token} onChoose={(place) => looking.lookAt(place)} />
      {view.masked && (
        <p className="hint">
          {t.tokens.masked}: <code>{readable(view.masked.text)}</code>
        </p>
      )}
      <p className="hint" data-testid="look-took">
        {isBusy ? waiting : t.took(Math.round(view.milliseconds), step)}
      </p>
      <p className="visually-hidden" role="status">
        {!isBusy &&
          likeliest?.masked &&
          t.summary(likeliest.answer, percent(likeliest.image.share), percent(likeliest.masked.share))}
      </p>
    </div>
  );
}

const intervalOf = ({ count, low, high }: { count: number; low: number; high: number }, of: number) =>
  t.answers.count(count, of, percent(low), percent(high));
