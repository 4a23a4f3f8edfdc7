/** Shares side by side: with the picture, and with it masked. */
import { percent } from '../parts/format.ts';
import { text } from '../text.ts';

export interface BarShare {
  readonly share: number;
  /** An interval, where the share is an estimate. */
  readonly low?: number;
  readonly high?: number;
  readonly title?: string;
}

export interface BarRow {
  readonly key: string;
  readonly label: string;
  readonly tag?: string;
  readonly isSoft?: boolean;
  readonly image: BarShare;
  readonly masked: BarShare | null;
}

export function PairedBars({
  rows,
  caption,
  head,
}: {
  rows: readonly BarRow[];
  caption: string;
  head: string;
}) {
  const t = text.look.answers;
  const hasMasked = rows.some(({ masked }) => masked !== null);
  return (
    <table className="paired-bars">
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{head}</th>
          <th scope="col">{t.image}</th>
          {hasMasked && <th scope="col">{t.masked}</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, label, tag, isSoft, image, masked }) => (
          <tr key={key}>
            <th scope="row" className={isSoft ? 'soft' : undefined}>
              {label} {tag !== undefined && <span className="tag">{tag}</span>}
            </th>
            <td>
              <Bar {...image} />
            </td>
            {masked && (
              <td>
                <Bar {...masked} isMasked />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Bar({ share, low, high, title, isMasked = false }: BarShare & { isMasked?: boolean }) {
  return (
    <div className={isMasked ? 'pair masked' : 'pair'} title={title}>
      <span className="pair-number">{percent(share, share > 0 && share < 0.1 ? 1 : 0)}</span>
      <span className="pair-track" aria-hidden="true">
        <span className="pair-bar" style={{ width: `${100 * share}%` }} />
        {low !== undefined && high !== undefined && (
          <span
            className="pair-interval"
            style={{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }}
          />
        )}
      </span>
    </div>
  );
}
