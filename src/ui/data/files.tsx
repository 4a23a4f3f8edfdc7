/** The visitor's own model and data: buttons, and the whole page to drop them on. */
import { useEffect, useRef, useState } from 'react';
import { droppedFiles, type PickedFile } from '../../import/picked-files.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { text } from '../text.ts';

const t = text.data.files;

type Kind = 'model' | 'dataset';

const takes = (session: Session, kind: Kind) => (files: PickedFile[]) => void session.files.take(files, kind);
const isBusy = (state: State) => isGoing(state) || state.reading !== undefined || state.loading !== undefined;

/** A model or a dataset. */
export function Files({ session, state }: { session: Session; state: State }) {
  const model = { disabled: isBusy(state), onFiles: takes(session, 'model') };
  return (
    <div className="files">
      <div className="buttons small">
        <Picker label={t.openFolder} folder {...model} />
        <Picker label={t.openZip} accept=".zip" {...model} />
        <DatasetPicker session={session} state={state} />
      </div>
      <Taken state={state} />
    </div>
  );
}

export function DatasetPicker({ session, state }: { session: Session; state: State }) {
  return (
    <Picker
      label={t.openDataset}
      accept=".jsonl,.ndjson,.json,.parquet,.zip,image/*"
      disabled={isBusy(state)}
      onFiles={takes(session, 'dataset')}
    />
  );
}

/** What is being read, or what the last files were taken for. */
export function Taken({ state }: { state: State }) {
  return (
    <p className="hint" data-testid="taken" role="status">
      {state.reading ? t.going(state.reading) : (state.taken ?? t.orDrop)}
    </p>
  );
}

export function Picker({
  label,
  accept,
  folder = false,
  disabled,
  onFiles,
}: {
  label: string;
  accept?: string;
  folder?: boolean;
  disabled: boolean;
  onFiles: (files: PickedFile[]) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" disabled={disabled} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        aria-label={label}
        accept={accept}
        multiple={!folder}
        webkitdirectory={folder ? '' : undefined}
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])].map(pickedFile));
          // The same files may be picked once more.
          target.value = '';
        }}
      />
    </>
  );
}

const pickedFile = (file: File): PickedFile => ({ path: file.webkitRelativePath || file.name, file });

declare module 'react' {
  interface InputHTMLAttributes<T> {
    webkitdirectory?: T extends HTMLInputElement ? string : never;
  }
}

/** Shows where to drop while files are dragged over the page. */
export function DropZone({ session }: { session: Session }) {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const show = (change: number) => {
      depth = Math.max(0, depth + change);
      setIsOver(depth > 0);
    };
    const listeners = {
      dragenter: (event: DragEvent) => hasFiles(event) && show(1),
      dragleave: (event: DragEvent) => hasFiles(event) && show(-1),
      dragover: (event: DragEvent) => hasFiles(event) && event.preventDefault(),
      drop: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        // A panel has taken it.
        const isTaken = event.defaultPrevented;
        event.preventDefault();
        show(-depth);
        if (isTaken) return;
        const dropped = droppedFiles(event.dataTransfer!.items);
        void session.guarded(async () => session.files.take(await dropped));
      },
    };
    const entries = Object.entries(listeners) as [keyof typeof listeners, (event: DragEvent) => void][];
    for (const [name, listener] of entries) document.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of entries) document.removeEventListener(name, listener);
    };
  }, [session]);
  if (!isOver) return null;
  return (
    <div className="drop" data-testid="drop">
      <p>
        <strong>{t.drop}</strong>
        <br />
        {t.dropKinds}
      </p>
    </div>
  );
}
