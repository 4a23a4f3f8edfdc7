/** WebGPU lowering of the head: chunks of rows, so that logits of all rows are never held at once. */
import backwardWgsl from '../../shaders/head_backward.wgsl?raw';
import packWgsl from '../../shaders/head_pack.wgsl?raw';
import statisticsWgsl from '../../shaders/head_statistics.wgsl?raw';
import type { Dispatch, GpuLowering, Scratch } from '../device/webgpu/dispatch.ts';
import type { Tensor } from './graph.ts';
import type { HeadAttributes } from './head.ts';

/**
 * Most bytes of logits held at once, both views together, where the call does not say. Tests lower it to get several chunks
 * of few rows.
 */
export const headSettings = { chunkBytes: 64 * 2 ** 20 };

interface Sizes {
  readonly d: number;
  /** V */
  readonly vocabulary: number;
  /** N, the rows of one view. */
  readonly rows: number;
  readonly views: number;
  readonly chunkBytes: number;
}

/** Rows first … first + count of every view; both views of a row are in one chunk, for the KL. */
interface Chunk {
  readonly first: number;
  readonly count: number;
}

function sizesOf(
  hidden: Tensor,
  weight: Tensor,
  { views, chunkBytes = headSettings.chunkBytes }: HeadAttributes,
): Sizes {
  const [vocabulary, d] = weight.shape;
  return { d, vocabulary, rows: hidden.shape[0] / views, views, chunkBytes };
}

function chunksOf(
  gpu: GpuLowering,
  { rows, vocabulary, views, chunkBytes }: Sizes,
): { chunks: Chunk[]; logits: Scratch } {
  const bytesPerRow = views * vocabulary * 4;
  const most = Math.min(chunkBytes, gpu.limits.maxBindingBytes);
  // Chunks of equal size: a last one of few rows would keep the GPU idle.
  const wanted = Math.ceil(rows / Math.max(1, Math.floor(most / bytesPerRow)));
  const size = Math.ceil(rows / Math.max(1, wanted));
  const chunks: Chunk[] = [];
  for (let first = 0; first < rows; first += size)
    chunks.push({ first, count: Math.min(size, rows - first) });
  return { chunks, logits: gpu.scratch(Math.max(1, size) * bytesPerRow) };
}

const paramsOf = ({ first, count }: Chunk, { rows, vocabulary, views }: Sizes) => [
  first,
  count,
  rows,
  vocabulary,
  views,
];

const eachView = <T>({ views }: Sizes, f: (view: number) => T[]): T[] =>
  Array.from({ length: views }, (_, view) => f(view)).flat();

/** logits[view · count + r] = hidden[view · N + first + r] · weightᵀ, the product that both passes start with. */
function logitsOf(
  gpu: GpuLowering,
  { first, count }: Chunk,
  sizes: Sizes,
  hidden: Tensor,
  weight: Tensor,
  logits: Scratch,
): Dispatch[] {
  const { d, vocabulary, rows } = sizes;
  return eachView(sizes, (view) =>
    gpu.gemm({
      ...{ m: count, n: vocabulary, k: d },
      a: { tensor: hidden, rowStride: d, columnStride: 1, offset: (view * rows + first) * d },
      b: { tensor: weight, rowStride: 1, columnStride: d },
      c: logits,
      cOffset: view * count * vocabulary,
    }),
  );
}

/** hidden [views · N, d], weight [V, d], targets [N], temperature [1, 1] → logps, entropy, kl of head.ts. */
export function headDispatches(
  gpu: GpuLowering,
  [hidden, weight, targets, temperature]: readonly Tensor[],
  outputs: readonly Tensor[],
  attributes: HeadAttributes,
): Dispatch[] {
  const sizes = sizesOf(hidden, weight, attributes);
  const { chunks, logits } = chunksOf(gpu, sizes);
  return chunks.flatMap((chunk) => [
    ...logitsOf(gpu, chunk, sizes, hidden, weight, logits),
    gpu.dispatch({
      kernel: 'head_statistics',
      code: statisticsWgsl,
      bindings: [logits, targets, temperature, ...outputs],
      params: paramsOf(chunk, sizes),
      workgroups: gpu.fold(chunk.count),
    }),
  ]);
}

/**
 * Inputs: those of the head, its outputs, and their gradients. Outputs: d(hidden), and d(weight) where it is wanted. A
 * chunk's logits are computed again, turned into gradients in place, and multiplied into its rows of d(hidden) and onto
 * d(weight).
 */
export function headBackwardDispatches(
  gpu: GpuLowering,
  inputs: readonly Tensor[],
  [dhidden, dweight]: readonly (Tensor | undefined)[],
  attributes: HeadAttributes,
): Dispatch[] {
  const [hidden, weight, targets, temperature, ...statistics] = inputs;
  const sizes = sizesOf(hidden, weight, attributes);
  const { d, vocabulary, rows, views } = sizes;
  const { chunks, logits } = chunksOf(gpu, sizes);
  const packed = gpu.scratch(views * rows * 6 * 4);
  const pack = gpu.dispatch({
    kernel: 'head_pack',
    code: packWgsl,
    bindings: [...statistics, packed],
    params: [rows, views],
    threads: views * rows,
  });
  const gradients = chunks.flatMap((chunk) => {
    const { first, count } = chunk;
    return [
      ...logitsOf(gpu, chunk, sizes, hidden, weight, logits),
      gpu.dispatch({
        kernel: 'head_backward',
        code: backwardWgsl,
        bindings: [logits, targets, temperature, packed],
        params: paramsOf(chunk, sizes),
        workgroups: gpu.fold(count),
      }),
      ...eachView(sizes, (view) => {
        const rowOffset = (view * rows + first) * d;
        const offset = view * count * vocabulary;
        return [
          ...gpu.gemm({
            ...{ m: count, n: d, k: vocabulary },
            a: { tensor: logits, rowStride: vocabulary, columnStride: 1, offset },
            b: { tensor: weight, rowStride: d, columnStride: 1 },
            c: dhidden!,
            cOffset: rowOffset,
          }),
          ...(dweight
            ? gpu.gemm({
                ...{ m: vocabulary, n: d, k: count },
                a: { tensor: logits, rowStride: 1, columnStride: vocabulary, offset },
                b: { tensor: hidden, rowStride: d, columnStride: 1, offset: rowOffset },
                c: dweight,
                accumulate: first > 0 || view > 0,
              })
            : []),
        ];
      }),
    ];
  });
  return [pack, ...gradients];
}
