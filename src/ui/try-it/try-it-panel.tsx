import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function TryPanel(_: { session: Session; state: State }) {
  return (
    <section className="panel try-it" aria-labelledby="try-it-title">
      <h2 id="try-it-title">{text.shell.panels.try}</h2>
    </section>
  );
}
