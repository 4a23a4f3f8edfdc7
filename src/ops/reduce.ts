/** Sums, maxima and minima over the axes of rank-2 tensors, and quantiles (without gradient). */

import quantileWgsl from '../../shaders/quantile.wgsl?raw';
import reduceWgsl from '../../shaders/reduce.wgsl?raw';
import { mul } from './elementwise.ts';
import { check, f32, type Graph, type Op, type Shape, type Tensor } from './graph.ts';
import { reshape } from './reshape.ts';

/** 0: over rows, [R, C] → [1, C]. 1: over columns, → [R, 1]. 'all': → [1, 1]. */
export type Axis = 0 | 1 | 'all';
type Reduction = 'sum' | 'max' | 'min';

export const sum = (g: Graph, x: Tensor, axis: Axis = 'all') => reduce(g, x, axis, 'sum');
/** Without gradient: for metrics. */
export const reduceMax = (g: Graph, x: Tensor, axis: Axis = 'all') => reduce(g, x, axis, 'max');
export const reduceMin = (g: Graph, x: Tensor, axis: Axis = 'all') => reduce(g, x, axis, 'min');

/** Sums x over the axes along which `shape` was broadcast. */
export function sumTo(g: Graph, x: Tensor, shape: Shape): Tensor {
  let y = x;
  if (shape[0] === 1 && y.shape[0] !== 1) y = shape[1] === 1 ? sum(g, y, 'all') : sum(g, y, 0);
  if (shape[1] === 1 && y.shape[1] !== 1) y = sum(g, y, 1);
  return y;
}

function reduce(g: Graph, x: Tensor, axis: Axis, reduction: Reduction): Tensor {
  const [rows, columns] = x.shape;
  if (axis === 'all') return reduce(g, reshape(g, x, [1, rows * columns]), 1, reduction);
  return g.call(reduceOp, [x], { axis, reduction })[0];
}

const starts = { sum: 0, max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY };
const steps = {
  sum: (a: number, b: number) => a + b,
  max: (a: number, b: number) => Math.max(a, b),
  min: (a: number, b: number) => Math.min(a, b),
};

const reduceOp: Op<{ axis: 0 | 1; reduction: Reduction }> = {
  name: 'reduce',
  outputs([x], { axis }) {
    check(x.shape.length === 2 && x.dtype === 'f32', 'reduce', 'takes an f32 tensor of rank 2', [x]);
    return [axis === 0 ? f32(1, x.shape[1]) : f32(x.shape[0], 1)];
  },
  reference([x], [y], { inputs, attributes: { axis, reduction } }) {
    const [rows, columns] = inputs[0].shape;
    y.fill(starts[reduction]);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const i = axis === 0 ? c : r;
        y[i] = steps[reduction](y[i], x[r * columns + c]);
      }
  },
  backward(g, { inputs: [x], attributes: { reduction } }, [dy]) {
    if (!dy || reduction !== 'sum') return [];
    const [rows, columns] = x.shape;
    return [mul(g, g.constant(new Float32Array(rows * columns).fill(1), x.shape), dy)];
  },
  onnx(b, { inputs: [x], attributes: { axis, reduction } }) {
    const type = { sum: 'ReduceSum', max: 'ReduceMax', min: 'ReduceMin' }[reduction];
    return [b.node(type, [b.name(x), b.ints([axis])], { keepdims: 1 })];
  },
  // One workgroup a result, or (many results over few rows) one thread a result: see reduce.wgsl.
  webgpu(gpu, { inputs: [x], outputs: [y], attributes: { axis, reduction } }) {
    const [rows, columns] = x.shape;
    const [results, length] = axis === 0 ? [columns, rows] : [rows, columns];
    const [resultStride, stride] = axis === 0 ? [1, columns] : [columns, 1];
    const start = { sum: 0, max: -3.4e38, min: 3.4e38 }[reduction];
    const step = { sum: 'a + b', max: 'max(a, b)', min: 'min(a, b)' }[reduction];
    return [
      gpu.dispatch({
        kernel: `reduce_${reduction}`,
        code: reduceWgsl.replaceAll('/*STEP*/', step),
        bindings: [x, y],
        params: [results, length, resultStride, stride, { f32: start }],
        workgroups: gpu.fold(results),
      }),
    ];
  },
};

/**
 * The q-quantile of the entries of x [R, C] where mask [R, C] is 1, linearly interpolated as torch.quantile and
 * torch.nanquantile do: of each row ([R, 1]) or of all entries ([1, 1]). No gradient; 0 where nothing is kept.
 */
export function quantile(g: Graph, x: Tensor, mask: Tensor, q: number, perRow: boolean): Tensor {
  const [rows, columns] = x.shape;
  if (!perRow && rows !== 1)
    return quantile(g, reshape(g, x, [1, rows * columns]), reshape(g, mask, [1, rows * columns]), q, true);
  return g.call(quantileOp, [x, mask], { q })[0];
}

const quantileOp: Op<{ q: number }> = {
  name: 'quantile',
  outputs([x, mask]) {
    check(String(x.shape) === String(mask.shape), 'quantile', 'the mask must have the shape of x', [x, mask]);
    return [f32(x.shape[0], 1)];
  },
  reference([x, mask], [y], { inputs, attributes: { q } }) {
    const [rows, columns] = inputs[0].shape;
    for (let r = 0; r < rows; r++) {
      const kept: number[] = [];
      for (let c = 0; c < columns; c++) if (mask[r * columns + c] !== 0) kept.push(x[r * columns + c]);
      kept.sort((a, b) => a - b);
      if (kept.length === 0) continue;
      const position = q * (kept.length - 1);
      const low = Math.floor(position);
      const high = Math.min(low + 1, kept.length - 1);
      y[r] = kept[low] + (kept[high] - kept[low]) * (position - low);
    }
  },
  // Ascending order with masked entries last; gather the two neighbours of the fractional position.
  onnx(b, { inputs: [x, mask], attributes: { q } }) {
    const columns = x.shape[1];
    const keep = b.cast(b.name(mask), 'bool');
    const filled = b.node('Where', [keep, b.name(x), b.scalar(3.4e38)]);
    const [sorted] = b.nodes('TopK', [filled, b.ints([columns])], 2, { axis: 1, largest: 0, sorted: 1 });
    const count = b.node('ReduceSum', [b.cast(keep, 'f32'), b.ints([1])], { keepdims: 1 });
    const last = b.node('Max', [b.node('Sub', [count, b.scalar(1)]), b.scalar(0)]);
    const position = b.node('Mul', [last, b.scalar(q)]);
    const low = b.node('Floor', [position]);
    const high = b.node('Min', [b.node('Add', [low, b.scalar(1)]), last]);
    const at = (index: string) => b.node('GatherElements', [sorted, b.cast(index, 'i32')], { axis: 1 });
    const [a, c] = [at(low), at(high)];
    const rise = b.node('Mul', [b.node('Sub', [c, a]), b.node('Sub', [position, low])]);
    const value = b.node('Add', [a, rise]);
    const empty = b.node('Less', [count, b.scalar(0.5)]);
    return [b.node('Where', [empty, b.scalar(0), value])];
  },
  webgpu(gpu, { inputs: [x, mask], outputs: [y], attributes: { q } }) {
    const [rows, columns] = x.shape;
    return [
      gpu.dispatch({
        kernel: 'quantile',
        code: quantileWgsl,
        bindings: [x, mask, y],
        params: [rows, columns, { f32: q }],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};
