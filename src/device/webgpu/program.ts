/** A compiled graph on WebGPU: a run uploads the inputs, replays a static list of dispatches, and reads back once. */
import { type Graph, type Shape, sizeOf } from '../../ops/graph.ts';
import type { Program, ProgramStats, RunInputs, RunOutputs } from '../device.ts';
import { bindSteps, type Recorded } from './bind.ts';
import type { GpuContext } from './context.ts';
import { mapModeRead } from './flags.ts';
import type { Lowering } from './lowering.ts';
import { planMemory } from './memory-plan.ts';
import { ProgramMemory } from './program-memory.ts';

/** What a program needs of a store. */
export interface VariableBuffers {
  has(name: string): boolean;
  buffer(name: string): GPUBuffer;
  shape(name: string): Shape;
  dtype(name: string): 'f32' | 'f16';
}

/** A submit's share of the work, milliseconds: far below the two seconds after which systems reset a GPU. */
const SUBMIT_MS = 150;

export class WebgpuProgram implements Program {
  private encodeMs = 0;
  private readonly steps: number;
  /** Dispatches of one submit; put right from the time that runs take. */
  private perSubmit = 64;
  private last: Promise<unknown> = Promise.resolve();
  private disposed = false;

  private constructor(
    private readonly context: GpuContext,
    private readonly graph: Graph,
    private readonly memory: ProgramMemory,
    private readonly bind: () => readonly Recorded[],
    private recorded: readonly Recorded[],
  ) {
    this.steps = count(recorded);
  }

  static async create(
    context: GpuContext,
    lowering: Lowering,
    graph: Graph,
    stores: readonly VariableBuffers[],
    poison = false,
  ): Promise<WebgpuProgram> {
    context.check();
    const plan = planMemory(graph, (call) => call.op.webgpu(lowering, call));
    const { result: memory, done } = context.guard(
      'allocating memory for a program',
      () => new ProgramMemory(context, plan, graph, stores, poison),
    );
    try {
      await done;
      const bind = await bindSteps(context, plan.steps, memory);
      const { result: recorded, done: isBound } = context.guard('binding a program', () => {
        memory.refresh();
        return bind();
      });
      await isBound;
      return new WebgpuProgram(context, graph, memory, bind, recorded);
    } catch (error) {
      memory.dispose();
      throw error;
    }
  }

  get stats(): ProgramStats {
    return { steps: this.steps, activationBytes: this.memory.activationBytes, encodeMs: this.encodeMs };
  }

  /** Runs queue up. Resolves when the GPU is done; rejects on WebGPU errors and when the device is lost. */
  run(inputs: RunInputs = {}): Promise<RunOutputs> {
    this.checkInputs(inputs);
    const run = this.last.then(() => this.execute(inputs));
    this.last = run.catch(() => {});
    return run;
  }

  /** Milliseconds that `repeats` runs in one submit take, without inputs and outputs. */
  async time(repeats: number): Promise<number> {
    const { context, memory } = this;
    const begin = performance.now();
    const { done } = context.guard('timing', () => {
      if (memory.refresh()) this.recorded = this.bind();
      this.submit(repeats);
    });
    await done;
    await context.survive(context.gpu.queue.onSubmittedWorkDone());
    const ms = performance.now() - begin;
    this.paceSubmits(ms / repeats);
    return ms;
  }

  private checkInputs(inputs: RunInputs): void {
    if (this.disposed) throw new Error('the program has been disposed of');
    for (const [name, { shape, dtype }] of this.graph.inputs) {
      const data = inputs[name];
      if (data?.length !== sizeOf(shape))
        throw new Error(
          `input ${name}: expected ${dtype}[${shape}], got ${data ? `${data.length} values` : 'nothing'}`,
        );
      if (dtype === 'i32' ? !(data instanceof Int32Array) : !(data instanceof Float32Array))
        throw new Error(`input ${name}: expected ${dtype}[${shape}], got a ${data.constructor.name}`);
    }
    for (const name of Object.keys(inputs))
      if (!this.graph.inputs.has(name)) throw new Error(`the graph has no input ${name}`);
  }

  private async execute(inputs: RunInputs): Promise<RunOutputs> {
    const { context, memory } = this;
    if (this.disposed) throw new Error('the program has been disposed of');
    const begin = performance.now();
    const { done } = context.guard('running a program', () => {
      if (memory.refresh()) this.recorded = this.bind();
      memory.upload(this.graph, inputs);
      const start = performance.now();
      this.submit(1);
      this.encodeMs = performance.now() - start;
    });
    const { staging } = memory;
    try {
      const finished = staging ? staging.mapAsync(mapModeRead) : context.gpu.queue.onSubmittedWorkDone();
      await Promise.all([done, context.survive(finished)]);
      this.paceSubmits(performance.now() - begin);
      return staging ? memory.download(staging.getMappedRange()) : {};
    } finally {
      // After a failure the mapping may be on its way still: the next run wants the buffer back.
      staging?.unmap();
    }
  }

  /** Puts right how many dispatches a submit has, from the time of a run. */
  private paceSubmits(ms: number): void {
    const msPerDispatch = ms / Math.max(this.steps, 1);
    this.perSubmit = Math.min(Math.max(Math.round(SUBMIT_MS / msPerDispatch), 16), 16_384);
  }

  /** Records and submits everything, in several submits when there is much. Nothing may be awaited: see workspace.ts. */
  private submit(repeats: number): void {
    const { gpu } = this.context;
    let encoder = gpu.createCommandEncoder();
    let pass = encoder.beginComputePass();
    let left = this.perSubmit;
    let current: GPUComputePipeline | undefined;
    const replay = (steps: readonly Recorded[]): void => {
      for (const step of steps) {
        if ('steps' in step) {
          for (let i = 0; i < step.times; i++) replay(step.steps);
          continue;
        }
        if (left-- === 0) {
          pass.end();
          gpu.queue.submit([encoder.finish()]);
          encoder = gpu.createCommandEncoder();
          pass = encoder.beginComputePass();
          left = this.perSubmit - 1;
          current = undefined;
        }
        if (step.pipeline !== current) {
          current = step.pipeline;
          pass.setPipeline(current);
        }
        pass.setBindGroup(0, step.group);
        pass.dispatchWorkgroups(step.x, step.y, step.z);
      }
    };
    for (let i = 0; i < repeats; i++) replay(this.recorded);
    pass.end();
    this.memory.stage(encoder);
    gpu.queue.submit([encoder.finish()]);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    void this.last.then(() => this.memory.dispose());
  }
}

function count(steps: readonly Recorded[]): number {
  return steps.reduce((sum, step) => sum + ('steps' in step ? step.times * count(step.steps) : 1), 0);
}
