/** Turns the steps of a memory plan into pipelines and bind groups: what a run only has to replay. */
import type { GpuContext } from './context.ts';
import type { Dispatch } from './dispatch.ts';
import { roundUp } from './flags.ts';
import type { Place, PlanStep } from './memory-plan.ts';
import { moves } from './moves.ts';
import type { Pipeline } from './pipelines.ts';
import type { ProgramMemory, Range } from './program-memory.ts';

export interface RecordedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export type Recorded = RecordedDispatch | { readonly times: number; readonly steps: readonly Recorded[] };

const UNIFORM_ALIGNMENT = 256;

type Bound =
  | { dispatch: Omit<Dispatch, 'bindings'>; places: readonly Place[] }
  | { times: number; steps: Bound[] };

/**
 * Compiles what the steps need. Returns the function that binds them to the memory as it is, to be called inside a guard:
 * once, and again when buffers of the memory have changed.
 */
export async function bindSteps(
  context: GpuContext,
  steps: readonly PlanStep[],
  memory: ProgramMemory,
): Promise<() => Recorded[]> {
  const { gpu, pipelines } = context;
  const params = new ParameterBlock();
  const wanted = new Map<string, Promise<Pipeline>>();
  const key = ({ kernel, overrides }: Pick<Dispatch, 'kernel' | 'overrides'>) =>
    `${kernel} ${JSON.stringify(overrides ?? {})}`;

  const prepare = (steps: readonly PlanStep[]): Bound[] =>
    steps.map((step) => {
      if (step.kind === 'loop') return { times: step.times, steps: prepare(step.steps) };
      const dispatch =
        step.kind === 'dispatch' ? step.dispatch : moves(step.kind, step.bytes / 4, gpu.limits);
      const places = step.kind === 'dispatch' ? step.places : [step.from, step.to];
      wanted.set(key(dispatch), pipelines.get(dispatch));
      params.add(dispatch);
      return { dispatch, places };
    });
  const bound = prepare(steps);
  const compiled = new Map(
    await Promise.all([...wanted].map(async ([name, pipeline]) => [name, await pipeline] as const)),
  );

  const { result: uniforms, done } = context.guard('the parameters of a program', () =>
    memory.uniform(params.bytes()),
  );
  await done;
  return () => {
    const record = (steps: readonly Bound[]): Recorded[] =>
      steps.flatMap((step): Recorded[] => {
        if ('steps' in step) return [{ times: step.times, steps: record(step.steps) }];
        const { dispatch } = step;
        const ranges = step.places.map((place) => memory.range(place));
        const [x, y, z] = dispatch.workgroups;
        if (x * y * z === 0) return [];
        const { pipeline, layout, writes, hasParams } = compiled.get(key(dispatch))!;
        checkBindings(dispatch.kernel, writes, ranges);
        const entries = ranges.map((resource, i) => ({ binding: i + 1, resource }));
        if (hasParams)
          entries.unshift({ binding: 0, resource: { buffer: uniforms, ...params.range(dispatch) } });
        return [
          { pipeline, group: gpu.createBindGroup({ label: dispatch.kernel, layout, entries }), x, y, z },
        ];
      });
    return record(bound);
  };
}

/** WebGPU would refuse these too, but only with the names of buffers. */
function checkBindings(kernel: string, writes: readonly boolean[], ranges: readonly Range[]): void {
  if (writes.length !== ranges.length)
    throw new Error(
      `kernel ${kernel} declares ${writes.length} storage buffers and is given ${ranges.length}`,
    );
  ranges.forEach((range, i) => {
    if (writes[i] && ranges.some((other, j) => j !== i && other.buffer === range.buffer))
      throw new Error(`kernel ${kernel} writes @binding(${i + 1}), whose buffer is bound a second time`);
  });
}

/** Bytes that the parameters of a plan's dispatches take. */
export function parameterBytes(
  steps: readonly PlanStep[],
  limits: Pick<GPUSupportedLimits, 'maxComputeWorkgroupsPerDimension'>,
): number {
  const params = new ParameterBlock();
  const walk = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') walk(step.steps);
      else params.add(step.kind === 'dispatch' ? step.dispatch : moves(step.kind, step.bytes / 4, limits));
    }
  };
  walk(steps);
  return params.size;
}

/** The parameters of all dispatches, equal ones kept once, each at a multiple of 256 bytes. */
class ParameterBlock {
  private readonly offsets = new Map<string, { offset: number; size: number }>();
  private readonly words: { offset: number; data: Uint32Array<ArrayBuffer> }[] = [];
  private end = 0;

  add({ kernel, params }: Pick<Dispatch, 'kernel' | 'params'>): void {
    const name = JSON.stringify(params);
    if (this.offsets.has(name)) return;
    // Uniform structs are multiples of 16 bytes at most.
    const size = roundUp(Math.max(params.length * 4, 16), 16);
    const view = new DataView(new ArrayBuffer(size));
    params.forEach((value, i) => {
      if (typeof value === 'object') view.setFloat32(i * 4, value.f32, true);
      else if (Number.isInteger(value)) view.setUint32(i * 4, value >>> 0, true);
      else throw new Error(`kernel ${kernel}: parameter ${i} is ${value}; floats are written { f32: … }`);
    });
    this.offsets.set(name, { offset: this.end, size });
    this.words.push({ offset: this.end, data: new Uint32Array(view.buffer) });
    this.end += roundUp(size, UNIFORM_ALIGNMENT);
  }

  range({ params }: Pick<Dispatch, 'params'>): { offset: number; size: number } {
    return this.offsets.get(JSON.stringify(params))!;
  }

  get size(): number {
    return Math.max(this.end, UNIFORM_ALIGNMENT);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.size);
    for (const { offset, data } of this.words) all.set(new Uint8Array(data.buffer), offset);
    return all;
  }
}
