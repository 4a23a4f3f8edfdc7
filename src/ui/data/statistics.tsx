/** What the answers are, kind by kind, and how far one gets by guessing them. */
import type { DataStatistics, KindStatistics, TaskKindInfo } from '../../worker/data-protocol.ts';
import { count, percent } from '../parts/format.ts';
import { text } from '../text.ts';

const t = text.data.statistics;

interface Props {
  readonly statistics: DataStatistics;
  /** Of a built-in task. */
  readonly kinds?: readonly TaskKindInfo[];
}

export function Statistics({ statistics, kinds }: Props) {
  const { questions, isSample, guessing, promptTokens, dependencies } = statistics;
  return (
    <>
      <p className="hint">{isSample ? t.counted(count(questions)) : t.countedAll(count(questions))}</p>
      <dl className="figures">
        <div>
          <dt>{t.guessing}</dt>
          <dd>
            <strong>{guessing === null ? '–' : percent(guessing)}</strong>
            <span className="hint">{guessing === null ? t.noAnswers : t.guessingHint}</span>
          </dd>
        </div>
        <div>
          <dt>{t.promptTokens}</dt>
          <dd>
            <strong>
              {promptTokens === null ? '–' : t.range(count(promptTokens.least), count(promptTokens.most))}
            </strong>
            <span className="hint">
              {promptTokens === null ? t.noModel : t.promptTokensHint(count(promptTokens.median))}
            </span>
          </dd>
        </div>
        {dependencies.length > 0 && (
          <div>
            <dt>{t.dependency}</dt>
            <dd>
              <ul className="key">
                {dependencies.map(({ name, count: n }) => (
                  <li key={name}>
                    {name} <b>{percent(n / questions)}</b>
                  </li>
                ))}
              </ul>
              <span className="hint">{t.dependencyHint}</span>
            </dd>
          </div>
        )}
      </dl>
      <div className="answer-kinds">
        {statistics.kinds.map((kind) => (
          <Answers
            key={kind.kind}
            of={kind}
            share={kind.questions / questions}
            level={kinds?.find(({ name }) => name === kind.kind)?.level}
          />
        ))}
      </div>
    </>
  );
}

function Answers({ of, share, level }: { of: KindStatistics; share: number; level?: TaskKindInfo['level'] }) {
  const answered = of.questions - of.withoutAnswer;
  const most = of.answers[0]?.count ?? 1;
  const rest = of.distinct - of.answers.length;
  return (
    <table className="answers">
      <caption>
        {of.kind === null ? t.allQuestions : <code>{of.kind}</code>} {percent(share)}
        {level && <span className="tag">{text.data.levels[level]}</span>}
        <span className="hint">
          {answered > 0
            ? t.kindFacts(count(of.distinct), of.distinct, percent(of.answers[0].count / answered))
            : t.noAnswers}
        </span>
      </caption>
      <thead>
        <tr>
          <th scope="col">{t.answer}</th>
          <th scope="col">{t.share}</th>
        </tr>
      </thead>
      <tbody>
        {of.answers.map(({ name, count: n }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <span className="bar" style={{ width: `${(60 * n) / most}%` }} />
              {percent(n / answered, 1)}
            </td>
          </tr>
        ))}
      </tbody>
      {rest > 0 && (
        <tfoot>
          <tr>
            <td colSpan={2}>{t.others(count(rest), rest)}</td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}
