/** Copying and accumulating as dispatches: a copy command would end the compute pass. */
import type { Dispatch } from './dispatch.ts';

const code = (type: string, statement: string) => /* wgsl */ `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<${type}>;
@group(0) @binding(2) var<storage, read_write> y: array<${type}>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < p.count) { ${statement} }
}`;

// Integers for copies: a float that is NaN may lose its bits.
const codes = { copy: code('u32', 'y[i] = x[i];'), add: code('f32', 'y[i] += x[i];') };

/** y = x or y += x over `count` 32-bit elements; bindings: x, y. */
export function moves(
  kind: 'copy' | 'add',
  count: number,
  { maxComputeWorkgroupsPerDimension }: Pick<GPUSupportedLimits, 'maxComputeWorkgroupsPerDimension'>,
): Omit<Dispatch, 'bindings'> {
  const groups = Math.ceil(count / 64);
  const y = Math.max(Math.ceil(groups / maxComputeWorkgroupsPerDimension), 1);
  return {
    kernel: `move_${kind}`,
    code: codes[kind],
    params: [count],
    workgroups: [Math.ceil(groups / y), y, 1],
  };
}
