/** In what a run was set up differently from the one before it. */
import type { RunChange } from '../../worker/protocol.ts';
import { text } from '../text.ts';

const t = text.runs;
/** More are folded away. */
const shown = 6;

export function RunChanges({ changes }: { changes: readonly RunChange[] | null }) {
  if (changes === null) return <p className="hint">{t.first}</p>;
  if (changes.length === 0) return <p className="hint">{t.noChange}</p>;
  return (
    <div className="changes">
      <p className="hint">{t.changes}</p>
      <Changes changes={changes.slice(0, shown)} />
      {changes.length > shown && (
        <details>
          <summary>{t.more(changes.length - shown)}</summary>
          <Changes changes={changes.slice(shown)} />
        </details>
      )}
    </div>
  );
}

const Changes = ({ changes }: { changes: readonly RunChange[] }) => (
  <ul>
    {changes.map((change) => (
      <li key={change.name}>
        <code>{describe(change)}</code>
      </li>
    ))}
  </ul>
);

function describe({ name, before, after }: RunChange): string {
  if (name === 'reward_code')
    return before === null ? t.code.added : after === null ? t.code.removed : t.code.changed;
  return `${name} ${before ?? t.nothing} → ${after ?? t.nothing}`;
}
