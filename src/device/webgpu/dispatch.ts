/** What an op's WebGPU lowering returns: compute dispatches over tensors, with their static parameters. */
import type { Tensor } from '../../ops/graph.ts';

/** A buffer that lives only while its op's dispatches run. */
export interface Scratch {
  readonly scratch: true;
  readonly bytes: number;
}

export interface Dispatch {
  /** Pipelines are shared between dispatches with the same kernel name and overrides. */
  readonly kernel: string;
  readonly code: string;
  /** WGSL `override` constants. */
  readonly overrides?: Record<string, number>;
  /**
   * Storage buffers, bound from @binding(1) on. A kernel declares what it only reads as `read`: WebGPU refuses
   * one buffer under two writable bindings, and operands may coincide (x * x).
   */
  readonly bindings: readonly (Tensor | Scratch)[];
  /** The uniform at @binding(0): 32-bit words in order; `{ f32 }` for floats. */
  readonly params: readonly (number | { f32: number })[];
  readonly workgroups: readonly [number, number, number];
}

export interface GpuLowering {
  readonly limits: {
    maxWorkgroupsPerDimension: number;
    maxBindingBytes: number;
    workgroupMemory: number;
    /** Kernels may use WGSL's type f16; else they unpack pairs of half floats. */
    shaderF16?: boolean;
    /** Workgroup memory is fast and barriers cost little: a GPU, not software. */
    cheapBarriers?: boolean;
  };
  scratch(bytes: number): Scratch;
  /**
   * Fills in the workgroups: either given, or `threads` one-dimensional invocations of @workgroup_size(64),
   * folded into y when they pass the limit of a dimension (kernels index with id.x + id.y * groups.x * 64).
   */
  dispatch(
    d: Omit<Dispatch, 'workgroups'> & ({ threads: number } | { workgroups: readonly number[] }),
  ): Dispatch;
  /** That many workgroups, folded into y; kernels index with group.x + group.y * groups.x. */
  fold(workgroups: number): [number, number, number];
  /** GEMM goes through the variant that the start-up micro-benchmark chose. See gemm.ts. */
  gemm(spec: GemmSpec): Dispatch[];
}

/** C[m, n] = sum_k A(m, k) · B(k, n) (+ bias[n]); operands by strides, so no transpose is ever made. */
export interface GemmSpec {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** `offset`: where the operand starts in its buffer, in elements. */
  readonly a: { tensor: Tensor | Scratch; rowStride: number; columnStride: number; offset?: number };
  /** The tensor may be f16. */
  readonly b: { tensor: Tensor | Scratch; rowStride: number; columnStride: number; offset?: number };
  readonly c: Tensor | Scratch;
  /** Where C starts in its buffer, in elements. */
  readonly cOffset?: number;
  /** From a row of C to the next, in elements; default: n. */
  readonly cRowStride?: number;
  /** Add to what C holds instead of overwriting it. */
  readonly accumulate?: boolean;
  readonly bias?: Tensor;
}
