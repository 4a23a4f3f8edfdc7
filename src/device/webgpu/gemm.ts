/** GEMM on WebGPU: the variants of the kernel, and which one a product gets. */
import joinWgsl from '../../../shaders/gemm_join.wgsl?raw';
import registerWgsl from '../../../shaders/gemm_register.wgsl?raw';
import register8Wgsl from '../../../shaders/gemm_register8.wgsl?raw';
import rowsWgsl from '../../../shaders/gemm_rows.wgsl?raw';
import sharedWgsl from '../../../shaders/gemm_shared.wgsl?raw';
import shared8Wgsl from '../../../shaders/gemm_shared8.wgsl?raw';
import type { Tensor } from '../../ops/graph.ts';
import type { Dispatch, GemmSpec, GpuLowering, Scratch } from './dispatch.ts';
import { halfOperand } from './half-operand.ts';

interface Variant {
  readonly code: string;
  /** Rows and columns of C that a workgroup computes. */
  readonly tile: number;
}

const shared = (side: number) => sharedWgsl.replace('const SIDE = 16u;', `const SIDE = ${side}u;`);

/** `register` and `register8` read global memory directly; the others go through tiles in shared memory. */
export const gemmVariants = {
  register: { code: registerWgsl, tile: 32 },
  register8: { code: register8Wgsl, tile: 64 },
  shared32: { code: shared(8), tile: 32 },
  shared64: { code: shared(16), tile: 64 },
  shared8: { code: shared8Wgsl, tile: 64 },
} satisfies Record<string, Variant>;

export type GemmVariant = keyof typeof gemmVariants;

/**
 * Products by what limits them. `wide`: many output tiles. `narrow`: few rows (a decoding step). `deep`: few output
 * tiles and a long k (weight gradients), where only splitting k fills the GPU.
 */
export type GemmClass = 'wide' | 'narrow' | 'deep';

export interface GemmPlan {
  readonly variant: GemmVariant;
  /** Workgroups to aim at by splitting k; 0: never split. */
  readonly splitTo: number;
}

/** How a product is written: what is left out is as the GemmSpec says, the bias apart. */
interface Destination {
  /** The part of k that a plane of workgroups takes. */
  readonly chunk?: number;
  readonly start?: number;
  readonly rowStride?: number;
  readonly bias?: Tensor;
  readonly adds?: boolean;
}

export type GemmChoice = Readonly<Record<GemmClass, GemmPlan>>;

export const uniformChoice = (plan: GemmPlan): GemmChoice => ({ wide: plan, narrow: plan, deep: plan });

export function gemmClass({ m, n, k }: Pick<GemmSpec, 'm' | 'n' | 'k'>): GemmClass {
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  if (k >= 512 && tiles <= 64) return 'deep';
  return m <= 64 ? 'narrow' : 'wide';
}

/** No part of a split product is shorter than this: below, joining the parts costs more than it saves. */
const SHORTEST_PART = 64;

/** Up to so many rows gemm_rows is taken where barriers are cheap: a workgroup computes 8 x 4 of C. */
const FEW_ROWS = 16;

export function lowerGemm(gpu: GpuLowering, spec: GemmSpec, choice: GemmChoice): Dispatch[] {
  const { m, n, k, a, b, c, bias, cOffset = 0, cRowStride = n, accumulate = false } = spec;
  const product = (
    { kernel, code }: Pick<Dispatch, 'kernel' | 'code'>,
    to: Tensor | Scratch,
    workgroups: readonly number[],
    { chunk = k, start = cOffset, rowStride = cRowStride, bias, adds = accumulate }: Destination,
  ) =>
    gpu.dispatch({
      ...halfOperand(gpu, { kernel, code }, 'b', b.tensor),
      // A missing bias is bound to an operand: WGSL wants every binding filled.
      bindings: [a.tensor, b.tensor, bias ?? a.tensor, to],
      params: [
        ...[m, n, k, chunk],
        ...[a.rowStride, a.columnStride, b.rowStride, b.columnStride],
        ...[a.offset ?? 0, b.offset ?? 0, start, Number(bias !== undefined), Number(adds), rowStride],
      ],
      workgroups,
    });
  const alongK = a.columnStride === 1 && b.rowStride === 1;
  const workgroupsOfRows = [Math.ceil(n / 4), Math.ceil(m / 8)];
  const few = m <= FEW_ROWS && workgroupsOfRows[0] <= gpu.limits.maxWorkgroupsPerDimension;
  if (gpu.limits.cheapBarriers && few && alongK) {
    return [product({ kernel: 'gemm_rows', code: rowsWgsl }, c, workgroupsOfRows, { bias })];
  }
  const { variant, splitTo } = choice[gemmClass(spec)];
  const { code, tile } = gemmVariants[variant];
  const [columns, rows] = [Math.ceil(n / tile), Math.ceil(m / tile)];
  const parts = Math.min(Math.floor(splitTo / (rows * columns)), Math.floor(k / SHORTEST_PART));
  // Parts start on multiples of 16, the depth of the shared tiles.
  const wanted = cRowStride === n ? parts : 1;
  const chunk = wanted > 1 ? Math.ceil(k / wanted / 16) * 16 : k;
  const planes = wanted > 1 ? Math.ceil(k / chunk) : 1;
  const kernel = { kernel: `gemm_${variant}`, code };
  const workgroups = [columns, rows, planes];
  if (planes === 1) return [product(kernel, c, workgroups, { bias })];
  const partial = gpu.scratch(planes * m * n * 4);
  const join = gpu.dispatch({
    kernel: 'gemm_join',
    code: joinWgsl,
    bindings: [partial, bias ?? partial, c],
    params: [m * n, n, planes, cOffset, Number(bias !== undefined), Number(accumulate)],
    threads: m * n,
  });
  return [product(kernel, partial, workgroups, { chunk, start: 0, rowStride: n, adds: false }), join];
}
