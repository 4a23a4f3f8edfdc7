/** The model that is loaded, the door to others, and what a run of it would take. */
import { useEffect } from 'react';
import { count, duration } from '../parts/format.ts';
import { later } from '../parts/later.tsx';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';

const t = text.models;

interface Props {
  readonly session: Session;
  readonly state: State;
}

const ModelDialog = later<Props>(async () => (await import('./model-dialog.tsx')).ModelDialog);
const PlanView = later<Props>(async () => (await import('./plan-view.tsx')).PlanView);

export function ChosenModel({ session, state }: Props) {
  const { loaded, loading, suited } = state;
  const { isOpen } = useStore(session.models.store);
  const { estimate } = useStore(session.planned.store);
  const where = loaded && t.from[loaded.source.kind];
  return (
    <div className="chosen-model">
      <p className="loaded">
        {loaded ? (
          <>
            <strong>{loaded.model}</strong>
            {t.facts(count(loaded.parameters), where!)}
            {loaded.isLarge && estimate && ` ${t.aStep(duration(estimate.seconds))}`}
          </>
        ) : (
          text.train.noModel
        )}
      </p>
      <p className="buttons small">
        <button
          type="button"
          disabled={isGoing(state) || loading !== undefined}
          onClick={() => void session.models.open()}
        >
          {t.choose}
        </button>
      </p>
      {suited && (
        <p className="notice" role="status">
          {t.suited(suited.to, suited.model)}{' '}
          <button type="button" disabled={isGoing(state)} onClick={() => void session.unsuit()}>
            {t.unsuit(suited.from)}
          </button>
        </p>
      )}
      {isOpen && <ModelDialog session={session} state={state} />}
    </div>
  );
}

/** Closed for a small model, whose plan nobody needs to look at. */
export function Plan({ session, state }: Props) {
  const { isOpen } = useStore(session.planned.store);
  const isLarge = state.loaded?.isLarge === true;
  useEffect(() => {
    if (isLarge) session.planned.show(true);
  }, [isLarge, session]);
  if (!state.loaded) return null;
  return (
    <section className="panel" aria-label={t.plan.title}>
      <details open={isOpen} onToggle={({ currentTarget }) => session.planned.show(currentTarget.open)}>
        <summary>{t.plan.title}</summary>
        {isOpen && <PlanView session={session} state={state} />}
      </details>
    </section>
  );
}
