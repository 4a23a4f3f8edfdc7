/** How long the slow parts took last time on this device: so that the page can say how long they will take. */
import { get, set } from 'idb-keyval';

const key = (device: string) => `timings-v1/${device}`;

export class Timings {
  private constructor(
    private readonly device: string,
    private readonly seconds: Record<string, number>,
  ) {}

  /** Those of earlier visits; none where storage is denied. */
  static async open(device: string): Promise<Timings> {
    const kept = await get<Record<string, number>>(key(device)).catch(() => undefined);
    return new Timings(device, kept ?? {});
  }

  /** Seconds, or null where it was never measured. */
  expected(part: string): number | null {
    return this.seconds[part] ?? null;
  }

  record(part: string, seconds: number): void {
    this.seconds[part] = seconds;
    void set(key(this.device), this.seconds).catch(() => undefined);
  }
}
