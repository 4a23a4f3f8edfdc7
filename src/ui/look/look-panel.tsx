import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function LookPanel(_: { session: Session; state: State }) {
  return (
    <section className="panel look" aria-labelledby="look-title">
      <h2 id="look-title">{text.shell.panels.look}</h2>
    </section>
  );
}
