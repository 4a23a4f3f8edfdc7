/** Eight short steps beside the page that they drive. */
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function Lesson(_: { session: Session; state: State }) {
  return (
    <aside className="lesson panel" aria-labelledby="lesson-title">
      <h2 id="lesson-title">{text.shell.lesson}</h2>
    </aside>
  );
}
