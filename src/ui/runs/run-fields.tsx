/** What a visitor says of a run: its name, a star, notes. They are saved as they are given. */
import { useEffect, useId, useRef, useState } from 'react';
import type { RunSummary } from '../../worker/protocol.ts';
import { TextField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { text } from '../text.ts';

const t = text.runs;
/** So long nobody types before it is saved. */
const quietMs = 500;

interface Props {
  run: RunSummary;
  session: Session;
}

export function Star({ run: { id, name, isStarred }, session }: Props) {
  return (
    <button
      type="button"
      className="star"
      aria-pressed={isStarred}
      aria-label={t.star(name)}
      onClick={() => void session.kept.label(id, { isStarred: !isStarred })}
    >
      {isStarred ? '★' : '☆'}
    </button>
  );
}

export function NameField({ run, session, onClose }: Props & { onClose: () => void }) {
  const [name, setName] = useState(run.name);
  const form = useRef<HTMLFormElement>(null);
  const isFit = name.trim() !== '';
  useEffect(() => form.current?.querySelector('input')?.select(), []);
  return (
    <form
      ref={form}
      className="rename"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (!isFit) return;
        void session.kept.label(run.id, { name: name.trim() });
        onClose();
      }}
    >
      <TextField label={t.name} value={name} inputMode="text" onChange={setName} />
      <button type="submit" className="primary" disabled={!isFit}>
        {t.renameIt}
      </button>
      <button type="button" onClick={onClose}>
        {t.cancel}
      </button>
    </form>
  );
}

export function Notes({ run, session }: Props) {
  const { id, notes } = run;
  const [draft, setDraft] = useState(notes);
  const field = useId();
  const pending = useRef<{ timer: ReturnType<typeof setTimeout>; save: () => void }>(undefined);
  // They change from outside too, in another tab; not under the hands of who types here.
  useEffect(() => {
    if (!pending.current) setDraft(notes);
  }, [notes]);
  const flush = () => {
    if (!pending.current) return;
    clearTimeout(pending.current.timer);
    pending.current.save();
    pending.current = undefined;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was typed is saved when the panel is left
  useEffect(() => flush, []);
  return (
    <div className="notes">
      <label htmlFor={field}>{t.notes}</label>
      <textarea
        id={field}
        rows={draft.split('\n').length > 2 ? 4 : 1}
        maxLength={20_000}
        value={draft}
        onBlur={flush}
        onChange={({ target: { value } }) => {
          setDraft(value);
          if (pending.current) clearTimeout(pending.current.timer);
          const save = () => void session.kept.label(id, { notes: value });
          pending.current = { save, timer: setTimeout(flush, quietMs) };
        }}
      />
    </div>
  );
}
