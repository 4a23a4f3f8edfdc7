import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function ComparePanel(_: { session: Session; state: State }) {
  return (
    <section className="panel compare" aria-labelledby="compare-title">
      <h2 id="compare-title">{text.shell.panels.compare}</h2>
    </section>
  );
}
