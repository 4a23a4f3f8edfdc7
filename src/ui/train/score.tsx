/** Held-out accuracy before training and now, what goes wrong, and the same of the kept runs that are drawn. */
import type { HeldOut } from '../../worker/protocol.ts';
import { percent, signed } from '../parts/format.ts';
import { text } from '../text.ts';

const words = text.curves.score;
const causes = ['sound', 'perception', 'reasoning', 'format'] as const;

interface MeasuredRun {
  readonly name: string;
  readonly heldOut: readonly HeldOut[];
}

/** `name`: of the run at hand. `others`: kept runs that are drawn over it. */
export function Score({
  heldOut,
  name,
  others,
}: {
  heldOut: readonly HeldOut[];
  name: string;
  others: readonly MeasuredRun[];
}) {
  const before = heldOut[0];
  const shares = before?.shares;
  const now = heldOut.length > 1 ? heldOut[heldOut.length - 1] : undefined;
  return (
    <section className="panel score" aria-labelledby="score-title">
      <h2 id="score-title">{words.title}</h2>
      <p className="big" data-testid="score">
        <Figure label={words.before} value={before} />
        <span className="arrow" aria-hidden="true">
          →
        </span>
        <Figure label={now ? words.after(now.step) : words.now} value={now} />
      </p>
      {before ? (
        <>
          <p className="hint">
            {words.how(before.questions)} {shares && words.byCause}
          </p>
          <Causes label={words.shortBefore} heldOut={before} />
          {now && <Causes label={words.now} heldOut={now} />}
          {shares && (
            <ul className="key">
              {causes.map((cause) => (
                <li key={cause}>
                  <span className={`swatch ${cause}`} aria-hidden="true" /> {words.causes[cause]}{' '}
                  <b>
                    {now?.shares
                      ? words.fromTo(percent(shares[cause]), percent(now.shares[cause]))
                      : percent(shares[cause])}
                  </b>
                </li>
              ))}
            </ul>
          )}
        </>
      ) : (
        <p className="hint">{words.later}</p>
      )}
      {others.length > 0 && <ByRun runs={[...(before ? [{ name, heldOut }] : []), ...others]} />}
    </section>
  );
}

function ByRun({ runs }: { runs: readonly MeasuredRun[] }) {
  return (
    <div className="scroll">
      <table className="by-run">
        <caption>{words.byRun}</caption>
        <thead>
          <tr>
            {[words.run, words.first, words.last, words.change].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map(({ name, heldOut }, i) => {
            const first = heldOut.at(0);
            const last = heldOut.length > 1 ? heldOut.at(-1) : undefined;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: runs may share a name
              <tr key={i}>
                <th scope="row">{name}</th>
                <td>{first ? measured(first) : words.none}</td>
                <td>{last ? measured(last) : words.none}</td>
                <td>{first && last ? signedPoints(last.accuracy - first.accuracy) : words.none}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const measured = ({ accuracy, accuracyError, step }: HeldOut) =>
  words.at(percent(accuracy), percent(accuracyError), step);

/** A difference of shares in percentage points. */
const signedPoints = (difference: number) => signed(100 * difference);

function Figure({ label, value }: { label: string; value: HeldOut | undefined }) {
  return (
    <span className="number">
      <strong>{value ? percent(value.accuracy) : words.none}</strong>
      <small>
        {label}
        {value && (
          <>
            <br />
            {words.error(percent(value.accuracyError))}
          </>
        )}
      </small>
    </span>
  );
}

function Causes({ label, heldOut: { shares } }: { label: string; heldOut: HeldOut }) {
  if (!shares) return null;
  const all = causes.map((cause) => words.cause(words.causes[cause], percent(shares[cause]))).join(', ');
  return (
    <div className="causes">
      <span>{label}</span>
      <div className="stack" role="img" aria-label={words.bar(label, all)}>
        {causes.map((cause) => {
          const share = shares[cause];
          return share > 0 ? (
            <span
              key={cause}
              className={cause}
              style={{ flexGrow: share }}
              title={words.cause(words.causes[cause], percent(share))}
            >
              {share >= 0.08 && percent(share)}
            </span>
          ) : null;
        })}
      </div>
    </div>
  );
}
