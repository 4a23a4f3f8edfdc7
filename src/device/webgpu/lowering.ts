/** What ops see of the WebGPU device while they lower themselves to dispatches. */
import { UserError } from '../../errors.ts';
import type { Dispatch, GemmSpec, GpuLowering, Scratch } from './dispatch.ts';
import { type GemmChoice, lowerGemm } from './gemm.ts';

export class Lowering implements GpuLowering {
  constructor(
    readonly limits: GpuLowering['limits'],
    private readonly choice: GemmChoice,
  ) {}

  scratch(bytes: number): Scratch {
    return { scratch: true, bytes };
  }

  dispatch(
    d: Omit<Dispatch, 'workgroups'> & ({ threads: number } | { workgroups: readonly number[] }),
  ): Dispatch {
    const { kernel, code, overrides, bindings, params } = d;
    const [x, y = 1, z = 1] = 'threads' in d ? this.fold(Math.ceil(d.threads / 64)) : d.workgroups;
    const most = this.limits.maxWorkgroupsPerDimension;
    if (Math.max(x, y, z) > most)
      throw new UserError(
        `A pass is too large for this GPU: kernel ${kernel} takes [${x}, ${y}, ${z}] workgroups, and ${most} in a dimension ` +
          'are its limit. Lower per_device_train_batch_size or num_generations.',
      );
    return { kernel, code, overrides, bindings, params, workgroups: [x, y, z] };
  }

  fold(workgroups: number): [number, number, number] {
    const y = Math.ceil(workgroups / this.limits.maxWorkgroupsPerDimension);
    return y <= 1 ? [workgroups, 1, 1] : [Math.ceil(workgroups / y), y, 1];
  }

  gemm(spec: GemmSpec): Dispatch[] {
    return lowerGemm(this, spec, this.choice);
  }
}
