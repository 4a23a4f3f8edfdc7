/** Draws each chart at most once a frame, and leaves the rest to the next frame where one would be late. */

interface Drawable {
  draw(): void;
}

/** Of the 16.7 ms of a frame, what drawing may take before it lets the browser go on. */
const budgetMs = 4;

export class Frames {
  private readonly waiting = new Set<Drawable>();
  private frame = 0;

  request(chart: Drawable): void {
    this.waiting.add(chart);
    this.frame ||= requestAnimationFrame(this.run);
  }

  forget(chart: Drawable): void {
    this.waiting.delete(chart);
  }

  private readonly run = (): void => {
    const start = performance.now();
    this.frame = 0;
    for (const chart of this.waiting) {
      this.waiting.delete(chart);
      chart.draw();
      if (performance.now() - start > budgetMs) break;
    }
    if (this.waiting.size > 0) this.frame ||= requestAnimationFrame(this.run);
  };
}
