/** The same eight held-out images, answered greedily before training and now. */
import type { FixedAnswer } from '../../worker/evaluation-protocol.ts';
import { Pixels } from '../parts/pixels.tsx';
import { text } from '../text.ts';
import type { FixedState } from './evaluations.ts';

const t = text.evaluate.fixed;

export function FixedQuestions({
  fixed,
  isAnswering,
  error,
  canAskAgain,
  onAskAgain,
}: {
  fixed: FixedState | undefined;
  isAnswering: boolean;
  error: string | undefined;
  canAskAgain: boolean;
  onAskAgain: () => void;
}) {
  return (
    <section className="panel" aria-labelledby="fixed-title">
      <div className="title-row">
        <h2 id="fixed-title">{t.title}</h2>
        <button type="button" disabled={isAnswering || !canAskAgain} onClick={onAskAgain}>
          {t.again}
        </button>
      </div>
      <p className="hint">{t.meaning}</p>
      {error !== undefined && (
        <p className="problem" role="alert">
          {t.failed(error)}
        </p>
      )}
      {!fixed && error === undefined && <p className="hint">{isAnswering ? t.answering : t.waiting}</p>}
      {fixed && (
        <>
          <p className="hint" aria-live="polite" data-testid="fixed">
            {t.score(
              rightOf(fixed.before),
              fixed.now && rightOf(fixed.now.answers),
              fixed.before.length,
              fixed.now?.step,
            )}
            {isAnswering && ` ${t.answering}`}
          </p>
          <ol className="fixed-questions">
            {fixed.questions.map((question, i) => (
              <li key={question.id}>
                <Pixels image={question.image} label={t.image(question.prompt)} />
                <p>
                  <b>{question.prompt}</b>
                  {question.answer !== null && <span className="hint"> {t.right(question.answer)}</span>}
                </p>
                <dl>
                  <Answer label={t.stepZero} answer={fixed.before[i]} />
                  {fixed.now && <Answer label={t.now(fixed.now.step)} answer={fixed.now.answers[i]} />}
                </dl>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

const rightOf = (answers: readonly FixedAnswer[]) => answers.filter(({ correct }) => correct).length;

function Answer({ label, answer }: { label: string; answer: FixedAnswer }) {
  const { correct } = answer;
  return (
    <>
      <dt>{label}</dt>
      <dd>
        <code>{answer.text || t.nothing}</code>
        {correct !== null && (
          <span className={correct ? 'verdict-right' : 'verdict-wrong'}>
            {correct ? t.isRight : t.isWrong}
          </span>
        )}
      </dd>
    </>
  );
}
