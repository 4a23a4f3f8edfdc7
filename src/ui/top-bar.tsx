/** The page's name, its lesson, its colours, and a link to the experiment as it is set. */
import { useId, useState } from 'react';
import type { Session } from './session.ts';
import type { State } from './state.ts';
import { useStore } from './store.ts';
import { text } from './text.ts';
import { chooseTheme, THEMES, type Theme, theme } from './theme.ts';

const t = text.shell;

export function TopBar({ session, state }: { session: Session; state: State }) {
  const { chosen } = useStore(theme);
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await session.guarded(() => navigator.clipboard.writeText(session.address.now()));
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <header className="top">
      <h1>{t.name}</h1>
      <p>
        {t.about} <a href="https://arxiv.org/abs/2507.06448">{t.paper}</a>. {t.stays}
      </p>
      <div className="buttons small">
        <button type="button" aria-pressed={state.lessonIsOpen} onClick={() => session.toggleLesson()}>
          {t.lesson}
        </button>
        <button type="button" onClick={() => void copy()}>
          {copied ? t.linkCopied : t.copyLink}
        </button>
        <div className="theme">
          <label htmlFor={id}>{t.theme.label}</label>
          <select id={id} value={chosen} onChange={({ target }) => chooseTheme(target.value as Theme)}>
            {THEMES.map((one) => (
              <option key={one} value={one}>
                {t.theme[one]}
              </option>
            ))}
          </select>
        </div>
      </div>
    </header>
  );
}
