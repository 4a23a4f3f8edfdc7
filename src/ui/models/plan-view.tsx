/** The memory plan as a picture: a bar of what the run would hold against what there is, and the same in a table. */
import type { PlanView as Plan } from '../../worker/model-protocol.ts';
import { bytes, duration, percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { machineMemory } from './machine-memory.ts';
import './models.css';

const t = text.models.plan;

export function PlanView({ session, state }: { session: Session; state: State }) {
  const { plan, problem, isAsking, estimate } = useStore(session.planned.store);
  return (
    <div className="plan">
      {estimate && (
        <p>{t.step(duration(estimate.seconds), duration(estimate.rollout), duration(estimate.training))}</p>
      )}
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {!plan && problem === undefined && <p className="hint">{isAsking ? t.asking : t.none}</p>}
      {plan && <Picture plan={plan} isOld={isAsking} />}
      {plan && !plan.fits && <WhatFits plan={plan} session={session} state={state} />}
    </div>
  );
}

function Picture({ plan, isOld }: { plan: Plan; isOld: boolean }) {
  const { parts, total, limit, choices, keyValueCache } = plan;
  const scale = Math.max(total, limit ?? 0);
  const verdict = !plan.fits
    ? t.doesNotFit
    : limit === undefined
      ? t.fitsUnknown(bytes(total))
      : t.fits(bytes(total), bytes(limit));
  return (
    <figure className={isOld ? 'plan-figure old' : 'plan-figure'} aria-busy={isOld}>
      <figcaption>{verdict}</figcaption>
      {/* The table below says the same. */}
      <div className="plan-bar" aria-hidden="true">
        {parts.map(({ kind, bytes: size }) => (
          <span
            key={kind}
            className={`plan-part part-${kind}`}
            style={{ inlineSize: `${(100 * size) / scale}%` }}
            title={t.part(t.parts[kind], bytes(size))}
          />
        ))}
        {limit !== undefined && (
          <span className="plan-limit" style={{ insetInlineStart: `${(100 * limit) / scale}%` }} />
        )}
      </div>
      <table className="plan-table">
        <caption className="visually-hidden">{t.table}</caption>
        <thead>
          <tr>
            <th scope="col">{t.what}</th>
            <th scope="col">{t.size}</th>
            <th scope="col">{t.share}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ kind, bytes: size }) => (
            <tr key={kind}>
              <th scope="row">
                <span className={`plan-swatch part-${kind}`} aria-hidden="true" /> {t.parts[kind]}
              </th>
              <td>{bytes(size)}</td>
              <td>{percent(size / total)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t.total}</th>
            <td>{bytes(total)}</td>
            <td />
          </tr>
          <tr>
            <th scope="row">{t.limit}</th>
            <td colSpan={2}>{limit === undefined ? unknown() : bytes(limit)}</td>
          </tr>
        </tfoot>
      </table>
      <ul className="plan-choices">
        <li>{choices.recompute ? t.recomputes : t.keeps}</li>
        <li>{choices.pieces === 1 ? t.onePass : t.pieces(choices.pieces)}</li>
        <li>{t.prompts(choices.promptsPerRun)}</li>
        <li>{t.cache(bytes(keyValueCache))}</li>
        <li>{t.logits(bytes(choices.headChunkBytes))}</li>
      </ul>
    </figure>
  );
}

/** The browser says it of the machine in round numbers, and of a GPU never. */
function unknown(): string {
  const machine = machineMemory();
  return machine === undefined ? t.unknown : t.machine(machine);
}

function WhatFits({ plan, session, state }: { plan: Plan; session: Session; state: State }) {
  const { alternatives, refusal } = plan;
  const apply = (settings: Plan['alternatives'][number]['settings']) => {
    const typed = Object.entries(settings).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    void session.choose({ settings: { ...state.form.settings, ...Object.fromEntries(typed) } });
  };
  return (
    <div className="plan-fits">
      <p className="problem" role="alert">
        {refusal}
      </p>
      {alternatives.map(({ settings, effect }) => (
        <p key={effect}>
          <button type="button" disabled={isGoing(state)} onClick={() => apply(settings)}>
            {t.apply(
              Object.entries(settings)
                .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
                .join(', '),
            )}
          </button>{' '}
          <span className="hint">{effect}</span>
        </p>
      ))}
    </div>
  );
}
