/** Measures the model before and after training on held-out questions; see also the eight that stay the same. */
import { useEffect } from 'react';
import type { EvaluationView } from '../../worker/evaluation-protocol.ts';
import { EVALUATION_VIEWS } from '../../worker/evaluation-protocol.ts';
import { CheckField, Select } from '../parts/fields.tsx';
import { duration } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import {
  type EvaluateState,
  maskOf,
  nameOfData,
  optionsOf,
  questionCounts,
  sampleCounts,
  stepAtHand,
  subjectsOf,
} from './evaluations.ts';
import './evaluate.css';
import { FixedQuestions } from './fixed-questions.tsx';
import { Results } from './results.tsx';

const t = text.evaluate;

export function EvaluatePanel({ session, state }: { session: Session; state: State }) {
  const { evaluations } = session;
  const own = useStore(evaluations.store);
  const { loaded, heldOut } = state;
  const isBusy = state.pending !== undefined;
  // While the panel is looked at: at first, and whenever the run has measured itself.
  const measured = heldOut.length;
  const hasModel = loaded !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the numbers of evaluations and of the data are what it waits for
  useEffect(() => {
    if (hasModel && !isBusy) void evaluations.answerFixed();
  }, [evaluations, hasModel, isBusy, measured, state.run, state.form.task, state.form.dataset]);
  return (
    <div className="evaluate">
      <section className="panel" aria-labelledby="evaluate-title">
        <h2 id="evaluate-title">{t.title}</h2>
        <p className="hint">{t.meaning}</p>
        <Choices session={session} state={state} own={own} />
        {own.going ? (
          <Going session={session} state={state} own={own} />
        ) : (
          <div className="buttons">
            <button
              type="button"
              className="primary"
              disabled={!loaded || own.views.length === 0}
              onClick={() => void evaluations.start()}
            >
              {own.shown ? t.again : t.start}
            </button>
            {own.views.length === 0 && <p className="problem">{t.noView}</p>}
          </div>
        )}
        {own.error !== undefined && (
          <p className="problem" role="alert">
            {t.failed(own.error)}
          </p>
        )}
      </section>
      <Results shown={own.shown} />
      <FixedQuestions
        fixed={own.fixed}
        isAnswering={own.answering}
        error={own.fixedError}
        canAskAgain={stepAtHand(state) !== undefined}
        onAskAgain={() => void evaluations.answerFixed(true)}
      />
    </div>
  );
}

function Choices({ session, state, own }: { session: Session; state: State; own: EvaluateState }) {
  const { evaluations } = session;
  const options = optionsOf(state);
  const [before, after] = subjectsOf(state, own);
  const disabled = own.going !== undefined;
  const toggle = (view: EvaluationView, isOn: boolean) =>
    evaluations.choose({
      views: EVALUATION_VIEWS.filter((one) => (one === view ? isOn : own.views.includes(one))),
    });
  return (
    <>
      <div className="choices">
        <Select
          label={t.before}
          value={before.value}
          disabled={disabled}
          options={options.before}
          onChange={(value) => evaluations.choose({ before: value })}
        />
        <Select
          label={t.after}
          value={after?.value ?? 'none'}
          disabled={disabled}
          options={[{ value: 'none', label: t.nobody }, ...options.after]}
          onChange={(value) => evaluations.choose({ after: value })}
        />
        <Select
          label={t.questions}
          value={String(own.questions)}
          disabled={disabled}
          options={questionCounts.map((n) => ({ value: String(n) }))}
          hint={t.questionsHint(nameOfData(state))}
          onChange={(value) => evaluations.choose({ questions: Number(value) })}
        />
        <Select
          label={t.samples}
          value={String(own.samples)}
          disabled={disabled}
          options={sampleCounts.map((n) => ({ value: String(n) }))}
          hint={t.samplesHint}
          onChange={(value) => evaluations.choose({ samples: Number(value) })}
        />
      </div>
      <fieldset className="evaluate-views" disabled={disabled}>
        <legend>{t.viewsLabel}</legend>
        {EVALUATION_VIEWS.map((view) => (
          <CheckField
            key={view}
            label={view === 'masked' ? t.maskedAs(maskOf(state)) : t.views[view]}
            checked={own.views.includes(view)}
            onChange={(isOn) => toggle(view, isOn)}
          />
        ))}
      </fieldset>
      {isGoing(state) && <p className="hint">{t.takesTurns}</p>}
    </>
  );
}

function Going({ session, own }: { session: Session; state: State; own: EvaluateState }) {
  const { going, subjectsGoing } = own;
  if (!going) return null;
  const { done, total, secondsLeft, subject, view, cancelling } = going;
  const left = secondsLeft === null ? '' : t.left(duration(secondsLeft));
  return (
    <div className="evaluate-going">
      <progress value={done} max={total} aria-label={t.progress} />
      <p className="hint" data-testid="evaluating">
        {done === 0 ? t.begins : t.answering(subjectsGoing[subject], t.views[view], done, total, left)}
      </p>
      <button type="button" disabled={cancelling} onClick={() => void session.evaluations.cancel()}>
        {cancelling ? t.cancelling : t.cancel}
      </button>
    </div>
  );
}
