import type { HeldOut } from '../../worker/protocol.ts';
import { percent } from '../parts/format.ts';

const causes = [
  { key: 'sound', label: 'no error' },
  { key: 'perception', label: 'perception' },
  { key: 'reasoning', label: 'reasoning' },
  { key: 'format', label: 'format' },
] as const;

/** Held-out accuracy before training and now, and what goes wrong. `name`: of a kept run that is shown instead. */
export function Score({ heldOut, name }: { heldOut: readonly HeldOut[]; name?: string }) {
  const before = heldOut[0];
  const shares = before?.shares;
  const now = heldOut.length > 1 ? heldOut[heldOut.length - 1] : undefined;
  return (
    <section className="panel score" aria-labelledby="score-title">
      <h2 id="score-title">Held-out accuracy</h2>
      {name !== undefined && <p className="hint">of the kept run “{name}”</p>}
      <p className="big" data-testid="score">
        <Figure label="before training" value={before} />
        <span className="arrow" aria-hidden="true">
          →
        </span>
        <Figure label={now ? `after ${now.step} steps` : 'now'} value={now} />
      </p>
      {before ? (
        <>
          <p className="hint">
            {before.questions} questions that training never sees, answered once each by sampling.
            {shares && ' First error by cause:'}
          </p>
          <Causes label="before" heldOut={before} />
          {now && <Causes label="now" heldOut={now} />}
          {shares && (
            <ul className="key">
              {causes.map(({ key, label }) => (
                <li key={key}>
                  <span className={`swatch ${key}`} aria-hidden="true" /> {label}{' '}
                  <b>
                    {percent(shares[key])}
                    {now?.shares && ` → ${percent(now.shares[key])}`}
                  </b>
                </li>
              ))}
            </ul>
          )}
        </>
      ) : (
        <p className="hint">
          Measured before the first step and as training goes on, on questions about pictures that training
          never sees.
        </p>
      )}
    </section>
  );
}

function Figure({ label, value }: { label: string; value: HeldOut | undefined }) {
  return (
    <span className="number">
      <strong>{value ? percent(value.accuracy) : '– %'}</strong>
      <small>
        {label}
        {value && (
          <>
            <br />± {percent(value.accuracyError)}
          </>
        )}
      </small>
    </span>
  );
}

function Causes({ label, heldOut: { shares } }: { label: string; heldOut: HeldOut }) {
  if (!shares) return null;
  const words = causes.map(({ key, label: name }) => `${name} ${percent(shares[key])}`).join(', ');
  return (
    <div className="causes">
      <span>{label}</span>
      <div className="stack" role="img" aria-label={`${label}: ${words}`}>
        {causes.map(({ key }) => {
          const share = shares[key];
          return share > 0 ? (
            <span key={key} className={key} style={{ flexGrow: share }} title={`${key} ${percent(share)}`}>
              {share >= 0.08 && percent(share)}
            </span>
          ) : null;
        })}
      </div>
    </div>
  );
}
