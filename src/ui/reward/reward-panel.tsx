/** What completions are rewarded for: built-in functions with weights, and the visitor's own code in the sandbox. */
import './reward.css';
import { useEffect, useId } from 'react';
import { CheckField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, problemOf, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { CodeField } from './code-field.tsx';
import { type ExampleName, examples } from './examples.ts';
import { TrialView } from './trial-view.tsx';
import { ownReward, rewardNames, settingOf, typedWeight, weightsOf, withRewards } from './weights.ts';

const words = text.reward;

export function RewardPanel({ session, state }: { session: Session; state: State }) {
  useTrials(session, state);
  return (
    <div className="reward">
      <Chosen session={session} state={state} />
      <OwnCode session={session} state={state} />
      <Samples session={session} state={state} />
    </div>
  );
}

/** Tries the rewards whenever something changes that they depend on. */
function useTrials({ reward }: Session, { form, run, progress, catalogue }: State): void {
  const { code, codeIsOn, rewards, task, dataset, preset } = form;
  const key = JSON.stringify([
    ...[code, codeIsOn, rewards, task, dataset, preset, form.settings.reward_weights],
    ...[run, progress?.step, catalogue !== undefined],
  ]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is what it depends on
  useEffect(() => reward.changed(), [reward, key]);
}

function Chosen({ session, state }: { session: Session; state: State }) {
  const { catalogue, form, validation } = state;
  const { rewards } = form;
  const id = useId();
  const problem = problemOf(validation, 'rewards');
  const weightProblem = problemOf(validation, 'reward_weights');
  return (
    <section className="panel" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{words.title}</h2>
      <p className="hint">{words.hint}</p>
      {isGoing(state) && <p className="notice">{words.locked}</p>}
      <fieldset
        disabled={isGoing(state)}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
      >
        <legend className="visually-hidden">{words.builtIn}</legend>
        {(catalogue?.rewards ?? []).map(({ name, meaning }) => (
          <div className="weighted" key={name}>
            <CheckField
              label={name}
              isCode
              hint={meaning}
              checked={rewards.includes(name)}
              invalid={problem !== undefined}
              onChange={(isOn) => {
                const chosen = isOn ? [...rewards, name] : rewards.filter((one) => one !== name);
                void session.choose(withRewards(form, { rewards: chosen }));
              }}
            />
            {rewards.includes(name) && <WeightField name={name} session={session} state={state} />}
          </div>
        ))}
      </fieldset>
      {problem !== undefined && (
        <p className="problem" role="alert" id={`${id}-problem`}>
          {problem}
        </p>
      )}
      {weightProblem !== undefined && (
        <p className="problem" role="status">
          <code>reward_weights</code>: {weightProblem}
        </p>
      )}
    </section>
  );
}

/** One entry of `reward_weights`. */
function WeightField({ name, session, state }: { name: string; session: Session; state: State }) {
  const { form, validation } = state;
  const setting = form.settings.reward_weights ?? validation?.preset.reward_weights;
  const weights = weightsOf(setting, rewardNames(form));
  const value = weights.get(name) ?? '1';
  const isNumber = value !== '' && Number.isFinite(Number(value));
  return (
    <label className="weight">
      <span aria-hidden="true">{words.weight}</span>
      <input
        aria-label={words.weightOf(name)}
        value={value}
        inputMode="decimal"
        autoComplete="off"
        spellCheck={false}
        disabled={isGoing(state)}
        aria-invalid={!isNumber}
        title={isNumber ? undefined : words.noNumber}
        onChange={({ target }) => {
          const changed = new Map(weights).set(name, typedWeight(target.value));
          void session.edit('reward_weights', settingOf(changed.values()));
        }}
      />
    </label>
  );
}

function OwnCode({ session, state }: { session: Session; state: State }) {
  const { form } = state;
  const { code, codeIsOn, codeIsFromLink } = form;
  const { trial, code: triedCode } = useStore(session.reward.store);
  const disabled = isGoing(state);
  const id = useId();
  const isEmpty = code.trim() === '';
  // What was said of other code does not stand at this one's lines.
  const problem = triedCode === code && !isEmpty ? trial?.problem : undefined;
  return (
    <section className="panel" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{words.own.title}</h2>
      <p className="hint">{words.own.help}</p>
      {codeIsFromLink && <p className="notice">{words.own.fromLink}</p>}
      <CodeField
        code={code}
        problem={problem}
        columns={trial?.columns}
        readOnly={disabled}
        onChange={(typed) => session.reward.write(typed)}
      />
      <p className={problem ? 'problem' : 'hint'} role="status" data-testid="code-problem">
        {problem && words.own.problem(problem.message, problem.line)}
        {!problem && !isEmpty && !trial?.ran && triedCode === code && words.own.notRun}
      </p>
      <div className="weighted">
        <CheckField
          label={words.own.on}
          hint={words.own.onHint}
          checked={codeIsOn}
          disabled={disabled || isEmpty}
          onChange={(isOn) => void session.choose(withRewards(form, { codeIsOn: isOn }))}
        />
        {codeIsOn && <WeightField name={ownReward} session={session} state={state} />}
      </div>
      <div className="buttons">
        <button
          type="button"
          disabled={isEmpty || state.run === 'running'}
          onClick={() => void session.reward.tryNow()}
        >
          {words.own.tryIt}
        </button>
      </div>
      {!disabled && (
        <details className="examples">
          <summary>{words.own.examples}</summary>
          <p className="hint">{words.own.replaces}</p>
          <ul>
            {(Object.keys(examples) as ExampleName[]).map((name) => (
              <li key={name}>
                <button type="button" onClick={() => session.reward.write(examples[name])}>
                  {words.own.example[name].name}
                </button>
                <span className="hint">{words.own.example[name].meaning}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Samples({ session, state }: { session: Session; state: State }) {
  const { trial, error, isTrying } = useStore(session.reward.store);
  const id = useId();
  return (
    <section className="panel samples-tried" aria-labelledby={`${id}-title`} aria-busy={isTrying}>
      <div className="title-row">
        <h2 id={`${id}-title`}>{words.trial.title}</h2>
        <p className="hint" role="status">
          {state.run === 'running' ? words.trial.going : isTrying && words.trial.trying}
        </p>
      </div>
      {error !== undefined && <p className="problem">{words.trial.failed(error)}</p>}
      {trial ? <TrialView trial={trial} /> : <p className="hint">{words.trial.waiting}</p>}
    </section>
  );
}
