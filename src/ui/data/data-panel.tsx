import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export function DataPanel(_: { session: Session; state: State }) {
  return (
    <section className="panel data" aria-labelledby="data-title">
      <h2 id="data-title">{text.shell.panels.data}</h2>
    </section>
  );
}
