/** What completions are rewarded for: built-in functions, and the visitor's own code in the sandbox. */
import { useId } from 'react';
import { CheckField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, problemOf, type State } from '../state.ts';

const example = `// One number per completion, or null.
// Columns of the data come along: answer, …
function reward({ completions, answer }) {
  return completions.map((text, i) =>
    text.includes(answer[i]) ? 1 : 0);
}`;

export function RewardPanel({ session, state }: { session: Session; state: State }) {
  const { catalogue, form, validation } = state;
  const { rewards, code, codeIsOn, codeIsFromLink } = form;
  const disabled = isGoing(state);
  const id = useId();
  const problem = problemOf(validation, 'rewards');
  return (
    <section className="panel rewards-panel" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Rewards</h2>
      <p className="hint">
        A completion’s rewards are added up; its group’s mean is what it is held against.
      </p>
      <fieldset disabled={disabled} aria-describedby={problem && `${id}-problem`}>
        <legend className="visually-hidden">Built-in rewards</legend>
        {(catalogue?.rewards ?? []).map(({ name, meaning }) => (
          <CheckField
            key={name}
            label={name}
            isCode
            hint={meaning}
            checked={rewards.includes(name)}
            invalid={problem !== undefined}
            onChange={(isOn) =>
              void session.choose({
                rewards: isOn ? [...rewards, name] : rewards.filter((one) => one !== name),
              })
            }
          />
        ))}
      </fieldset>
      {problem && (
        <p className="problem" role="alert" id={`${id}-problem`}>
          {problem}
        </p>
      )}
      <div className="field">
        <label htmlFor={`${id}-code`}>Own reward code</label>
        {codeIsFromLink && (
          <p className="notice">This code came with the link. Read it before you switch it on.</p>
        )}
        <textarea
          id={`${id}-code`}
          rows={7}
          value={code}
          placeholder={example}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          disabled={disabled}
          onChange={({ target: { value } }) =>
            void session.choose({ code: value, ...(value.trim() === '' && { codeIsOn: false }) })
          }
        />
      </div>
      <CheckField
        label="Run this code"
        hint="In a sandbox without network, storage or page."
        checked={codeIsOn}
        disabled={disabled || code.trim() === ''}
        onChange={(isOn) => void session.choose({ codeIsOn: isOn })}
      />
    </section>
  );
}
