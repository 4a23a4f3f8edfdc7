/** What the chosen rewards give to a few completions. */
import type { RewardTrial, TriedGroup } from '../../worker/reward-protocol.ts';
import { short } from '../parts/format.ts';
import { text } from '../text.ts';

const words = text.reward.trial;

export function TrialView({ trial }: { trial: RewardTrial }) {
  const { names, groups, step, ran } = trial;
  if (names.length === 0) return <p className="hint">{words.none}</p>;
  const all = groups.flatMap(({ completions }) => completions);
  const nulls = names
    .map((name, k) => ({ name, count: all.filter(({ rewards }) => rewards[k] === null).length }))
    .filter(({ count }) => count > 0);
  const facts = [
    step === null ? words.onExamples(all.length) : words.onStep(all.length, step),
    ran && words.took(ran.ms < 1 ? '< 1' : ran.ms.toFixed(0)),
    ...nulls.map(({ name, count }) => words.nulls(name, count, all.length)),
  ].filter(Boolean);
  return (
    <>
      <p className="hint">{facts.join(' ')}</p>
      {groups.every(({ isFlat }) => isFlat) && <p className="notice">{words.allFlat}</p>}
      {/* A table that is wider than the screen is scrolled, with the keyboard too. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section className="scroll" tabIndex={0} aria-label={words.table}>
        <table className="trial">
          <thead>
            <tr>
              <th scope="col">{words.completion}</th>
              {names.map((name, k) => (
                <th scope="col" key={name} className="amount">
                  {name}
                  {trial.weights[k] !== 1 && ` × ${short(trial.weights[k])}`}
                </th>
              ))}
              <th scope="col" className="amount">
                {words.sum}
              </th>
            </tr>
          </thead>
          {groups.map((group) => (
            <GroupRows key={group.id} group={group} names={names} />
          ))}
        </table>
      </section>
      {ran !== undefined && ran.logs.length > 0 && (
        <details>
          <summary>{words.log}</summary>
          <pre className="log">{ran.logs.join('\n')}</pre>
        </details>
      )}
    </>
  );
}

function GroupRows({ group, names }: { group: TriedGroup; names: readonly string[] }) {
  const { prompt, answer, completions, isFlat } = group;
  return (
    <tbody>
      <tr>
        <th scope="rowgroup" colSpan={names.length + 2}>
          <code>{prompt}</code>
          {answer !== null && <span className="hint"> {words.answer(answer)}</span>}
          {isFlat && <span className="tag">{words.flat}</span>}
        </th>
      </tr>
      {completions.map(({ text: written, made, rewards, total }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two completions may be the same, and their order never changes
        <tr key={`${i} ${written}`}>
          <td>
            <code>{written}</code> {made !== null && <span className="tag">{words.made[made]}</span>}
          </td>
          {names.map((name, k) => (
            <td key={name} className="amount">
              <Amount value={rewards[k]} />
            </td>
          ))}
          <td className="amount">
            <strong>{short(total)}</strong>
          </td>
        </tr>
      ))}
    </tbody>
  );
}

const Amount = ({ value }: { value: number | string | null }) =>
  typeof value === 'string' ? <span className="problem">{value}</span> : short(value);
