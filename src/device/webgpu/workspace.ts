/**
 * The buffers that programs compute in, shared by all programs of a device. No value in a slot outlives a run, and runs do
 * not mix: each is recorded and submitted, to its last copy, without anything else coming between, and the GPU keeps to
 * the order of submits. The k-th largest slots of all programs share one buffer, as large as the largest of them; no other
 * sharing takes fewer bytes. When a program comes or goes, buffers may change: programs bind anew at their next run.
 */
import type { GpuContext } from './context.ts';

/** Bytes of the slots of one program, in descending order. */
export type SlotSizes = readonly number[];

/** Bytes that programs with these slots hold together. */
export function pooledBytes(programs: Iterable<SlotSizes>): number {
  return sharedSizes(programs).reduce((sum, bytes) => sum + bytes, 0);
}

function sharedSizes(programs: Iterable<SlotSizes>): number[] {
  const shared: number[] = [];
  for (const sizes of programs)
    for (const [rank, bytes] of [...sizes].sort((a, b) => b - a).entries())
      shared[rank] = Math.max(shared[rank] ?? 0, bytes);
  return shared;
}

export class Workspace {
  /** By rank. Absent between a change of size and the next run. */
  private readonly shared: (GPUBuffer | undefined)[] = [];
  private readonly programs = new Set<SlotSizes>();

  constructor(private readonly context: GpuContext) {}

  /** Bytes that one more program would add. */
  growth(sizes: SlotSizes): number {
    return pooledBytes([...this.programs, sizes]) - pooledBytes(this.programs);
  }

  /** A program, known by its `sizes` from then on. Nothing is allocated yet. */
  join(sizes: SlotSizes): void {
    this.programs.add(sizes);
    this.resize();
  }

  leave(sizes: SlotSizes): void {
    if (this.programs.delete(sizes)) this.resize();
  }

  /** The buffers of a program's slots, as large or larger. Allocates what is missing: to be called inside a guard. */
  buffers(sizes: SlotSizes): GPUBuffer[] {
    const wanted = sharedSizes(this.programs);
    return sizes.map((_, rank) => {
      this.shared[rank] ??= this.context.tensorBuffer(`workspace ${rank}`, wanted[rank]);
      return this.shared[rank];
    });
  }

  /** Gives back what no longer has the right size. */
  private resize(): void {
    const wanted = sharedSizes(this.programs);
    for (const [rank, buffer] of this.shared.entries()) {
      if (!buffer || buffer.size === wanted[rank]) continue;
      this.context.free(buffer);
      this.shared[rank] = undefined;
    }
  }
}
