/** The runs that this browser keeps, what can be done with each, and how much room there is. */
import './runs.css';
import { useState } from 'react';
import { CheckField, Select, TextField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';
import { DownloadDialog, PushDialog } from './hand-over-dialogs.tsx';
import { type Listing, listed, SORTS, type Sort } from './list.ts';
import { Room } from './room.tsx';
import { RunCard } from './run-card.tsx';

const t = text.runs;
/** So many are seen at a glance. */
const few = 7;

export function RunsPanel({ session, state }: { session: Session; state: State }) {
  const [open, setOpen] = useState<{ how: 'download' | 'push'; id: string }>();
  const [listing, setListing] = useState<Listing>({ search: '', sort: 'newest', onlyStarred: false });
  const { runs, storage } = state;
  const run = runs.find(({ id }) => id === open?.id);
  const dialog = { session, state, onClose: () => setOpen(undefined) };
  const shown = listed(runs, listing);
  return (
    <section className="panel kept" aria-labelledby="kept-title">
      <h2 id="kept-title">{t.title}</h2>
      {storage && <Room storage={storage} runs={runs} session={session} />}
      {runs.length > few && (
        <Tools listing={listing} onChange={(change) => setListing({ ...listing, ...change })} />
      )}
      {shown.length === 0 ? (
        <p className="hint">{runs.length === 0 ? t.empty : t.noneFits}</p>
      ) : (
        <ul className="kept-list">
          {shown.map((one) => (
            <RunCard
              key={one.id}
              run={one}
              session={session}
              state={state}
              onHandOver={(how) => setOpen({ how, id: one.id })}
            />
          ))}
        </ul>
      )}
      {run && open?.how === 'download' && <DownloadDialog run={run} {...dialog} />}
      {run && open?.how === 'push' && <PushDialog run={run} {...dialog} />}
    </section>
  );
}

function Tools({ listing, onChange }: { listing: Listing; onChange: (change: Partial<Listing>) => void }) {
  return (
    <div className="run-tools">
      <TextField
        label={t.search}
        value={listing.search}
        inputMode="text"
        onChange={(search) => onChange({ search })}
      />
      <Select
        label={t.sort}
        value={listing.sort}
        options={SORTS.map((value) => ({ value, label: t.sorts[value] }))}
        onChange={(sort) => onChange({ sort: sort as Sort })}
      />
      <CheckField
        label={t.onlyStarred}
        checked={listing.onlyStarred}
        onChange={(onlyStarred) => onChange({ onlyStarred })}
      />
    </div>
  );
}
