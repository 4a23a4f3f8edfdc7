/** A GPUDevice with what its programs and stores share: pipelines, and errors that must not pass in silence. */
import { roundUp, tensorUsage, usage } from './flags.ts';
import { Pipelines } from './pipelines.ts';

export class GpuContext {
  readonly pipelines: Pipelines;
  private failure: string | undefined;
  private disposed = false;

  constructor(readonly gpu: GPUDevice) {
    this.pipelines = new Pipelines(gpu);
    void gpu.lost.then(({ reason, message }) => {
      this.failure = `the GPU device was lost (${reason}): ${message || 'no reason given'}`;
    });
    gpu.onuncapturederror = ({ error }) => {
      this.failure ??= `WebGPU error: ${error.message}`;
    };
  }

  /** Throws if the device is gone, or if an error came up that no scope has caught. */
  check(): void {
    if (this.disposed) throw new Error('the WebGPU device has been disposed of');
    if (this.failure) throw new Error(this.failure);
  }

  /**
   * Runs `work` (synchronous) and returns its result with a promise that rejects if WebGPU found fault with it:
   * WebGPU itself goes on after an error, and buffers keep their old content.
   */
  guard<T>(what: string, work: () => T): { result: T; done: Promise<void> } {
    this.check();
    const filters = ['validation', 'out-of-memory', 'internal'] as const;
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    let result: T;
    let scopes: Promise<GPUError | null>[] = [];
    try {
      result = work();
    } finally {
      scopes = filters.map(() => this.gpu.popErrorScope());
    }
    const done = Promise.all(scopes).then(
      (errors) => {
        const error = errors.find((e) => e !== null);
        if (error) throw new Error(`${what}: ${error.message}`);
        this.check();
      },
      (reason) => {
        this.check();
        throw new Error(`${what}: ${reason instanceof Error ? reason.message : reason}`);
      },
    );
    // Whoever awaits it gets the error; until then it is not "unhandled".
    done.catch(() => {});
    return { result, done };
  }

  /** Awaits something of the GPU; if the device is lost meanwhile, the error says so. */
  async survive<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.check();
      return result;
    } catch (error) {
      // `lost` may be reported a moment after the promises that it breaks.
      await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      this.check();
      throw error;
    }
  }

  /** A buffer that tensors can live in. Its content is zero. */
  tensorBuffer(label: string, bytes: number): GPUBuffer {
    const size = roundUp(Math.max(bytes, 4), 4);
    const { maxBufferSize, maxStorageBufferBindingSize } = this.gpu.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (size > most)
      throw new Error(
        `${label} takes ${megabytes(size)}, and one buffer of this GPU holds ${megabytes(most)} at most`,
      );
    return this.gpu.createBuffer({ label, size, usage: tensorUsage });
  }

  stagingBuffer(bytes: number): GPUBuffer {
    const size = roundUp(Math.max(bytes, 4), 4);
    return this.gpu.createBuffer({ label: 'staging', size, usage: usage.mapRead | usage.copyTarget });
  }

  dispose(): void {
    this.disposed = true;
    this.gpu.destroy();
  }
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
