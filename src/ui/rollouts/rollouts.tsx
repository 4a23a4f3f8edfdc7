import { useState } from 'react';
import type { CompletionView, GroupView } from '../../worker/protocol.ts';
import { short, signed } from '../parts/format.ts';
import { Pixels } from '../parts/pixels.tsx';

const shownAtFirst = 2;

/** The last step's prompts with their completions; before the first step, what will be asked. */
export function Rollouts({ groups, step }: { groups: readonly GroupView[]; step: number | undefined }) {
  const [all, setAll] = useState(false);
  const shown = all ? groups : groups.slice(0, step === undefined ? groups.length : shownAtFirst);
  return (
    <section className="panel rollouts" aria-labelledby="rollouts-title">
      <h2 id="rollouts-title">{step === undefined ? 'What will be asked' : `Rollouts of step ${step}`}</h2>
      {step !== undefined && (
        <p className="hint">
          Each prompt is answered several times. The advantage says how much better than its group’s mean an
          answer did. A token is tinted by how much masking the image changes what the model would write there
          (its own perception KL):{' '}
          <span className="token tint-sample">strongly tinted words looked at the picture</span>.
        </p>
      )}
      <div className={step === undefined ? 'samples' : 'groups'}>
        {shown.map((group) => (
          <Group key={group.id} group={group} />
        ))}
      </div>
      {step !== undefined && groups.length > shownAtFirst && (
        <button type="button" onClick={() => setAll(!all)}>
          {all ? 'Show fewer prompts' : `Show all ${groups.length} prompts`}
        </button>
      )}
    </section>
  );
}

const dependency: Readonly<Record<string, string>> = {
  low: 'the text gives the answer mostly away',
  medium: 'the text hints at an answer',
  high: 'only the image tells',
};

function Group({ group }: { group: GroupView }) {
  return (
    <article className="group">
      <div className="images">
        <figure>
          <Pixels image={group.image} label={`Image of the prompt “${group.prompt}”`} />
          <figcaption>image</figcaption>
        </figure>
        {group.masked && (
          <figure>
            <Pixels image={group.masked} label="The same image, masked" />
            <figcaption>masked</figcaption>
          </figure>
        )}
      </div>
      <div className="text">
        <h3>{group.prompt}</h3>
        <p className="hint">
          {group.answer !== null && (
            <>
              Right answer: <b>{group.answer}</b>.{' '}
            </>
          )}
          {group.visionDependency !== undefined && (
            <>
              Vision dependency {group.visionDependency}
              {Object.hasOwn(dependency, group.visionDependency) && `: ${dependency[group.visionDependency]}`}
              .
            </>
          )}
        </p>
        {group.completions.length > 0 && <Completions completions={group.completions} />}
      </div>
    </article>
  );
}

function Completions({ completions }: { completions: readonly CompletionView[] }) {
  return (
    <>
      <p className="completion-head hint" aria-hidden="true">
        <span>Advantage</span> <span>Rewards</span> <span>Completion</span>
      </p>
      <ol className="completions">
        {completions.map((completion, k) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: completions have no name but their rank
          <Completion key={k} completion={completion} />
        ))}
      </ol>
    </>
  );
}

function Completion({ completion }: { completion: CompletionView }) {
  const { advantage, rewards, tokens, error } = completion;
  const side = advantage > 0 ? 'plus' : advantage < 0 ? 'minus' : 'even';
  return (
    <li>
      <span>
        <span className="visually-hidden">Advantage </span>
        <b className={`advantage ${side}`}>{signed(advantage)}</b>
      </span>
      <span className="rewards">
        {rewards.map(({ name, value }) => (
          <span key={name}>
            {name} <b>{short(value)}</b>
          </span>
        ))}
      </span>
      <span className="answer">
        {tokens.map(({ text, kl, tint }, t) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: a token is its place
            key={t}
            className="token"
            style={{ '--tint': `${(100 * tint).toFixed(0)}%` } as React.CSSProperties}
            title={kl === null ? text : `${text}: perception KL ${short(kl)} nats`}
          >
            {readable(text)}
          </span>
        ))}
        {error && <span className="verdict">{error} error</span>}
      </span>
    </li>
  );
}

/** Byte-level tokenizers write a space as Ġ and a line's end as Ċ. */
const readable = (text: string) => text.replaceAll('Ġ', ' ').replaceAll(/Ċ|\n/g, '⏎');
