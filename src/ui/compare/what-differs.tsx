/** The result of a comparison: one sentence, and everything that was measured with its uncertainty. */
import type { ComparedQuantity, IntervalView, Quantity } from '../../worker/evaluation-protocol.ts';
import { percent, short } from '../parts/format.ts';
import { pointRange, points, shareRange } from '../parts/intervals.ts';
import { text } from '../text.ts';
import type { Plan } from './plan.ts';
import { sentenceOf, verdictOf } from './verdict.ts';

const t = text.compare;
const inNats: readonly Quantity[] = ['perception_kl', 'entropy', 'seconds'];

export function WhatDiffers({ plan }: { plan: Plan }) {
  const { result, arms } = plan;
  const names = arms.map(({ name }) => name);
  return (
    <section className="panel" aria-labelledby="differs-title">
      <h2 id="differs-title">{t.result}</h2>
      <p role="status" className={result ? 'differs' : 'hint'} data-testid="differs">
        {result ? sentenceOf(result, names) : t.noResult}
      </p>
      {result && (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
          <section className="scroll" tabIndex={0} aria-label={t.table}>
            <table className="compare-table">
              <thead>
                <tr>
                  <th scope="col">{t.quantity}</th>
                  {names.map((name) => (
                    <th scope="col" key={name}>
                      {name}
                    </th>
                  ))}
                  <th scope="col">{t.difference(names)}</th>
                  <th scope="col">{t.p}</th>
                  <th scope="col">{t.verdict}</th>
                </tr>
              </thead>
              <tbody>
                {result.quantities.map((one) => (
                  <Row key={one.quantity} one={one} />
                ))}
              </tbody>
            </table>
          </section>
          <details>
            <summary>{t.how}</summary>
            {[...(result.over === 'seeds' ? t.howSeeds : t.howOneSeed), ...t.howAlways].map((line) => (
              <p className="hint" key={line}>
                {line}
              </p>
            ))}
          </details>
        </>
      )}
    </section>
  );
}

function Row({ one }: { one: ComparedQuantity }) {
  const { quantity, first, second, difference, adjusted } = one;
  const isNumber = inNats.includes(quantity);
  const plain = (value: number) => (value > 0 ? `+${short(value)}` : short(value));
  return (
    <tr>
      <th scope="row">{t.quantities[quantity]}</th>
      {[first, second].map((value, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an arm is its place
        <td key={i}>
          {isNumber ? short(value.estimate) : percent(value.estimate, 1)}{' '}
          <small>{isNumber ? range(value, short) : shareRange(value)}</small>
        </td>
      ))}
      <td>
        {isNumber ? plain(difference.estimate) : points(difference.estimate)}{' '}
        <small>{isNumber ? range(difference, plain) : pointRange(difference)}</small>
      </td>
      <td>{Number.isNaN(adjusted) ? '–' : adjusted < 0.001 ? '< 0.001' : adjusted.toFixed(3)}</td>
      <td>{verdictOf(one)}</td>
    </tr>
  );
}

const range = ({ low, high }: IntervalView, show: (value: number) => string) =>
  Number.isNaN(low) ? '' : `[${show(low)}, ${show(high)}]`;
