/** Says which runs were deleted, and brings them back: above every panel, for as long as that can be done. */
import './deleted.css';
import { bytes } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';

export function DeletedRuns({ session }: { session: Session }) {
  const { bin } = session.kept;
  const { deleted } = useStore(bin.store);
  return (
    <div
      className="deleted"
      role="status"
      onFocus={() => bin.hold()}
      onBlur={() => bin.goOn()}
      onMouseEnter={() => bin.hold()}
      onMouseLeave={() => bin.goOn()}
    >
      {deleted.map(({ id, name, bytes: size }) => (
        <p key={id}>
          <span>{text.runs.deleted(name, bytes(size))}</span>
          <button
            type="button"
            data-undo={id}
            aria-label={text.runs.undoOf(name)}
            onClick={() => void bin.undo(id)}
          >
            {text.runs.undo}
          </button>
        </p>
      ))}
    </div>
  );
}
