/** The question: free text, what the tasks ask, and the words that the model does not know. */
import { useId } from 'react';
import { maskOf } from '../look/asking.ts';
import { CheckField } from '../parts/fields.tsx';
import { percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';

const t = text.tryIt.question;

export function Question({ session, state }: { session: Session; state: State }) {
  const { trying } = session;
  const { prompt, unknown, facts, suggestions, withMask, asking, picture } = useStore(trying.store);
  const id = useId();
  const mask = maskOf(state);
  const model = state.loaded?.model ?? '';
  const missing = !picture ? t.needPicture : prompt.trim() === '' ? t.needQuestion : undefined;
  return (
    <form
      className="try-question"
      onSubmit={(event) => {
        event.preventDefault();
        void trying.ask();
      }}
    >
      <div className="field">
        <label htmlFor={id}>{t.label}</label>
        <div className="try-ask">
          <input
            id={id}
            value={prompt}
            autoComplete="off"
            spellCheck={false}
            aria-describedby={unknown.length ? `${id}-unknown` : undefined}
            onChange={({ target }) => trying.write(target.value)}
          />
          <button
            type="submit"
            className="primary"
            disabled={missing !== undefined || asking !== undefined}
            title={missing}
          >
            {t.ask}
          </button>
        </div>
        {unknown.length > 0 && (
          <p className="problem" id={`${id}-unknown`} role="alert">
            {facts?.words ? t.unknown(model, facts.words.length, unknown) : t.unknownSpelled(model, unknown)}
          </p>
        )}
      </div>
      {suggestions.length > 0 && (
        <div className="field">
          <span className="field-label">{t.suggestions}</span>
          <div className="buttons small">
            {suggestions.map((suggestion) => (
              <button key={suggestion} type="button" onClick={() => trying.write(suggestion)}>
                {suggestion}
              </button>
            ))}
          </div>
        </div>
      )}
      {facts?.words && (
        <details className="known-words">
          <summary>{t.known(facts.words.length)}</summary>
          <p>
            <code>{facts.words.join(' ')}</code>
          </p>
        </details>
      )}
      <CheckField
        label={t.withMask}
        hint={withMask ? t.maskOf(mask.mask_type, percent(mask.mask_ratio)) : undefined}
        checked={withMask}
        onChange={(checked) => trying.set({ withMask: checked })}
      />
    </form>
  );
}
