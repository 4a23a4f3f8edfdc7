/** What a graph will take on WebGPU, from its memory plan: no device is needed, and nothing is allocated on one. */
import { type Graph, sizeOf, type Tensor } from '../../ops/graph.ts';
import type { DeviceLimits } from '../device.ts';
import { parameterBytes } from './bind.ts';
import { roundUp } from './flags.ts';
import { Lowering } from './lowering.ts';
import { planMemory } from './memory-plan.ts';
import { packConstants } from './program-memory.ts';
import type { SlotSizes } from './workspace.ts';

export interface NamedBytes {
  readonly name: string;
  readonly bytes: number;
}

export interface ProgramSize {
  /** Bytes of the slots that intermediate values share, in descending order: see pooledBytes. */
  readonly slots: SlotSizes;
  /** Their sum, and what of it are slots of scratch (logits, pieces of products), not of values. */
  readonly activations: number;
  readonly scratch: number;
  /** Bytes of host inputs, constants and kernel parameters. */
  readonly fixed: number;
  /** The largest buffer among them. */
  readonly largest: NamedBytes;
}

/** Throws what an op throws that cannot be cut to the device's limits. */
export function programSize(
  graph: Graph,
  { lowering, gemm }: NonNullable<DeviceLimits['webgpu']>,
): ProgramSize {
  const gpu = new Lowering(lowering, gemm);
  const plan = planMemory(graph, (call) => call.op.webgpu(gpu, call));
  const bytesOf = (t: Tensor) => Math.max(sizeOf(t.shape) * 4, 4);
  const { large, end } = packConstants(plan.constants);
  const slots = plan.slots.map(({ bytes, largest }) => ({ name: largest.name, bytes }));
  const fixed: NamedBytes[] = [
    ...[...graph.inputs.values()].map((t) => ({ name: `input ${t.name}`, bytes: bytesOf(t) })),
    ...large.map(([t]) => ({ name: `constant ${t.name}`, bytes: bytesOf(t) })),
    { name: 'constants', bytes: roundUp(end, 4) },
    {
      name: 'parameters',
      bytes: parameterBytes(plan.steps, {
        maxComputeWorkgroupsPerDimension: lowering.maxWorkgroupsPerDimension,
      }),
    },
  ];
  const total = (parts: readonly NamedBytes[]) => parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = [...slots, ...fixed].reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return {
    slots: slots.map(({ bytes }) => bytes),
    activations: total(slots),
    scratch: total(slots.filter(({ name }) => name.startsWith('scratch of '))),
    fixed: total(fixed),
    largest,
  };
}
