/** Named tensors in GPU buffers. */
import { type Shape, sizeOf } from '../../ops/graph.ts';
import type { Store, StoreEntry } from '../device.ts';
import type { GpuContext } from './context.ts';
import { snapshot } from './snapshot.ts';

export class WebgpuStore implements Store {
  private readonly entries = new Map<string, { shape: Shape; buffer: GPUBuffer }>();
  /** Rejects when the GPU had no room; the tensors are released then. */
  readonly ready: Promise<void>;
  private isReady = false;
  private failure: unknown;

  constructor(
    private readonly context: GpuContext,
    entries: Iterable<StoreEntry>,
  ) {
    const { done } = context.guard('making a store of tensors', () => {
      try {
        for (const { name, shape, data } of entries) this.add(name, shape, data);
      } catch (error) {
        this.dispose();
        throw error;
      }
    });
    this.ready = done.then(
      () => {
        this.isReady = true;
      },
      (error) => {
        this.failure = error;
        this.dispose();
        throw error;
      },
    );
    this.ready.catch(() => {});
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
    return (await this.readMany([name])).get(name)!;
  }

  async readMany(names: readonly string[]): Promise<Map<string, Float32Array>> {
    const tensors = [...new Set(names)].map((name) => ({ name, ...this.entry(name) }));
    return snapshot(
      this.context,
      tensors.map(({ name, shape, buffer }) => ({ name, buffer, bytes: sizeOf(shape) * 4 })),
      this.ready,
    );
  }

  write(name: string, data: Float32Array): void {
    this.context.check();
    if (this.isReady) this.upload(name, data);
    // Should the GPU have had no room, then that is reported by `ready`, and this must not be a fault of its own.
    else this.context.guard(`writing ${name}`, () => this.upload(name, data));
  }

  dispose(): void {
    for (const { buffer } of this.entries.values()) this.context.free(buffer);
    this.entries.clear();
  }

  private add(name: string, shape: Shape, data: Float32Array | undefined): void {
    if (this.entries.has(name)) throw new Error(`${name} is twice in the store`);
    const buffer = this.context.tensorBuffer(name, sizeOf(shape) * 4);
    this.entries.set(name, { shape, buffer });
    if (data) this.upload(name, data);
  }

  private upload(name: string, data: Float32Array): void {
    const { shape, buffer } = this.entry(name);
    if (data.length !== sizeOf(shape)) throw new Error(`${name}: ${data.length} values for shape [${shape}]`);
    this.context.gpu.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
  }

  private entry(name: string): { shape: Shape; buffer: GPUBuffer } {
    if (this.failure) throw this.failure;
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`no tensor named ${name} in the store`);
    return entry;
  }
}
