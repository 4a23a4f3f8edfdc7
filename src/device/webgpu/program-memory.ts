/**
 * The GPU buffers of a program: its part of the workspace, and what is its own: host inputs, constants, the staging
 * buffer of the outputs.
 */
import { type Graph, sizeOf, type Tensor } from '../../ops/graph.ts';
import type { RunInputs, RunOutputs } from '../device.ts';
import { bytesOf } from './bytes.ts';
import type { GpuContext } from './context.ts';
import { roundUp, usage } from './flags.ts';
import type { MemoryPlan, Place } from './memory-plan.ts';
import type { VariableBuffers } from './program.ts';
import type { SlotSizes } from './workspace.ts';

export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Constants up to this size share one buffer; storage bindings start at multiples of 256 bytes. */
const PACKED_BYTES = 1 << 16;
const ALIGNMENT = 256;

export class ProgramMemory {
  staging: GPUBuffer | undefined;
  private readonly owned: GPUBuffer[] = [];
  private readonly slotSizes: SlotSizes;
  private slots: GPUBuffer[] = [];
  private readonly inputs = new Map<Tensor, GPUBuffer>();
  private readonly constants = new Map<Tensor, Range>();
  private readonly outputs: { name: string; tensor: Tensor; from: Place; offset: number }[] = [];

  constructor(
    private readonly context: GpuContext,
    plan: MemoryPlan,
    graph: Graph,
    private readonly stores: readonly VariableBuffers[],
    /** Slots are filled with NaN before each run. */
    private readonly poison: boolean,
  ) {
    this.slotSizes = plan.slots.map(({ bytes }) => bytes);
    try {
      this.allocate(plan, graph);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get activationBytes(): number {
    return this.slotSizes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Whether the slots have other buffers than before. To be called inside a guard: missing ones are allocated. */
  refresh(): boolean {
    const slots = this.context.workspace.buffers(this.slotSizes);
    const changed = slots.some((buffer, i) => buffer !== this.slots[i]);
    this.slots = slots;
    return changed;
  }

  private allocate(plan: MemoryPlan, graph: Graph): void {
    const { context } = this;
    const inputBytes = [...graph.inputs.values()].reduce((sum, t) => sum + sizeOf(t.shape) * 4, 0);
    context.checkRoom('the memory of a program', context.workspace.growth(this.slotSizes) + inputBytes);
    context.workspace.join(this.slotSizes);
    this.refresh();
    for (const t of graph.inputs.values())
      this.inputs.set(t, this.own(context.tensorBuffer(`input ${t.name}`, sizeOf(t.shape) * 4)));
    this.placeConstants(plan.constants);

    let bytes = 0;
    for (const [name, tensor] of graph.outputs) {
      this.outputs.push({ name, tensor, from: plan.place(tensor), offset: bytes });
      bytes += roundUp(sizeOf(tensor.shape) * 4, 8);
    }
    if (bytes > 0) this.staging = this.own(context.stagingBuffer(bytes));
  }

  /** The memory that a place of the plan stands for. */
  range(place: Place): Range {
    const { home, slot, bytes } = place;
    const size = Math.max(bytes, 4);
    if (!home) return { buffer: this.slots[slot], offset: 0, size };
    if (home.kind === 'input') return { buffer: this.inputs.get(home.tensor)!, offset: 0, size };
    if (home.kind === 'constant') return this.constants.get(home.tensor)!;
    const store = this.stores.find((s) => s.has(home.name));
    if (!store) throw new Error(`variable ${home.name} is in none of the program's stores`);
    const [shape, dtype] = [store.shape(home.name), store.dtype(home.name)];
    if (dtype !== home.dtype || bytesOf({ shape, dtype }) !== bytes)
      throw new Error(
        `variable ${home.name} is [${shape}] of ${dtype} in its store, the graph wants ${bytes} bytes of ${home.dtype}`,
      );
    return { buffer: store.buffer(home.name), offset: 0, size };
  }

  /** A uniform buffer that holds `content`. */
  uniform(content: Uint8Array<ArrayBuffer>): GPUBuffer {
    const size = content.byteLength;
    const buffer = this.own(this.context.buffer('parameters', size, usage.uniform | usage.copyTarget));
    this.context.gpu.queue.writeBuffer(buffer, 0, content);
    return buffer;
  }

  upload(graph: Graph, inputs: RunInputs): void {
    if (this.poison)
      for (const buffer of this.slots) this.write(buffer, 0, new Int32Array(buffer.size / 4).fill(-1));
    for (const [name, tensor] of graph.inputs) this.write(this.inputs.get(tensor)!, 0, inputs[name]);
  }

  /** Records the copies of the outputs into the staging buffer. */
  stage(encoder: GPUCommandEncoder): void {
    for (const { from, offset: to } of this.outputs) {
      const { buffer, offset, size } = this.range(from);
      encoder.copyBufferToBuffer(buffer, offset, this.staging!, to, size);
    }
  }

  download(mapped: ArrayBuffer): RunOutputs {
    return Object.fromEntries(
      this.outputs.map(({ name, tensor: { shape, dtype }, offset }) => {
        const bytes = mapped.slice(offset, offset + sizeOf(shape) * 4);
        return [name, dtype === 'i32' ? new Int32Array(bytes) : new Float32Array(bytes)];
      }),
    );
  }

  dispose(): void {
    this.context.workspace.leave(this.slotSizes);
    for (const buffer of this.owned) this.context.free(buffer);
  }

  private own(buffer: GPUBuffer): GPUBuffer {
    this.owned.push(buffer);
    return buffer;
  }

  private write(buffer: GPUBuffer, offset: number, data: Float32Array | Int32Array): void {
    if (data.length > 0)
      this.context.gpu.queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>);
  }

  /** Small constants are many (scalars): equal ones are kept once, all in one buffer. */
  private placeConstants(constants: MemoryPlan['constants']): void {
    const { packed, members, large, end } = packConstants(constants);
    for (const [tensor, data] of large) {
      const size = data.byteLength;
      const buffer = this.own(this.context.tensorBuffer(`constant ${tensor.name}`, size));
      this.write(buffer, 0, data);
      this.constants.set(tensor, { buffer, offset: 0, size });
    }
    if (members.length === 0) return;
    const buffer = this.own(this.context.tensorBuffer('constants', end));
    const content = new Uint8Array(end);
    for (const { data, offset } of packed)
      content.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    this.context.gpu.queue.writeBuffer(buffer, 0, content);
    for (const { tensor, offset, size } of members) this.constants.set(tensor, { buffer, offset, size });
  }
}

/** Where constants go: `large` ones into a buffer each, the others into one of `end` bytes. */
export function packConstants(constants: MemoryPlan['constants']) {
  const packed = new Map<string, { data: Float32Array | Int32Array; offset: number }>();
  const members: { tensor: Tensor; offset: number; size: number }[] = [];
  const large: [Tensor, Float32Array | Int32Array][] = [];
  let end = 0;
  for (const [tensor, data] of constants) {
    const size = Math.max(data.byteLength, 4);
    if (size > PACKED_BYTES) {
      large.push([tensor, data]);
      continue;
    }
    const key = new Uint32Array(data.buffer, data.byteOffset, data.length).join();
    let known = packed.get(key);
    if (!known) {
      known = { data, offset: end };
      packed.set(key, known);
      end += roundUp(size, ALIGNMENT);
    }
    members.push({ tensor, offset: known.offset, size });
  }
  return { packed: [...packed.values()], members, large, end };
}
