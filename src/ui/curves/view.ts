/** How all charts of a page are looked at: one zoom, one cursor, one smoothing. */
import { Store } from '../store.ts';
import type { ChartId } from './charts.ts';
import { Frames } from './frames.ts';

export type Range = readonly [min: number, max: number];

/** The axis is this long at least. */
const leastSteps = 10;
/** As near as one can zoom. */
const closest = 4;

export class ChartsView {
  readonly store = new Store<{
    /** From 0 to below 1, the weight of what came before. */
    smoothing: number;
    isLog: boolean;
    hidden: readonly ChartId[];
    /** undefined: all steps, and those to come. */
    zoom?: Range;
  }>({ smoothing: 0, isLog: false, hidden: [] });
  /** The step under the pointer. */
  readonly cursor = new Store<{ step?: number }>({});
  readonly frames = new Frames();
  private last = 0;

  /** The last step of the runs that are drawn. */
  setLast(last: number): void {
    this.last = last;
    const { zoom } = this.store.snapshot();
    // Another run, which has not come so far.
    if (zoom && zoom[0] >= Math.max(last, leastSteps)) this.resetZoom();
  }

  get range(): Range {
    return this.store.snapshot().zoom ?? this.whole;
  }

  zoomTo(min: number, max: number): void {
    const [start, end] = this.whole;
    const span = Math.max(max - min, closest);
    const isWhole = span >= end - start;
    const from = Math.min(Math.max(min, start), end - span);
    this.store.set({ zoom: isWhole ? undefined : [from, from + span] });
  }

  /** `factor` below 1 goes nearer: to the cursor where there is one in sight, else to the middle. */
  zoomBy(factor: number): void {
    const [min, max] = this.range;
    const { step } = this.cursor.snapshot();
    const centre = step !== undefined && step >= min && step <= max ? step : (min + max) / 2;
    this.zoomTo(centre - (centre - min) * factor, centre + (max - centre) * factor);
  }

  /** By a share of what is seen. */
  pan(share: number): void {
    const [min, max] = this.range;
    const by = share * (max - min);
    if (this.store.snapshot().zoom) this.zoomTo(min + by, max + by);
  }

  resetZoom(): void {
    this.store.set({ zoom: undefined });
  }

  point(step: number | undefined): void {
    if (this.cursor.snapshot().step !== step) this.cursor.set({ step });
  }

  private get whole(): Range {
    return [0, Math.max(this.last, leastSteps)];
  }
}
