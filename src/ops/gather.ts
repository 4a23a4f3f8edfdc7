/** Rows by index: embeddings, the rows that the head reads, permutations; and image rows put among text rows. */
import clearWgsl from '../../shaders/clear.wgsl?raw';
import gatherWgsl from '../../shaders/gather_rows.wgsl?raw';
import placeWgsl from '../../shaders/place_rows.wgsl?raw';
import scatterWgsl from '../../shaders/scatter_add_rows.wgsl?raw';
import scatterLinksWgsl from '../../shaders/scatter_links.wgsl?raw';
import { halfOperand } from '../device/webgpu/half-operand.ts';
import { mul } from './elementwise.ts';
import { check, f32, type Graph, type Op, type Tensor } from './graph.ts';
import { reshape } from './reshape.ts';

/** y [R, d] = table [V, d] at rows index [R] i32. */
export function gather(g: Graph, table: Tensor, index: Tensor): Tensor {
  return g.call(gatherOp, [table, index], {})[0];
}

/** y [V, d]: y[index[r]] += x[r] for x [R, d], zeros elsewhere. */
export function scatterAdd(g: Graph, x: Tensor, index: Tensor, rows: number): Tensor {
  return g.call(scatterAddOp, [x, index], { rows })[0];
}

/**
 * Image tokens put among text tokens: y [R, d] = images[place[r]] where place[r] >= 0, else x[r].
 * `place` [R] i32; `origin` [I] i32 is its inverse: the row r where image row i went (each goes to one row).
 */
export function placeRows(g: Graph, x: Tensor, images: Tensor, place: Tensor, origin: Tensor): Tensor {
  return g.call(placeRowsOp, [x, images, place, origin], {})[0];
}

const gatherOp: Op = {
  name: 'gather',
  halfInputs: [0],
  outputs([table, index]) {
    check(table.shape.length === 2, 'gather', 'the table must have rank 2', [table, index]);
    check(index.dtype === 'i32' && index.shape.length === 1, 'gather', 'the index must be i32[R]', [
      table,
      index,
    ]);
    return [{ shape: [index.shape[0], table.shape[1]], dtype: table.dtype === 'i32' ? 'i32' : 'f32' }];
  },
  reference([table, index], [y], { inputs: [{ shape }] }) {
    const d = shape[1];
    for (let r = 0; r < index.length; r++) for (let c = 0; c < d; c++) y[r * d + c] = table[index[r] * d + c];
  },
  backward: (g, { inputs: [table, index] }, [dy]) => [dy && scatterAdd(g, dy, index, table.shape[0])],
  onnx: (b, { inputs: [table, index] }) => [b.node('Gather', [b.name(table), b.name(index)], { axis: 0 })],
  webgpu(gpu, { inputs: [table, index], outputs: [y] }) {
    const [rows, d] = y.shape;
    return [
      gpu.dispatch({
        ...halfOperand(gpu, { kernel: 'gather_rows', code: gatherWgsl }, 'table', table),
        bindings: [table, index, y],
        params: [rows, d],
        threads: rows * d,
      }),
    ];
  },
};

const scatterAddOp: Op<{ rows: number }> = {
  name: 'scatterAdd',
  outputs([x, index], { rows }) {
    check(x.shape.length === 2 && x.shape[0] === index.shape[0], 'scatterAdd', 'one index a row', [x, index]);
    return [f32(rows, x.shape[1])];
  },
  reference([x, index], [y], { inputs: [{ shape }] }) {
    const d = shape[1];
    for (let r = 0; r < index.length; r++) for (let c = 0; c < d; c++) y[index[r] * d + c] += x[r * d + c];
  },
  backward: (g, { inputs: [, index] }, [dy]) => [dy && gather(g, dy, index)],
  onnx(b, { inputs: [x, index], attributes: { rows } }) {
    const [count, d] = x.shape;
    const zeros = b.node('Expand', [b.scalar(0), b.ints([rows, d])]);
    const where = b.reshape(b.cast(b.name(index), 'i64'), [count, 1]);
    // Not ScatterND: onnxruntime adds its rows in several threads without a lock, and loses some where an index comes
    // twice (onnxruntime issues 18048 and 23396). ScatterElements goes through them in one.
    const everywhere = b.node('Expand', [where, b.ints([count, d])]);
    return [b.node('ScatterElements', [zeros, everywhere, b.name(x)], { axis: 0, reduction: 'add' })];
  },
  webgpu(gpu, { inputs: [x, index], outputs: [y], attributes: { rows } }) {
    const [count, d] = x.shape;
    const links = gpu.scratch(count * 2 * 4);
    return [
      gpu.dispatch({
        kernel: 'scatter_links',
        code: scatterLinksWgsl,
        bindings: [index, links],
        params: [count],
        threads: count,
      }),
      gpu.dispatch({
        kernel: 'clear',
        code: clearWgsl,
        bindings: [y],
        params: [rows * d],
        threads: rows * d,
      }),
      gpu.dispatch({
        kernel: 'scatter_add_rows',
        code: scatterWgsl,
        bindings: [x, index, links, y],
        params: [count, d, rows],
        threads: count * d,
      }),
    ];
  },
};

const placeRowsOp: Op = {
  name: 'placeRows',
  outputs(inputs) {
    const [x, images, place, origin] = inputs;
    check(
      x.shape[1] === images.shape[1] && place.shape[0] === x.shape[0] && origin.shape[0] === images.shape[0],
      'placeRows',
      'takes x [R, d], images [I, d], place [R], origin [I]',
      inputs,
    );
    return [f32(...x.shape)];
  },
  reference([x, images, place], [y], { inputs: [{ shape }] }) {
    const d = shape[1];
    for (let r = 0; r < place.length; r++)
      for (let c = 0; c < d; c++) y[r * d + c] = place[r] >= 0 ? images[place[r] * d + c] : x[r * d + c];
  },
  backward(g, { inputs: [x, , place, origin] }, [dy], needs) {
    if (!dy) return [];
    return [
      needs[0] ? mul(g, dy, isText(g, place, x.shape[0])) : undefined,
      needs[1] ? gather(g, dy, origin) : undefined,
    ];
  },
  onnx(b, { inputs: [x, images, place] }) {
    const rows = b.node('Gather', [b.name(images), b.node('Max', [b.name(place), zero(b)])], { axis: 0 });
    const text = b.reshape(b.node('Less', [b.name(place), zero(b)]), [x.shape[0], 1]);
    return [b.node('Where', [text, b.name(x), rows])];
  },
  webgpu(gpu, { inputs: [x, images, place], outputs: [y] }) {
    const [rows, d] = y.shape;
    return [
      gpu.dispatch({
        kernel: 'place_rows',
        code: placeWgsl,
        bindings: [x, images, place, y],
        params: [rows, d],
        threads: rows * d,
      }),
    ];
  },
};

const zero = (b: Parameters<Op['onnx']>[0]) => b.constant(Int32Array.of(0), []);

/** 1 where place < 0 (a text row), else 0, as f32 [R, 1]. */
function isText(g: Graph, place: Tensor, rows: number): Tensor {
  return reshape(g, g.call(isTextOp, [place], {})[0], [rows, 1]);
}

const isTextOp: Op = {
  name: 'isText',
  outputs: ([place]) => [f32(...place.shape)],
  reference([place], [y]) {
    for (let r = 0; r < place.length; r++) y[r] = place[r] < 0 ? 1 : 0;
  },
  onnx: (b, { inputs: [place] }) => [b.cast(b.node('Less', [b.name(place), zero(b)]), 'f32')],
  webgpu(gpu, { inputs: [place], outputs: [y] }) {
    return [
      gpu.dispatch({
        kernel: 'is_text',
        code: isTextWgsl,
        bindings: [place, y],
        params: [y.shape[0]],
        threads: y.shape[0],
      }),
    ];
  },
};

const isTextWgsl = /* wgsl */ `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> place: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < p.count) { y[i] = select(0.0, 1.0, place[i] < 0); }
}`;
