/** Named tensors in GPU buffers. */
import { type Shape, sizeOf } from '../../ops/graph.ts';
import { asFloat16, asFloat32 } from '../../store/float16.ts';
import type { Store, StoredValues, StoreEntry } from '../device.ts';
import { bytesOf } from './bytes.ts';
import type { GpuContext } from './context.ts';
import { snapshot } from './snapshot.ts';

interface Entry {
  readonly shape: Shape;
  readonly dtype: 'f32' | 'f16';
  readonly buffer: GPUBuffer;
}

export class WebgpuStore implements Store {
  private readonly entries = new Map<string, Entry>();
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
        for (const entry of entries) this.add(entry);
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

  dtype(name: string): 'f32' | 'f16' {
    return this.entry(name).dtype;
  }

  buffer(name: string): GPUBuffer {
    return this.entry(name).buffer;
  }

  async read(name: string): Promise<Float32Array> {
    return (await this.readMany([name])).get(name)!;
  }

  async readMany(names: readonly string[]): Promise<Map<string, Float32Array>> {
    const tensors = [...new Set(names)].map((name) => ({ name, ...this.entry(name) }));
    return snapshot(this.context, tensors, this.ready);
  }

  write(name: string, data: StoredValues): void {
    this.context.check();
    if (this.isReady) this.upload(name, data);
    // Should the GPU have had no room, then that is reported by `ready`, and this must not be a fault of its own.
    else this.context.guard(`writing ${name}`, () => this.upload(name, data));
  }

  dispose(): void {
    for (const { buffer } of this.entries.values()) this.context.free(buffer);
    this.entries.clear();
  }

  private add({ name, shape, dtype = 'f32', data }: StoreEntry): void {
    if (this.entries.has(name)) throw new Error(`${name} is twice in the store`);
    const buffer = this.context.tensorBuffer(name, bytesOf({ shape, dtype }));
    this.entries.set(name, { shape, dtype, buffer });
    if (data) this.upload(name, data);
  }

  private upload(name: string, data: StoredValues): void {
    const { shape, dtype, buffer } = this.entry(name);
    if (data.length !== sizeOf(shape)) throw new Error(`${name}: ${data.length} values for shape [${shape}]`);
    const values = dtype === 'f16' ? wholeWords(asFloat16(data, name)) : asFloat32(data);
    this.context.gpu.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
  }

  private entry(name: string): Entry {
    if (this.failure) throw this.failure;
    const entry = this.entries.get(name);
    if (!entry) throw new Error(`no tensor named ${name} in the store`);
    return entry;
  }
}

/** Halves [n] with a zero behind an odd number of them: WebGPU writes words. */
function wholeWords(halves: Uint16Array): Uint16Array {
  if (halves.length % 2 === 0) return halves;
  const padded = new Uint16Array(halves.length + 1);
  padded.set(halves);
  return padded;
}
