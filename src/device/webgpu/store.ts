/** Named tensors in GPU buffers. */
import { type Shape, sizeOf } from '../../ops/graph.ts';
import type { Store, StoreEntry } from '../device.ts';
import type { GpuContext } from './context.ts';
import { mapModeRead } from './flags.ts';

export class WebgpuStore implements Store {
  private readonly entries = new Map<string, { shape: Shape; buffer: GPUBuffer }>();
  /** Rejects when the GPU had no room. */
  readonly ready: Promise<void>;

  constructor(
    private readonly context: GpuContext,
    entries: Iterable<StoreEntry>,
  ) {
    this.ready = context.guard('making a store of tensors', () => {
      for (const { name, shape, data } of entries) {
        if (this.entries.has(name)) throw new Error(`${name} is twice in the store`);
        const buffer = context.tensorBuffer(name, sizeOf(shape) * 4);
        this.entries.set(name, { shape, buffer });
        if (data) this.write(name, data);
      }
    }).done;
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  shape(name: string): Shape {
    return this.entry(name).shape;
  }

  buffer(name: string): GPUBuffer {
    return this.entry(name).buffer;
  }

  async read(name: string): Promise<Float32Array> {
    const { shape, buffer } = this.entry(name);
    await this.ready;
    const bytes = sizeOf(shape) * 4;
    const { result: staging, done } = this.context.guard(`reading ${name}`, () => {
      const staging = this.context.stagingBuffer(bytes);
      const encoder = this.context.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, bytes);
      this.context.gpu.queue.submit([encoder.finish()]);
      return staging;
    });
    try {
      await done;
      await this.context.survive(staging.mapAsync(mapModeRead));
      return new Float32Array(staging.getMappedRange(0, bytes).slice(0));
    } finally {
      staging.destroy();
    }
  }

  write(name: string, data: Float32Array): void {
    const { shape, buffer } = this.entry(name);
    if (data.length !== sizeOf(shape)) throw new Error(`${name}: ${data.length} values for shape [${shape}]`);
    this.context.check();
    this.context.gpu.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
  }

  dispose(): void {
    for (const { buffer } of this.entries.values()) buffer.destroy();
    this.entries.clear();
  }

  private entry(name: string): { shape: Shape; buffer: GPUBuffer } {
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`no tensor named ${name} in the store`);
    return entry;
  }
}
