/** A GPUDevice with what its programs and stores share: pipelines, memory, and errors that must not pass in silence. */
import { DeviceLostError, OutOfMemoryError } from '../device.ts';
import { mapModeRead, roundUp, tensorUsage, usage } from './flags.ts';
import { Pipelines } from './pipelines.ts';
import { Workspace } from './workspace.ts';

/** A promise that breaks with the device may reject before the loss itself is reported: milliseconds to wait for that. */
const LOSS_DELAY_MS = 250;

/** Of a trial allocation: as small as large activations are, so that room in pieces counts. */
const PIECE_BYTES = 64 * 2 ** 20;

const filters = ['validation', 'out-of-memory', 'internal'] as const;

export class GpuContext {
  readonly pipelines: Pipelines;
  /** What programs compute in. */
  readonly workspace: Workspace;
  /** Resolves when the device is lost, not when it is disposed of. */
  readonly lost: Promise<DeviceLostError>;
  /** Bytes of the buffers that tensors and programs hold now; those for reading back are not counted. */
  allocatedBytes = 0;
  private readonly counted = new Set<GPUBuffer>();
  private failure: Error | undefined;
  /** Lost or disposed of: nothing that waits for the GPU need ever be answered. */
  private ended = false;
  private readonly waiting = new Set<(error: Error) => void>();

  constructor(
    readonly gpu: GPUDevice,
    /** Bytes; more is refused as if the GPU were full. */
    readonly memoryLimit?: number,
  ) {
    this.pipelines = new Pipelines(this);
    this.workspace = new Workspace(this);
    this.lost = new Promise((resolve) => {
      void gpu.lost.then(({ reason, message }) => {
        if (this.ended) return;
        const error = new DeviceLostError(`${reason}: ${message || 'no reason given'}`);
        lastLoss = performance.now();
        this.end(error);
        resolve(error);
      });
    });
    gpu.onuncapturederror = ({ error }) => {
      this.failure ??= new Error(`WebGPU error: ${error.message}`);
    };
  }

  /** Rejects with a DeviceLostError when the device is lost from the start: its adapter was older than a crash. */
  async probe(): Promise<void> {
    const buffer = this.stagingBuffer(4);
    await this.survive(buffer.mapAsync(mapModeRead));
    this.free(buffer);
  }

  /** Throws if the device is gone, or if an error came up that no scope has caught. */
  check(): void {
    if (this.failure) throw this.failure;
  }

  /**
   * Runs `work` (synchronous) and returns its result with a promise that rejects if WebGPU found fault with it:
   * WebGPU itself goes on after an error, and buffers keep their old content. `what` is "making a store".
   */
  guard<T>(what: string, work: () => T): { result: T; done: Promise<void> } {
    this.check();
    const before = this.allocatedBytes;
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    let result: T;
    let scopes: Promise<(GPUError | null)[]>;
    try {
      result = work();
    } finally {
      scopes = Promise.all(filters.map(() => this.gpu.popErrorScope()));
      // Nobody waits for these when `work` throws.
      scopes.catch(() => {});
    }
    const bytes = this.allocatedBytes - before;
    const done = this.survive(scopes).then(
      // Scopes end in the reverse order. What is invalid for want of memory is reported as invalid too.
      ([internal, outOfMemory, validation]) => {
        if (outOfMemory) throw new OutOfMemoryError(what, bytes, before, this.memoryLimit);
        const error = internal ?? validation;
        if (error) throw new Error(`${what}: ${error.message}`);
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

  /**
   * Awaits something of the GPU. Rejects as soon as the device is lost or disposed of, because such promises may then
   * stay pending for ever (Chromium's onSubmittedWorkDone does).
   */
  survive<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // Not a race with one promise for all: that would hold every result for as long as the device lives.
      this.waiting.add(reject);
      const settle = (outcome: () => void) => {
        this.waiting.delete(reject);
        if (this.failure) reject(this.failure);
        else outcome();
      };
      work.then(
        (result) => settle(() => resolve(result)),
        (error) => {
          if (this.ended) settle(() => reject(error));
          else setTimeout(settle, LOSS_DELAY_MS, () => reject(error));
        },
      );
      if (this.ended) settle(() => {});
    });
  }

  /** A buffer that tensors can live in. Its content is zero. Throws an OutOfMemoryError over the limit. */
  tensorBuffer(label: string, bytes: number): GPUBuffer {
    return this.buffer(label, bytes, tensorUsage);
  }

  buffer(label: string, bytes: number, usage: number): GPUBuffer {
    const size = roundUp(Math.max(bytes, 4), 4);
    if (size > this.largestTensor)
      throw new OutOfMemoryError(`${label} in one buffer`, size, this.allocatedBytes, this.largestTensor);
    this.checkRoom(label, size);
    const buffer = this.gpu.createBuffer({ label, size, usage });
    this.counted.add(buffer);
    this.allocatedBytes += size;
    return buffer;
  }

  /** Throws an OutOfMemoryError when so many bytes more would pass the limit. */
  checkRoom(what: string, bytes: number): void {
    if (this.memoryLimit !== undefined && this.allocatedBytes + bytes > this.memoryLimit)
      throw new OutOfMemoryError(what, bytes, this.allocatedBytes, this.memoryLimit);
  }

  /** Of `bytes` more, how many there is room for: they are allocated in pieces, not touched, and released. */
  async room(bytes: number): Promise<number> {
    this.check();
    const left = this.memoryLimit === undefined ? bytes : this.memoryLimit - this.allocatedBytes;
    const wanted = Math.max(0, Math.min(bytes, left));
    const pieces: { size: number; buffer: GPUBuffer; error: Promise<GPUError | null> }[] = [];
    for (let at = 0; at < wanted; at += PIECE_BYTES) {
      const size = roundUp(Math.min(PIECE_BYTES, wanted - at), 4);
      this.gpu.pushErrorScope('out-of-memory');
      const buffer = this.gpu.createBuffer({ label: 'trial', size, usage: tensorUsage });
      pieces.push({ size, buffer, error: this.gpu.popErrorScope() });
    }
    try {
      const errors = await this.survive(Promise.all(pieces.map(({ error }) => error)));
      const refused = errors.findIndex((error) => error !== null);
      return refused < 0 ? wanted : refused * PIECE_BYTES;
    } finally {
      for (const { buffer } of pieces) buffer.destroy();
    }
  }

  /** For reading back. Mappable memory is the host's. */
  stagingBuffer(bytes: number): GPUBuffer {
    const size = roundUp(Math.max(bytes, 4), 4);
    const { maxBufferSize } = this.gpu.limits;
    if (size > maxBufferSize)
      throw new OutOfMemoryError('reading back', size, this.allocatedBytes, maxBufferSize);
    return this.gpu.createBuffer({ label: 'staging', size, usage: usage.mapRead | usage.copyTarget });
  }

  free(buffer: GPUBuffer): void {
    buffer.destroy();
    if (this.counted.delete(buffer)) this.allocatedBytes -= buffer.size;
  }

  /** Bytes that one binding of one buffer reaches. */
  get largestTensor(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.gpu.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  dispose(): void {
    if (!this.ended) this.end(new Error('the WebGPU device has been disposed of'));
    this.gpu.destroy();
  }

  private end(error: Error): void {
    this.ended = true;
    this.failure = error;
    for (const reject of this.waiting) reject(error);
    this.waiting.clear();
  }
}

/** performance.now() at the last loss of any device of this process; adapters may be missing for a moment after it. */
export let lastLoss = Number.NEGATIVE_INFINITY;
