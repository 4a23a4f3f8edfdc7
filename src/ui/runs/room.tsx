/** How much of the browser's storage is used, by what, and whether it is promised to last. */
import type { RunSummary, StorageView } from '../../worker/protocol.ts';
import { bytes } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { text } from '../text.ts';

const t = text.runs.room;

export function Room({
  storage,
  runs,
  session,
}: {
  storage: StorageView;
  runs: readonly RunSummary[];
  session: Session;
}) {
  const { used, free, persistence } = storage;
  const share = free === null || used + free === 0 ? 0 : used / (used + free);
  const inRuns = runs.reduce((sum, run) => sum + run.bytes, 0);
  const facts = [
    `${t.used(bytes(used))}${free === null ? '' : t.free(bytes(free))}.`,
    runs.length > 0 && t.runs(runs.length, bytes(inRuns)),
    persistence === 'granted' && t.kept,
    persistence === 'denied' && t.denied,
  ];
  return (
    <div className="room">
      {free !== null && <progress className="thin" aria-label={t.label} max={1} value={share} />}
      <p className="hint">{facts.filter(Boolean).join(' ')}</p>
      {persistence !== 'granted' && (
        <div className="buttons small">
          <button type="button" onClick={() => void session.kept.askToKeep()}>
            {t.ask}
          </button>
        </div>
      )}
    </div>
  );
}
