/** The WebGPU device: graphs become static lists of compute dispatches over buffers planned by lifetime. */
import { UserError } from '../../errors.ts';
import type { Graph } from '../../ops/graph.ts';
import type { Device, Program, Store, StoreEntry } from '../device.ts';
import { GpuContext } from './context.ts';
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
  /** Stay within WebGPU's core limits even where the adapter offers more. */
  readonly coreLimits?: boolean;
  /** Fill activation memory with NaN first: a kernel that counts on zeros then shows. For tests. */
  readonly poison?: boolean;
}

/** Limits of which more is better for us: large tensors, kernels with many operands, larger shared tiles. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
] as const;

const shared = new Map<string, string>();

export class WebgpuDevice implements Device {
  readonly kind = 'webgpu';

  private constructor(
    readonly label: string,
    /** Software, not hardware. */
    readonly isFallback: boolean,
    private readonly context: GpuContext,
    private readonly lowering: Lowering,
    /** The GEMM variant of each class of products. */
    readonly gemm: GemmChoice,
    private readonly poison: boolean,
  ) {}

  /** Throws a UserError when there is no WebGPU, or no adapter. */
  static async create(options: WebgpuOptions = {}): Promise<WebgpuDevice> {
    const adapter = options.adapter ?? (await findAdapter(options.gpu));
    const gpu = await requestDevice(adapter, options.coreLimits ?? false);
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const isFallback = isFallbackAdapter ?? false;
    const name = description || [vendor, architecture || device].filter(Boolean).join(' ') || 'unknown GPU';
    const context = new GpuContext(gpu);
    const limits = {
      maxWorkgroupsPerDimension: gpu.limits.maxComputeWorkgroupsPerDimension,
      maxBindingBytes: Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize),
      workgroupMemory: gpu.limits.maxComputeWorkgroupStorageSize,
    };
    const key = [vendor, architecture, device, description].join('/');
    const gemm = options.gemm
      ? uniformChoice(options.gemm)
      : await chooseGemm(context, limits, {
          key,
          isFallback,
          remember: options.remember ?? memoryOf(shared),
        });
    return new WebgpuDevice(
      `WebGPU (${name}${isFallback ? ', software' : ''})`,
      isFallback,
      context,
      new Lowering(limits, gemm),
      gemm,
      options.poison ?? false,
    );
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

async function findAdapter(gpu: GPU | undefined): Promise<GPUAdapter> {
  const api = gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!api)
    throw new UserError(
      'This browser has no WebGPU (or the page is not served over HTTPS or from localhost). Use the CPU device, or a ' +
        'recent Chrome, Edge, Safari or Firefox.',
    );
  const adapter = await api.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new UserError(
      'WebGPU finds no usable GPU here (no adapter). Update the graphics driver, or use the CPU device.',
    );
  return adapter;
}

async function requestDevice(adapter: GPUAdapter, coreLimits: boolean): Promise<GPUDevice> {
  const requiredLimits = Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]]));
  try {
    return await adapter.requestDevice(coreLimits ? {} : { requiredLimits });
  } catch (error) {
    throw new UserError(`The GPU could not be opened: ${error instanceof Error ? error.message : error}`);
  }
}
