/** Compute pipelines, made once per (kernel, overrides) and shared by all programs of a device. */
import type { GpuContext } from './context.ts';
import type { Dispatch } from './dispatch.ts';
import { stageCompute } from './flags.ts';

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** For each of the dispatch's bindings: whether the kernel writes it. */
  readonly writes: readonly boolean[];
  readonly hasParams: boolean;
}

type Kernel = Pick<Dispatch, 'kernel' | 'code' | 'overrides'>;
type BindingType = 'uniform' | 'read-only-storage' | 'storage';

/**
 * The bindings that WGSL code declares in group 0. Layouts are made from these, not by `layout: 'auto'`, which
 * leaves out a binding that the code does not happen to use.
 */
export function parseBindings(code: string): Map<number, BindingType> {
  const found = new Map<number, BindingType>();
  const plain = code.replace(/\/\/.*$/gm, '');
  const declaration =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(uniform|storage)\s*(?:,\s*(read_write|read)\s*)?>/g;
  for (const [, index, space, access] of plain.matchAll(declaration))
    found.set(
      Number(index),
      space === 'uniform' ? 'uniform' : access === 'read_write' ? 'storage' : 'read-only-storage',
    );
  return found;
}

export class Pipelines {
  private readonly pipelines = new Map<string, { code: string; pipeline: Promise<Pipeline> }>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(private readonly context: GpuContext) {}

  get({ kernel, code, overrides = {} }: Kernel): Promise<Pipeline> {
    const key = `${kernel} ${JSON.stringify(overrides)}`;
    let entry = this.pipelines.get(key);
    if (!entry) {
      entry = { code, pipeline: this.create({ kernel, code, overrides }) };
      // Whoever awaits it gets the error; until then it is not "unhandled".
      entry.pipeline.catch(() => {});
      this.pipelines.set(key, entry);
    }
    if (entry.code !== code) throw new Error(`two kernels with different code are called ${kernel}`);
    return entry.pipeline;
  }

  private async create({ kernel, code, overrides }: Kernel): Promise<Pipeline> {
    const bindings = parseBindings(code);
    const layout = this.layout(kernel, bindings);
    // A faulty module's error comes again with the pipeline's, in more detail: this scope only catches it.
    const { gpu } = this.context;
    gpu.pushErrorScope('validation');
    const module = gpu.createShaderModule({ label: kernel, code });
    void gpu.popErrorScope().catch(() => {});
    try {
      const pipeline = await this.context.survive(
        gpu.createComputePipelineAsync({
          label: kernel,
          layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main', constants: overrides },
        }),
      );
      const storage = [...bindings].filter(([, type]) => type !== 'uniform').sort(([a], [b]) => a - b);
      const writes = storage.map(([, type]) => type === 'storage');
      return { pipeline, layout, writes, hasParams: bindings.has(0) };
    } catch (error) {
      this.context.check();
      const { messages } = await this.context.survive(module.getCompilationInfo());
      const lines = messages.map((m) => `  ${kernel}.wgsl:${m.lineNum}:${m.linePos} ${m.type}: ${m.message}`);
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error([`kernel ${kernel} does not compile: ${reason}`, ...lines].join('\n'));
    }
  }

  private layout(kernel: string, bindings: Map<number, BindingType>): GPUBindGroupLayout {
    const storage = [...bindings.values()].filter((type) => type !== 'uniform').length;
    const { gpu } = this.context;
    const most = gpu.limits.maxStorageBuffersPerShaderStage;
    if (storage > most)
      throw new Error(`kernel ${kernel} binds ${storage} storage buffers, this GPU offers ${most}`);
    for (let i = 1; i <= storage; i++)
      if (!bindings.has(i))
        throw new Error(`kernel ${kernel} binds ${storage} storage buffers but not @binding(${i})`);
    const signature = [...bindings]
      .map(([index, type]) => `${index}:${type}`)
      .sort()
      .join();
    let layout = this.layouts.get(signature);
    if (!layout) {
      const entries = [...bindings].map(([binding, type]) => ({
        binding,
        visibility: stageCompute,
        buffer: { type },
      }));
      layout = gpu.createBindGroupLayout({ label: signature, entries });
      this.layouts.set(signature, layout);
    }
    return layout;
  }
}
