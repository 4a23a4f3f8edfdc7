/** Ops of one kernel over elements, for tests of the device itself. */
import type { Op } from '../../src/ops/graph.ts';

/** WGSL that runs `statement` for each element id.x of x, and of y unless x itself is writable. */
export const elementKernel = (statement: string, writable = false) => /* wgsl */ `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, ${writable ? 'read_write' : 'read'}> x: array<f32>;
${writable ? '' : '@group(0) @binding(2) var<storage, read_write> y: array<f32>;'}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < p.count) { ${statement} }
}`;

/** x + 1 by the reference; on WebGPU what `code` does. */
export function elementOp(name: string, code: string, inPlace?: readonly number[]): Op {
  return {
    name,
    inPlace,
    outputs: ([x]) => [{ shape: x.shape, dtype: x.dtype }],
    reference([x], [y]) {
      for (let i = 0; i < y.length; i++) y[i] = x[i] + 1;
    },
    onnx: () => [],
    webgpu(gpu, { inputs: [x], outputs: [y] }) {
      const count = x.shape[0] * x.shape[1];
      return [
        gpu.dispatch({
          kernel: name,
          code,
          bindings: inPlace ? [x] : [x, y],
          params: [count],
          threads: count,
        }),
      ];
    },
  };
}
