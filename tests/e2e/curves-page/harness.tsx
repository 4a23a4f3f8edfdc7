/** The page's charts without the page: two long runs, one of which grows; and such a run among the kept ones. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import 'uplot/dist/uPlot.min.css';
import { openRuns } from '../../../src/store/idb-runs.ts';
import { ChartGrid } from '../../../src/ui/curves/chart-grid.tsx';
import type { DrawnRun } from '../../../src/ui/curves/drawn-run.ts';
import { emptyHistory, type History, withRow } from '../../../src/ui/curves/history.ts';
import { Toolbar } from '../../../src/ui/curves/toolbar.tsx';
import { ChartsView } from '../../../src/ui/curves/view.ts';
import '../../../src/ui/style.css';
import { openTheme } from '../../../src/ui/theme.ts';

/** Metrics of a step as a run has them: noise around slow waves, with a gap and a spike. */
function metricsOf(step: number, phase: number): Record<string, number> {
  const noise = (k: number) => {
    const x = Math.sin(step * 12.9898 + k * 78.233 + phase) * 43758.5453;
    return x - Math.floor(x);
  };
  const wave = 0.5 + 0.4 * Math.sin(step / 20_000 + phase);
  return {
    reward: wave + 0.2 * noise(1),
    reward_std: 0.1 + 0.1 * noise(2),
    frac_reward_zero_std: noise(3),
    accuracy: 0.8 * wave + 0.2 * noise(4),
    loss: step === 54_321 ? 50 : noise(5) - 0.5,
    grad_norm: 1 + noise(6),
    entropy: 2 - wave + 0.1 * noise(7),
    entropy_masked: 2.5 - wave + 0.1 * noise(8),
    ...(Math.floor(step / 10_000) !== 3 && {
      perception_kl: 0.1 * noise(9),
      perception_kl_exact: 0.1 * noise(10),
    }),
    'completions/mean_length': 20 + 5 * noise(11),
    'completions/min_length': 10,
    'completions/max_length': 30 + 5 * noise(12),
    'clip_ratio/low_mean': 0.1 * noise(13),
    'clip_ratio/high_mean': 0.1 * noise(14),
    kl: 0.01 * noise(15),
    'errors/perception': 0.3 * noise(16),
    'errors/reasoning': 0.3 * noise(17),
    'errors/format': 0.3 * noise(18),
    step_time: 0.1 + 0.1 * noise(19),
  };
}

function longHistory(rows: number, phase: number): History {
  let history = emptyHistory();
  for (let step = 1; step <= rows; step++)
    history = withRow(history, step, {
      ...metricsOf(step, phase),
      ...(step % 1000 === 0 && { eval_accuracy: step / rows }),
    });
  return history;
}

export class Harness {
  readonly view = new ChartsView();
  /** Milliseconds between frames, and what each frame's callbacks took. */
  private intervals: number[] = [];
  private spent: number[] = [];
  private isWatching = false;
  private history = emptyHistory();
  private other = emptyHistory();
  private show: (runs: readonly DrawnRun[]) => void = () => {};
  private timer = 0;

  /** Draws two runs of so many rows; how long it took to make their histories. */
  open(rows: number): number {
    const start = performance.now();
    this.history = longHistory(rows, 0);
    this.other = longHistory(rows, 2);
    const took = performance.now() - start;
    const root = createRoot(document.querySelector('#root')!);
    this.show = (runs) =>
      root.render(
        <StrictMode>
          <main className="panel">
            <Toolbar runs={runs} view={this.view} />
            <ChartGrid runs={runs} view={this.view} />
          </main>
        </StrictMode>,
      );
    this.tell();
    return took;
  }

  /** One more row of the first run, so many times a second, from now on. */
  grow(timesASecond: number): void {
    this.timer = window.setInterval(() => {
      const step = this.history.steps.length;
      this.history = withRow(this.history, step, metricsOf(step, 0));
      this.tell();
    }, 1000 / timesASecond);
  }

  stopGrowing(): void {
    clearInterval(this.timer);
  }

  steps(): number {
    return this.history.steps.length - 1;
  }

  watch(): void {
    this.intervals = [];
    this.spent = [];
    this.isWatching = true;
    let last = performance.now();
    const look = (now: number) => {
      this.intervals.push(now - last);
      last = now;
      if (this.isWatching) ownFrame(look);
    };
    ownFrame(look);
  }

  watched(): { intervals: number[]; spent: number[] } {
    this.isWatching = false;
    return { intervals: this.intervals, spent: this.spent };
  }

  /** What the page's own frame callbacks take: all drawing of charts is in them. */
  onFrame(ms: number): void {
    if (this.isWatching) this.spent.push(ms);
  }

  /** A finished run in this browser's storage. */
  async keep(name: string, rows: number): Promise<void> {
    const run = await openRuns().create({
      name,
      createdAt: Date.now(),
      settings: { num_eval_samples: 64, max_steps: rows },
      origin: { preset: 'papo-nano', task: 'shapes', total_steps: rows, model: 'papo-nano' },
      state: 'finished',
      step: rows,
      bestStep: null,
      bestMetric: null,
    });
    const evaluation = (step: number, eval_accuracy: number) => ({
      step,
      kind: 'evaluation' as const,
      metrics: {
        eval_accuracy,
        eval_accuracy_error: 0.05,
        'eval_errors/perception': 0.1,
        'eval_errors/reasoning': 0.1,
        'eval_errors/format': 0.1,
      },
      completions: [],
    });
    const steps = Array.from({ length: rows }, (_, i) => ({
      step: i + 1,
      kind: 'step' as const,
      metrics: metricsOf(i + 1, name.length),
      completions: [],
    }));
    await run.appendLog([evaluation(0, 0.25), ...steps, evaluation(rows, 0.75)]);
    await run.close();
  }

  private tell(): void {
    this.show([
      { id: 'one', name: 'one', history: this.history, color: 0 },
      { id: 'other', name: 'other', history: this.other, color: 1 },
    ]);
  }
}

const ownFrame = window.requestAnimationFrame.bind(window);
const harness = new Harness();
window.requestAnimationFrame = (callback) =>
  ownFrame((now) => {
    const start = performance.now();
    callback(now);
    harness.onFrame(performance.now() - start);
  });
openTheme();
Object.assign(globalThis, { harness });
