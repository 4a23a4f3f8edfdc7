/** Rotary position embedding in the half-split layout of Llama: dimension i turns with i + headDim/2. */
import ropeWgsl from '../../shaders/rope.wgsl?raw';
import { check, f32, type Graph, type Op, type Tensor } from './graph.ts';

export interface RopeTables {
  /** [maxPositions, headDim/2] */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** cos and sin of position · theta^(−2i/headDim), computed in float64 and stored in float32. */
export function ropeTables(g: Graph, maxPositions: number, headDim: number, theta: number): RopeTables {
  const half = headDim / 2;
  const angle = (i: number) => Math.floor(i / half) * theta ** (-(i % half) / half);
  const table = (f: (x: number) => number) =>
    g.constant(
      Float32Array.from({ length: maxPositions * half }, (_, i) => f(angle(i))),
      [maxPositions, half],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** x [R, heads · headDim] turned by positions [R] i32: (a, b) → (a cos − b sin, b cos + a sin). */
export function rope(g: Graph, x: Tensor, positions: Tensor, tables: RopeTables): Tensor {
  return g.call(ropeOp, [x, positions, tables.cos, tables.sin], { direction: 1 })[0];
}

const ropeOp: Op<{ direction: 1 | -1 }> = {
  name: 'rope',
  outputs(inputs) {
    const [x, positions, cos] = inputs;
    check(positions.shape[0] === x.shape[0], 'rope', 'one position a row', inputs);
    check(x.shape[1] % (2 * cos.shape[1]) === 0, 'rope', 'columns must be whole heads', inputs);
    return [f32(...x.shape)];
  },
  reference([x, positions, cos, sin], [y], { inputs, attributes: { direction } }) {
    const [rows, columns] = inputs[0].shape;
    const half = inputs[2].shape[1];
    for (let r = 0; r < rows; r++)
      for (let start = 0; start < columns; start += 2 * half)
        for (let i = 0; i < half; i++) {
          const first = r * columns + start + i;
          const c = cos[positions[r] * half + i];
          const s = direction * sin[positions[r] * half + i];
          y[first] = x[first] * c - x[first + half] * s;
          y[first + half] = x[first + half] * c + x[first] * s;
        }
  },
  // A rotation's gradient is turned the other way.
  backward: (g, { inputs: [, positions, cos, sin], attributes: { direction } }, [dy]) => [
    dy && g.call(ropeOp, [dy, positions, cos, sin], { direction: direction === 1 ? -1 : 1 })[0],
  ],
  onnx(b, { inputs: [x, positions, cos, sin], attributes: { direction } }) {
    const [rows, columns] = x.shape;
    // onnxruntime's kernel reads table row r for sequence position r, so the tables are gathered a row each.
    const cosRows = b.node('Gather', [b.name(cos), b.name(positions)], { axis: 0 });
    const sinRows = b.node('Gather', [b.name(sin), b.name(positions)], { axis: 0 });
    const turn = direction === 1 ? sinRows : b.node('Neg', [sinRows]);
    const turned = b.node(
      'RotaryEmbedding',
      [b.reshape(b.name(x), [1, rows, columns]), b.ints([0]), cosRows, turn],
      { num_heads: columns / (2 * cos.shape[1]), interleaved: 0 },
      'com.microsoft',
    );
    return [b.reshape(turned, [rows, columns])];
  },
  webgpu(gpu, { inputs: [x, positions, cos, sin], outputs: [y], attributes: { direction } }) {
    const [rows, columns] = x.shape;
    return [
      gpu.dispatch({
        kernel: 'rope',
        code: ropeWgsl,
        bindings: [x, positions, cos, sin, y],
        params: [rows, columns, cos.shape[1], { f32: direction }],
        threads: (rows * columns) / 2,
      }),
    ];
  },
};
