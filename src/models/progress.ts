/** How far a download is, how fast it is, and when it will be done. */

export interface ModelProgress {
  /** Verifying: what is kept already is compared with its checksum. */
  readonly phase: 'downloading' | 'verifying';
  readonly file: string;
  /** Of all files; those that were there before included. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Smoothed; null until it can be told. */
  readonly bytesPerSecond: number | null;
  readonly secondsLeft: number | null;
}

/** Between two reports, in milliseconds. */
const interval = 100;
/** The speed forgets what is older by a factor of e. */
const memory = 3_000;
/** A speed from less is noise. */
const firstSpeed = 500;

/** Counts the bytes of one phase and reports at most ten times a second, and at the end of each file. */
export class ProgressMeter {
  private loaded = 0;
  private speed: number | null = null;
  /** Of the measurement that is going on. */
  private since: number | null = null;
  private pending = 0;
  private reported = -Infinity;

  constructor(
    private readonly phase: ModelProgress['phase'],
    private readonly totalBytes: number,
    private readonly report: ((progress: ModelProgress) => void) | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Bytes that were there before: they count, but not for the speed. Negative for what is thrown away. */
  skip(bytes: number): void {
    this.loaded += bytes;
  }

  /** Bytes that have just arrived. */
  add(file: string, bytes: number): void {
    const now = this.now();
    this.since ??= now;
    this.loaded += bytes;
    this.pending += bytes;
    const elapsed = now - this.since;
    if (elapsed >= (this.speed === null ? firstSpeed : interval)) {
      const measured = (this.pending / elapsed) * 1000;
      const weight = this.speed === null ? 1 : 1 - Math.exp(-elapsed / memory);
      this.speed = (this.speed ?? 0) * (1 - weight) + measured * weight;
      this.since = now;
      this.pending = 0;
    }
    this.tell(file, false);
  }

  /** A file is complete. */
  end(file: string): void {
    this.tell(file, true);
  }

  private tell(file: string, isImportant: boolean): void {
    const now = this.now();
    if (!this.report || (!isImportant && now - this.reported < interval)) return;
    this.reported = now;
    const left = Math.max(0, this.totalBytes - this.loaded);
    this.report({
      phase: this.phase,
      file,
      loadedBytes: this.loaded,
      // A server that did not tell a size may send more than was counted on.
      totalBytes: Math.max(this.totalBytes, this.loaded),
      bytesPerSecond: this.speed,
      secondsLeft: this.speed ? left / this.speed : left === 0 ? 0 : null,
    });
  }
}
