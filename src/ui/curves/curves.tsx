import { short } from '../parts/format.ts';
import { Chart, type Series } from './chart.tsx';
import type { History } from './history.ts';

interface Curve {
  readonly title: string;
  readonly meaning: string;
  readonly series: readonly Series[];
  /** Shares, drawn from 0 to 1. */
  readonly isShare?: boolean;
  /** Said where the run does not measure it. */
  readonly absent?: string;
}

const needsMask = 'Not measured: with γ = 0 and η2 = 0 the masked image is never shown.';

const curves: readonly Curve[] = [
  {
    title: 'Reward',
    meaning: 'Mean over the completions of a step',
    series: [{ column: 'reward', label: 'mean' }],
  },
  {
    title: 'Accuracy',
    meaning: 'Right answers',
    series: [
      { column: 'accuracy', label: 'training' },
      { column: 'held_out', label: 'held-out', points: true },
    ],
    isShare: true,
  },
  {
    title: 'Perception KL',
    meaning: 'How far answers change when the image is masked, nats a token',
    series: [
      { column: 'perception_kl', label: 'in the loss' },
      { column: 'perception_kl_exact', label: 'exact', dashed: true },
    ],
    absent: needsMask,
  },
  {
    title: 'Entropy',
    meaning: 'How undecided the policy is, nats a token',
    series: [
      { column: 'entropy', label: 'image' },
      { column: 'entropy_masked', label: 'masked', dashed: true },
    ],
  },
  { title: 'Loss', meaning: 'What an update lowers', series: [{ column: 'loss', label: 'loss' }] },
  {
    title: 'Gradient norm',
    meaning: 'Before clipping',
    series: [{ column: 'grad_norm', label: 'norm' }],
  },
  {
    title: 'Completion length',
    meaning: 'Tokens, mean',
    series: [{ column: 'completions/mean_length', label: 'mean' }],
  },
  {
    title: 'Errors by cause',
    meaning: 'First error of each training completion',
    series: [
      { column: 'errors/perception', label: 'perception' },
      { column: 'errors/reasoning', label: 'reasoning', dashed: true },
      { column: 'errors/format', label: 'format', dotted: true },
    ],
    isShare: true,
  },
];

/** Steps in the table beside the curves. */
const tableRows = 10;

/** `name`: of a kept run that is shown instead of the one at hand. */
export function Curves({ history, name, onClose }: { history: History; name?: string; onClose: () => void }) {
  const all = curves.flatMap(({ title, series }) => series.map((s) => ({ ...s, title })));
  const rows = history.steps.map((step, i) => ({ step, i })).slice(-tableRows);
  return (
    <section className="panel curves" aria-labelledby="curves-title">
      <div className="title-row">
        <h2 id="curves-title">{name === undefined ? 'Curves' : `Curves of the kept run “${name}”`}</h2>
        {name !== undefined && (
          <button type="button" onClick={onClose}>
            Back to the run at hand
          </button>
        )}
      </div>
      <div className="chart-grid">
        {curves.map((curve) => (
          <Chart key={curve.title} {...curve} history={history} />
        ))}
      </div>
      <details>
        <summary>The same numbers as a table (last {tableRows} steps)</summary>
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Step</th>
                {all.map(({ column, title, label }) => (
                  <th scope="col" key={column}>
                    {title}, {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ step, i }) => (
                <tr key={step}>
                  <th scope="row">{step}</th>
                  {all.map(({ column }) => (
                    <td key={column}>{short(history.columns.get(column)?.[i])}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
