/** A run as the charts draw it, and the colours and dashes by which its lines are told apart. */
import type { ChartDef } from './charts.ts';
import { type ChartLine, numbersIn } from './charts.ts';
import type { History } from './history.ts';

export interface DrawnRun {
  readonly id: string;
  readonly name: string;
  readonly history: History;
  /** One of the colours, from 0; a run keeps it as long as it is drawn. */
  readonly color: number;
}

/** As many as curves.css has. */
export const COLORS = 8;

/** A run's letter, beside its name and at the end of its lines: colours are not for everybody. */
export const markOf = ({ color }: DrawnRun) => 'ABCDEFGH'[color];

const dashes: readonly (readonly number[])[] = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
const causes = ['--perception', '--reasoning', '--format'];

export interface LegendItem {
  readonly run: DrawnRun;
  readonly line: ChartLine;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly dash: readonly number[];
  readonly look: 'line' | 'points' | 'area';
}

/** One run: a colour a line. Several: a colour a run. The dash tells the lines of a run apart in either. */
export function legendOf(chart: ChartDef, runs: readonly DrawnRun[]): LegendItem[] {
  return runs.flatMap((run, r) =>
    numbersIn(chart).map((line, i): LegendItem => {
      const isSpread = i >= chart.lines.length;
      const isFilled = chart.isStack === true && r === 0;
      const own = isSpread || runs.length > 1 ? run.color : (run.color + i) % COLORS;
      return {
        run,
        line,
        color: isFilled ? causes[i] : `--run-${own}`,
        dash: isSpread ? [] : dashes[i],
        look: isSpread || isFilled ? 'area' : line.isSparse ? 'points' : 'line',
      };
    }),
  );
}
