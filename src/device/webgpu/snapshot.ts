/** Reads many buffers at one moment: all copies go to the GPU's queue in one submit, before anything else can. */
import { type Shape, sizeOf } from '../../ops/graph.ts';
import { float16ToFloat32 } from '../../store/dtypes.ts';
import { bytesOf } from './bytes.ts';
import type { GpuContext } from './context.ts';
import { mapModeRead } from './flags.ts';

export interface SnapshotTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: 'f32' | 'f16';
  readonly buffer: GPUBuffer;
}

/** Small staging buffers: each is copied out in a few milliseconds and given back before the next. */
const STAGING_BYTES = 64 * 2 ** 20;

interface Part {
  readonly tensors: readonly SnapshotTensor[];
  readonly bytes: number;
}

/**
 * The tensors' values as of this call, by name. `ready`: whether the buffers exist is known when it settles. Rejects
 * with an OutOfMemoryError, having released everything, when there is no room for the copies.
 */
export async function snapshot(
  context: GpuContext,
  tensors: readonly SnapshotTensor[],
  ready: Promise<void>,
): Promise<Map<string, Float32Array>> {
  const { gpu } = context;
  const parts = split(tensors);
  const staging: GPUBuffer[] = [];
  try {
    // Nothing is awaited before the submit.
    const { done } = context.guard(`reading ${tensors.map((t) => t.name).slice(0, 3)}`, () => {
      const encoder = gpu.createCommandEncoder();
      for (const part of parts) {
        const to = context.stagingBuffer(part.bytes);
        staging.push(to);
        let offset = 0;
        for (const tensor of part.tensors) {
          const bytes = bytesOf(tensor);
          if (bytes > 0) encoder.copyBufferToBuffer(tensor.buffer, 0, to, offset, bytes);
          offset += bytes;
        }
      }
      gpu.queue.submit([encoder.finish()]);
    });
    await ready;
    await done;
    const found = new Map<string, Float32Array>();
    for (const [i, part] of parts.entries()) {
      await context.survive(staging[i].mapAsync(mapModeRead));
      const mapped = staging[i].getMappedRange();
      let offset = 0;
      for (const tensor of part.tensors) {
        const bytes = bytesOf(tensor);
        found.set(tensor.name, valuesOf(tensor, mapped.slice(offset, offset + bytes)));
        offset += bytes;
      }
      context.free(staging[i]);
    }
    return found;
  } finally {
    for (const buffer of staging) context.free(buffer);
  }
}

/** Consecutive tensors together up to the size of a staging buffer; a larger tensor has one of its own. */
function split(tensors: readonly SnapshotTensor[]): Part[] {
  const parts: { tensors: SnapshotTensor[]; bytes: number }[] = [];
  for (const tensor of tensors) {
    const last = parts.at(-1);
    const bytes = bytesOf(tensor);
    if (last && last.bytes + bytes <= STAGING_BYTES) {
      last.tensors.push(tensor);
      last.bytes += bytes;
    } else parts.push({ tensors: [tensor], bytes });
  }
  return parts;
}

function valuesOf({ shape, dtype }: SnapshotTensor, content: ArrayBuffer): Float32Array {
  return dtype === 'f16'
    ? float16ToFloat32(new Uint16Array(content, 0, sizeOf(shape)))
    : new Float32Array(content);
}
