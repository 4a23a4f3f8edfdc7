/** The charts there are: which metrics each draws, and how. Metrics are described in docs/metrics.md. */
import { text } from '../text.ts';
import { metric, type Source } from './source.ts';

export interface ChartLine {
  readonly label: string;
  /** What the legend, the table and the file say. */
  readonly source: Source;
  /** What is drawn, where that is something else: a sum in a stack. */
  readonly drawn?: Source;
  /** Measured now and then: drawn with its points. */
  readonly isSparse?: boolean;
}

export interface ChartDef {
  readonly id: ChartId;
  readonly title: string;
  readonly meaning: string;
  /** Said where no run measures it. */
  readonly absent?: string;
  readonly lines: readonly ChartLine[];
  /** An area around the first line. */
  readonly band?: { readonly low: Source; readonly high: Source };
  /** Numbers behind the band: said, not drawn. */
  readonly spread?: readonly ChartLine[];
  /** Each line stands on the one before it. */
  readonly isStack?: boolean;
  /** Shares, drawn from 0 to 1. */
  readonly isShare?: boolean;
  /** False where values are below 0, or add up. */
  readonly canLog: boolean;
}

export type ChartId = keyof typeof text.curves.charts;

const { charts: words, lines: names } = text.curves;

const line = (label: string, name: string): ChartLine => ({ label, source: metric(name) });

const causes = [
  line(names.perception, 'errors/perception'),
  line(names.reasoning, 'errors/reasoning'),
  line(names.format, 'errors/format'),
];

/** The first `count` of the causes added up. */
const causesTo = (count: number): Source => ({
  key: `sum of the first ${count} errors`,
  columns: causes.slice(0, count).map(({ source }) => source.key),
  of: (a, b, c) => a + (count > 1 ? b : 0) + (count > 2 ? c : 0),
});

const around = (sign: 1 | -1): Source => ({
  key: `reward ${sign} deviation`,
  columns: ['reward', 'reward_std'],
  of: (mean, deviation) => mean + sign * deviation,
});

export const CHARTS: readonly ChartDef[] = [
  {
    id: 'reward',
    ...words.reward,
    lines: [line(names.mean, 'reward')],
    band: { low: around(-1), high: around(1) },
    spread: [line(names.deviation, 'reward_std')],
    canLog: true,
  },
  {
    id: 'accuracy',
    ...words.accuracy,
    lines: [line(names.training, 'accuracy'), { ...line(names.heldOut, 'eval_accuracy'), isSparse: true }],
    isShare: true,
    canLog: true,
  },
  {
    id: 'perceptionKl',
    ...words.perceptionKl,
    lines: [line(names.inLoss, 'perception_kl'), line(names.exact, 'perception_kl_exact')],
    canLog: true,
  },
  {
    id: 'entropy',
    ...words.entropy,
    lines: [line(names.image, 'entropy'), line(names.masked, 'entropy_masked')],
    canLog: true,
  },
  { id: 'loss', ...words.loss, lines: [line(names.loss, 'loss')], canLog: false },
  {
    id: 'clipRatio',
    ...words.clipRatio,
    lines: [line(names.low, 'clip_ratio/low_mean'), line(names.high, 'clip_ratio/high_mean')],
    canLog: true,
  },
  { id: 'referenceKl', ...words.referenceKl, lines: [line(names.kl, 'kl')], canLog: true },
  { id: 'gradNorm', ...words.gradNorm, lines: [line(names.norm, 'grad_norm')], canLog: true },
  {
    id: 'length',
    ...words.length,
    lines: [line(names.mean, 'completions/mean_length')],
    band: { low: metric('completions/min_length'), high: metric('completions/max_length') },
    spread: [line(names.shortest, 'completions/min_length'), line(names.longest, 'completions/max_length')],
    canLog: true,
  },
  {
    id: 'noSpread',
    ...words.noSpread,
    lines: [line(names.share, 'frac_reward_zero_std')],
    isShare: true,
    canLog: true,
  },
  {
    id: 'errors',
    ...words.errors,
    lines: causes.map((cause, i) => ({ ...cause, drawn: causesTo(i + 1) })),
    isStack: true,
    isShare: true,
    canLog: false,
  },
  {
    id: 'speed',
    ...words.speed,
    lines: [
      {
        label: names.speed,
        source: { key: 'steps per second', columns: ['step_time'], of: (seconds) => 1 / seconds },
      },
    ],
    canLog: true,
  },
];

/** Every number of a chart: what it draws, and what is behind its band. */
export const numbersIn = ({ lines, spread = [] }: ChartDef): readonly ChartLine[] => [...lines, ...spread];
