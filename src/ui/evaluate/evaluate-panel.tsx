import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function EvaluatePanel(_: { session: Session; state: State }) {
  return (
    <section className="panel evaluate" aria-labelledby="evaluate-title">
      <h2 id="evaluate-title">{text.shell.panels.evaluate}</h2>
    </section>
  );
}
