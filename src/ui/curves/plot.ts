/** One uPlot: drawn when it is in sight and something changed, at most once a frame. React knows only when to show what. */
import uPlot from 'uplot';
import { short } from '../parts/format.ts';
import { text } from '../text.ts';
import { theme } from '../theme.ts';
import type { ChartDef, ChartLine } from './charts.ts';
import { type DrawnRun, legendOf } from './drawn-run.ts';
import { rowAt } from './history.ts';
import { optionsOf } from './options.ts';
import { lastOf, valueAt } from './source.ts';
import { type Painting, paintingOf, pointsOf } from './strokes.ts';
import type { ChartsView } from './view.ts';

/** What the plot writes into, beside its canvas. */
export interface PlotPlaces {
  readonly box: HTMLElement;
  /** A place for a number for each item of the legend. */
  readonly values: () => readonly HTMLElement[];
  readonly step: HTMLElement;
  /** Says what the log axis leaves out. */
  readonly note: HTMLElement;
}

/** What a run's growth changes by less than half a pixel waits this long. */
const patienceMs = 1000;
/** Dashes are drawn longer where a line goes up and down in every column of pixels: thousands of short ones are slow. */
const denseDashes = 5;

export class Plot {
  private chart?: uPlot;
  private painting?: Painting;
  private runs: readonly DrawnRun[] = [];
  /** What the uPlot was made for; it is made anew where that changes. */
  private made = '';
  private isSeen = false;
  private isStale = true;
  private size = { width: 0, height: 0 };
  private drawn = { steps: 0, at: 0 };
  private later = 0;
  /** The pointer is over this very plot, whose uPlot then has placed its own line. */
  private isPointedAt = false;
  private readonly ends: (() => void)[];

  constructor(
    private readonly def: ChartDef,
    private readonly view: ChartsView,
    private readonly places: PlotPlaces,
  ) {
    // Asking an element for its size between writing to others would lay the page out each time.
    const resized = new ResizeObserver(([{ contentRect }]) => {
      this.size = { width: Math.round(contentRect.width), height: Math.round(contentRect.height) };
      this.redraw();
    });
    resized.observe(places.box);
    const inSight = new IntersectionObserver(
      ([entry]) => {
        this.isSeen = entry.isIntersecting;
        if (this.isSeen) view.frames.request(this);
      },
      { rootMargin: '50px' },
    );
    inSight.observe(places.box);
    this.ends = [
      () => resized.disconnect(),
      () => inSight.disconnect(),
      view.store.subscribe(() => this.redraw()),
      view.cursor.subscribe(() => view.frames.request(this)),
      theme.subscribe(() => this.redraw()),
    ];
  }

  show(runs: readonly DrawnRun[]): void {
    const isGrowth =
      runs.length === this.runs.length &&
      runs.every(({ id, history }, i) => {
        const before = this.runs[i];
        return id === before.id && history.columns === before.history.columns;
      });
    this.runs = runs;
    // Read aloud, if not seen.
    if (!this.isSeen) this.writeNumbers();
    const [min, max] = this.view.range;
    const moved = ((stepsOf(runs) - this.drawn.steps) / (max - min)) * this.size.width;
    const wait = patienceMs - (performance.now() - this.drawn.at);
    if (!isGrowth || moved >= 0.5 || wait <= 0) this.redraw();
    else {
      // The numbers of the legend go on.
      this.view.frames.request(this);
      this.later ||= window.setTimeout(() => this.redraw(), wait);
    }
  }

  get canvas(): HTMLCanvasElement | undefined {
    return this.chart?.ctx.canvas;
  }

  destroy(): void {
    for (const end of this.ends) end();
    clearTimeout(this.later);
    this.view.frames.forget(this);
    this.chart?.destroy();
  }

  /** Called by Frames. */
  draw(): void {
    if (!this.isSeen || this.size.width === 0) return;
    if (this.isStale) this.drawCurves();
    this.drawCursor();
  }

  private redraw(): void {
    this.isStale = true;
    this.view.frames.request(this);
  }

  private drawCurves(): void {
    this.isStale = false;
    clearTimeout(this.later);
    this.later = 0;
    this.drawn = { steps: stepsOf(this.runs), at: performance.now() };
    const { note } = this.places;
    const { width, height } = this.size;
    const { smoothing, isLog: wantsLog } = this.view.store.snapshot();
    const isLog = wantsLog && this.def.canLog;
    const chart = this.chartFor(isLog, smoothing > 0);
    const [min, max] = this.view.range;
    const columns = Math.max(50, Math.round(chart.bbox.width) || width);
    const { data, hasHidden, isDense } = pointsOf(this.painting!, this.runs, {
      min,
      max,
      columns,
      weight: smoothing,
      isLog,
    });
    note.hidden = !hasHidden;
    this.painting!.strokes.forEach(({ dash, isSmoothed }, i) => {
      const factor = isDense && !isSmoothed ? denseDashes : 1;
      if (dash.length) chart.series[i + 1].dash = dash.map((length) => factor * length);
    });
    chart.batch(() => {
      if (chart.width !== width || chart.height !== height) chart.setSize({ width, height });
      chart.setData(data as uPlot.AlignedData, false);
      chart.setScale('x', { min, max });
    });
  }

  private chartFor(isLog: boolean, isSmoothed: boolean): uPlot {
    const { runs, def, view, places } = this;
    const { isDark } = theme.snapshot();
    const wanted = JSON.stringify([isLog, isSmoothed, isDark, runs.map(({ id, color }) => [id, color])]);
    if (this.chart && wanted === this.made) return this.chart;
    this.chart?.destroy();
    this.made = wanted;
    this.painting = paintingOf(def, runs, isSmoothed);
    const options = optionsOf(def, this.painting, runs, {
      element: places.box,
      size: this.size,
      isLog,
      onZoom: (min, max) => view.zoomTo(min, max),
      onReset: () => view.resetZoom(),
      onPoint: (step) => {
        this.isPointedAt = step !== undefined;
        view.point(step);
      },
    });
    const nothing = [[0, 1], ...this.painting.strokes.map(() => [null, null])] as uPlot.AlignedData;
    this.chart = new uPlot(options, nothing, places.box);
    return this.chart;
  }

  /** The line at the step that some chart's pointer is at, and every run's numbers there. */
  private drawCursor(): void {
    const { chart, view } = this;
    const { step } = view.cursor.snapshot();
    if (chart && !this.isPointedAt) {
      const [min, max] = view.range;
      const isInSight = step !== undefined && step >= min && step <= max;
      chart.setCursor({ left: isInSight ? chart.valToPos(step, 'x') : -10, top: 0 }, false);
    }
    this.writeNumbers();
  }

  private writeNumbers(): void {
    const { view, places, runs, def } = this;
    const { step } = view.cursor.snapshot();
    write(places.step, step === undefined ? '' : text.curves.atStep(String(step)));
    const values = places.values();
    legendOf(def, runs).forEach(({ run, line }, i) => {
      if (values[i]) write(values[i], short(numberAt(run, line, step)));
    });
  }
}

/** The last step of any. */
const stepsOf = (runs: readonly DrawnRun[]) =>
  Math.max(0, ...runs.map(({ history: { steps } }) => steps[steps.length - 1]));

/** At the step, or the last there is. */
function numberAt(
  { history }: DrawnRun,
  { source, isSparse }: ChartLine,
  step: number | undefined,
): number | null {
  if (step === undefined) return lastOf(history, source);
  const { steps } = history;
  let row = step > steps[steps.length - 1] ? -1 : rowAt(steps, step);
  // What was measured last.
  if (isSparse) while (row > 0 && valueAt(history, source, row) === null) row--;
  return valueAt(history, source, row);
}

function write(place: HTMLElement, words: string): void {
  if (place.textContent !== words) place.textContent = words;
}
