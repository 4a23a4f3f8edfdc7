/** The built-in tasks: what each asks, and how often. */

import { percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

const t = text.data;

export interface CardsProps {
  readonly session: Session;
  readonly state: State;
  /** Keys of what is looked at, and of what the next run trains on. */
  readonly shown: string;
  readonly chosen: string;
}

export function TaskCards({ session, state, shown, chosen }: CardsProps) {
  const tasks = state.catalogue?.tasks;
  if (!tasks) return <p className="hint">{t.waiting}</p>;
  return (
    <ul className="cards">
      {tasks.map(({ name, meaning, kinds }) => (
        <li className="card" key={name} data-shown={shown === `task ${name}`}>
          <button
            type="button"
            className="card-name"
            aria-pressed={shown === `task ${name}`}
            onClick={() => session.browsing.look({ task: name })}
          >
            {name}
          </button>
          {chosen === `task ${name}` && <span className="tag">{t.chosen}</span>}
          <p className="hint">{meaning}</p>
          <ul className="kinds" aria-label={t.kindsOf(name)}>
            {kinds.map(({ name: kind, level, share }) => (
              <li key={kind}>
                <code>{kind}</code> {percent(share)}
                {level === 'hard' && <span className="tag">{t.levels.hard}</span>}
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}
