/** Work of which only the newest matters: one piece at a time, and of those that wait the last one alone. */
export class Latest {
  private going: object | undefined;
  private next: (() => Promise<void>) | undefined;

  do(work: () => Promise<void>): void {
    this.next = work;
    if (!this.going) void this.run();
  }

  /** Whether newer work waits: what is going on is of no interest then. */
  get isStale(): boolean {
    return this.next !== undefined;
  }

  /** Forgets what goes on and what waits; a worker that is gone never answers. */
  forget(): void {
    this.going = this.next = undefined;
  }

  private async run(): Promise<void> {
    const turn = {};
    this.going = turn;
    while (this.next && this.going === turn) {
      const work = this.next;
      this.next = undefined;
      await work();
    }
    if (this.going === turn) this.going = undefined;
  }
}
