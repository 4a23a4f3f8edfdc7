/**
 * Lets the worker's messages in between updates: the CPU device never leaves the event loop of its own accord. It also
 * notices when the browser slows a hidden page down.
 */

/** Longer than this between two updates, in a hidden page, is the browser's doing: a breath takes well under 10 ms. */
const throttledMs = 500;

export class Breath {
  isVisible = true;
  private isTold = false;
  private readonly channel = new MessageChannel();

  constructor(private readonly tell: (message: string) => void) {}

  async take(): Promise<void> {
    const started = performance.now();
    // A message and no timer: browsers delay the timers of hidden pages.
    await new Promise<void>((resolve) => {
      this.channel.port1.onmessage = () => resolve();
      this.channel.port2.postMessage(null);
    });
    if (this.isVisible || this.isTold || performance.now() - started < throttledMs) return;
    this.isTold = true;
    this.tell(
      'The browser slowed training down while this tab was hidden. Keep the tab in view, in a window of its own for ' +
        'instance, to train at full speed. Nothing is lost.',
    );
  }

  end(): void {
    this.channel.port1.close();
  }
}
