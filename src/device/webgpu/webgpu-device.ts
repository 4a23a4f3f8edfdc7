/** The WebGPU device: graphs become static lists of compute dispatches over buffers planned by lifetime. */
import type { Graph } from '../../ops/graph.ts';
import {
  type Device,
  type DeviceLimits,
  DeviceLostError,
  type Program,
  type Store,
  type StoreEntry,
} from '../device.ts';
import { findAdapter, requestDevice } from './adapter.ts';
import { GpuContext, lastLoss } from './context.ts';
import { type GemmChoice, type GemmPlan, uniformChoice } from './gemm.ts';
import { chooseGemm, memoryOf, type Remember } from './gemm-benchmark.ts';
import { Lowering } from './lowering.ts';
import { WebgpuProgram } from './program.ts';
import { WebgpuStore } from './store.ts';

export interface WebgpuOptions {
  /** Where to ask for an adapter; default: navigator.gpu. In Node: the npm package webgpu's. */
  readonly gpu?: GPU;
  readonly adapter?: GPUAdapter;
  /** Use this GEMM variant for everything instead of measuring. */
  readonly gemm?: GemmPlan;
  /** Keeps the measured choice of GEMM variants between page loads; default: as long as the module lives. */
  readonly remember?: Remember;
  /** Stay within WebGPU's core limits, without features, even where the adapter offers more. */
  readonly coreLimits?: boolean;
  /** false: read half floats as packed pairs even where the adapter has shader-f16. */
  readonly shaderF16?: boolean;
  /** Kernels that use workgroup memory where they have the choice; default: on hardware. */
  readonly cheapBarriers?: boolean;
  /** Fill activation memory with NaN before each run: a kernel that counts on old values then shows. For tests. */
  readonly poison?: boolean;
  /** Bytes that tensors may take on this GPU, for who knows; WebGPU does not tell. Default: until the GPU is full. */
  readonly memoryLimit?: number;
  /**
   * Milliseconds to go on trying where there is no adapter: for a moment after a crash of the GPU process there is none.
   * Default: 5,000 when a device of this process was lost in the last minute, else 0.
   */
  readonly patience?: number;
}

const PATIENCE_MS = 5_000;
const MINUTE_MS = 60_000;
const RETRY_MS = 250;

const shared = new Map<string, string>();

export class WebgpuDevice implements Device {
  readonly kind = 'webgpu';
  private readonly lowering: Lowering;

  private constructor(
    readonly label: string,
    /** Software, not hardware. */
    readonly isFallback: boolean,
    readonly limits: DeviceLimits,
    private readonly context: GpuContext,
    /** The GEMM variant of each class of products. */
    readonly gemm: GemmChoice,
    private readonly poison: boolean,
  ) {
    this.lowering = new Lowering(limits.webgpu!.lowering, gemm);
  }

  /** Throws a UserError when there is no WebGPU, no adapter, or none that answers. */
  static async create(options: WebgpuOptions = {}): Promise<WebgpuDevice> {
    const begin = performance.now();
    const afterLoss = begin - lastLoss < MINUTE_MS;
    for (let { adapter } = options; ; adapter = undefined) {
      try {
        return await WebgpuDevice.open(adapter ?? (await findAdapter(options.gpu)), options);
      } catch (error) {
        const interrupted = afterLoss || error instanceof DeviceLostError;
        const patience = options.patience ?? (interrupted ? PATIENCE_MS : 0);
        if (performance.now() - begin > patience) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private static async open(adapter: GPUAdapter, options: WebgpuOptions): Promise<WebgpuDevice> {
    const gpu = await requestDevice(adapter, options);
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const isFallback = isFallbackAdapter ?? false;
    const name = description || [vendor, architecture || device].filter(Boolean).join(' ') || 'unknown GPU';
    const context = new GpuContext(gpu, options.memoryLimit);
    const lowering = {
      maxWorkgroupsPerDimension: gpu.limits.maxComputeWorkgroupsPerDimension,
      maxBindingBytes: Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize),
      workgroupMemory: gpu.limits.maxComputeWorkgroupStorageSize,
      shaderF16: gpu.features.has('shader-f16'),
      cheapBarriers: options.cheapBarriers ?? !isFallback,
    };
    const key = [vendor, architecture, device, description].join('/');
    try {
      await context.probe();
      const remember = options.remember ?? memoryOf(shared);
      const gemm = options.gemm
        ? uniformChoice(options.gemm)
        : await chooseGemm(context, lowering, { key, isFallback, remember });
      const label = `WebGPU (${name}${isFallback ? ', software' : ''})`;
      const limits = {
        largestTensor: context.largestTensor,
        memory: options.memoryLimit,
        webgpu: { lowering, gemm },
      };
      return new WebgpuDevice(label, isFallback, limits, context, gemm, options.poison ?? false);
    } catch (error) {
      context.dispose();
      throw error;
    }
  }

  get lost(): Promise<DeviceLostError> {
    return this.context.lost;
  }

  /** Bytes of GPU memory that stores and programs hold now. */
  get allocatedBytes(): number {
    return this.context.allocatedBytes;
  }

  room(bytes: number): Promise<number> {
    return this.context.room(bytes);
  }

  createStore(entries: Iterable<StoreEntry>): Store {
    return new WebgpuStore(this.context, entries);
  }

  async compile(graph: Graph, stores: readonly Store[]): Promise<Program> {
    const ours = stores.map((store) => {
      if (store instanceof WebgpuStore) return store;
      throw new Error('a WebGPU program takes stores that its own device made');
    });
    await Promise.all(ours.map((store) => store.ready));
    return WebgpuProgram.create(this.context, this.lowering, graph, ours, this.poison);
  }

  dispose(): void {
    this.context.dispose();
  }
}
