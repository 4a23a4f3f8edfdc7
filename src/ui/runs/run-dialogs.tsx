/** Renaming and deleting a kept run. */
import { useState } from 'react';
import type { RunSummary } from '../../worker/protocol.ts';
import { Dialog } from '../parts/dialog.tsx';
import { TextField } from '../parts/fields.tsx';
import { bytes } from '../parts/format.ts';
import type { Session } from '../session.ts';

interface Props {
  run: RunSummary;
  session: Session;
  onClose: () => void;
}

export function RenameDialog({ run, session, onClose }: Props) {
  const [name, setName] = useState(run.name);
  const isFit = name.trim() !== '';
  return (
    <Dialog title="Rename the run" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isFit) return;
          void session.kept.rename(run.id, name.trim());
          onClose();
        }}
      >
        <TextField label="Name" value={name} inputMode="text" onChange={setName} />
        <div className="buttons">
          <button type="submit" className="primary" disabled={!isFit}>
            Rename it
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function DeleteDialog({ run, session, onClose }: Props) {
  return (
    <Dialog title="Delete the run?" onClose={onClose}>
      <p>
        “{run.name}” with its {run.checkpoints.length} checkpoints ({bytes(run.bytes)}) and its numbers. This
        cannot be undone.
      </p>
      <div className="buttons">
        <button
          type="button"
          className="danger"
          onClick={() => {
            void session.kept.remove(run.id);
            onClose();
          }}
        >
          Delete it
        </button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </Dialog>
  );
}
