/**
 * Elementwise arithmetic with broadcasting over rank-2 tensors: residual sums, and the whole PAPO objective.
 * Each side of [R, C] may have 1 in place of R or C.
 */

import elementwiseWgsl from '../../shaders/elementwise.wgsl?raw';
import type { GpuLowering } from '../device/webgpu/dispatch.ts';
import { check, type Graph, type Op, type Shape, sizeOf, type Tensor } from './graph.ts';
import { sumTo } from './reduce.ts';

interface Kind {
  readonly arity: 1 | 2 | 3;
  readonly f: (a: number, b: number, c: number) => number;
  /** WGSL expression over a, b, c. */
  readonly wgsl: string;
  /** ONNX nodes over the input names. Comparisons give 0 or 1 as floats. */
  readonly onnx: string | ((b: Parameters<Op['onnx']>[0], inputs: string[]) => string);
  /**
   * The gradient of each input (before summing over broadcast axes). One function an input, so that nothing is
   * computed for inputs that need none: devices run every call of a graph.
   */
  readonly backward?: readonly (InputGradient | undefined)[];
}

type InputGradient = (g: Graph, dy: Tensor, inputs: readonly Tensor[], y: Tensor) => Tensor;
const same: InputGradient = (_g, dy) => dy;
const negated: InputGradient = (g, dy) => neg(g, dy);

const compare = (type: string) => (b: Parameters<Op['onnx']>[0], inputs: string[]) =>
  b.cast(b.node(type, inputs), 'f32');

export type ElementwiseKind =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'minimum'
  | 'maximum'
  | 'neg'
  | 'exp'
  | 'log'
  | 'less'
  | 'lessEqual'
  | 'where';

const kinds: Record<ElementwiseKind, Kind> = {
  add: { arity: 2, f: (a, b) => a + b, wgsl: 'a + b', onnx: 'Add', backward: [same, same] },
  sub: { arity: 2, f: (a, b) => a - b, wgsl: 'a - b', onnx: 'Sub', backward: [same, negated] },
  mul: {
    arity: 2,
    f: (a, b) => a * b,
    wgsl: 'a * b',
    onnx: 'Mul',
    backward: [(g, dy, [, b]) => mul(g, dy, b), (g, dy, [a]) => mul(g, dy, a)],
  },
  div: {
    arity: 2,
    f: (a, b) => a / b,
    wgsl: 'a / b',
    onnx: 'Div',
    backward: [(g, dy, [, b]) => div(g, dy, b), (g, dy, [, b], y) => neg(g, div(g, mul(g, dy, y), b))],
  },
  // The gradient of a tie goes to the first argument.
  minimum: {
    arity: 2,
    f: (a, b) => Math.min(a, b),
    wgsl: 'min(a, b)',
    onnx: 'Min',
    backward: [
      (g, dy, [a, b]) => mul(g, dy, lessEqual(g, a, b)),
      (g, dy, [a, b]) => mul(g, dy, less(g, b, a)),
    ],
  },
  maximum: {
    arity: 2,
    f: (a, b) => Math.max(a, b),
    wgsl: 'max(a, b)',
    onnx: 'Max',
    backward: [
      (g, dy, [a, b]) => mul(g, dy, lessEqual(g, b, a)),
      (g, dy, [a, b]) => mul(g, dy, less(g, a, b)),
    ],
  },
  neg: { arity: 1, f: (a) => -a, wgsl: '-a', onnx: 'Neg', backward: [negated] },
  exp: { arity: 1, f: Math.exp, wgsl: 'exp(a)', onnx: 'Exp', backward: [(g, dy, _in, y) => mul(g, dy, y)] },
  log: { arity: 1, f: Math.log, wgsl: 'log(a)', onnx: 'Log', backward: [(g, dy, [a]) => div(g, dy, a)] },
  less: { arity: 2, f: (a, b) => +(a < b), wgsl: 'select(0.0, 1.0, a < b)', onnx: compare('Less') },
  lessEqual: {
    arity: 2,
    f: (a, b) => +(a <= b),
    wgsl: 'select(0.0, 1.0, a <= b)',
    onnx: compare('LessOrEqual'),
  },
  // condition (0 or 1), value where 1, value where 0. Unlike a product with the mask it does not spread inf and nan.
  where: {
    arity: 3,
    f: (a, b, c) => (a !== 0 ? b : c),
    wgsl: 'select(c, b, a != 0.0)',
    onnx: (b, [cond, yes, no]) => b.node('Where', [b.cast(cond, 'bool'), yes, no]),
    backward: [
      undefined,
      (g, dy, [cond]) => where(g, cond, dy, g.scalar(0)),
      (g, dy, [cond]) => where(g, cond, g.scalar(0), dy),
    ],
  },
};

const binary = (kind: ElementwiseKind) => (g: Graph, a: Tensor, b: Tensor) =>
  g.call(elementwiseOp, [a, b], { kind })[0];
const unary = (kind: ElementwiseKind) => (g: Graph, a: Tensor) => g.call(elementwiseOp, [a], { kind })[0];

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const minimum = binary('minimum');
export const maximum = binary('maximum');
/** a < b as 0 or 1, without gradient. */
export const less = binary('less');
export const lessEqual = binary('lessEqual');
export const neg = unary('neg');
export const exp = unary('exp');
export const log = unary('log');
export const where = (g: Graph, condition: Tensor, yes: Tensor, no: Tensor) =>
  g.call(elementwiseOp, [condition, yes, no], { kind: 'where' })[0];
/** min(max(x, low), high); the gradient is 1 inside and at the bounds, 0 outside, as torch.clamp's. */
export const clamp = (g: Graph, x: Tensor, low: number, high: number) =>
  minimum(g, maximum(g, x, g.scalar(low)), g.scalar(high));
export const scale = (g: Graph, x: Tensor, factor: number) => mul(g, x, g.scalar(factor));

function broadcast(shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => Math.max(...shapes.map((s) => s[axis] ?? 1)));
}

/** Row and column strides of a [r, c] tensor read at the indices of a larger one: 0 along a broadcast axis. */
function strides([rows, columns]: Shape): [number, number] {
  return [rows === 1 ? 0 : columns, columns === 1 ? 0 : 1];
}

const elementwiseOp: Op<{ kind: ElementwiseKind }> = {
  name: 'elementwise',
  outputs(inputs, { kind }) {
    check(inputs.length === kinds[kind].arity, kind, `takes ${kinds[kind].arity} inputs`, inputs);
    check(
      inputs.every((t) => t.dtype === 'f32' && t.shape.length === 2),
      kind,
      'takes f32 tensors of rank 2',
      inputs,
    );
    const shape = broadcast(inputs.map((t) => t.shape));
    const fits = inputs.every((t) => t.shape.every((n, axis) => n === shape[axis] || n === 1));
    check(fits, kind, 'shapes do not broadcast', inputs);
    return [{ shape, dtype: 'f32' }];
  },
  reference(inputs, [y], call) {
    const f: Kind['f'] = kinds[call.attributes.kind].f;
    const [rows, columns] = call.outputs[0].shape;
    const s = call.inputs.map((t) => strides(t.shape));
    const at = (k: number, r: number, c: number) => (inputs[k] ? inputs[k][r * s[k][0] + c * s[k][1]] : 0);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) y[r * columns + c] = f(at(0, r, c), at(1, r, c), at(2, r, c));
  },
  backward(g, call, [dy], needs) {
    const kind: Kind = kinds[call.attributes.kind];
    if (!dy || !kind.backward) return [];
    return call.inputs.map(({ shape }, i) => {
      const gradient = needs[i] ? kind.backward?.[i] : undefined;
      return gradient && sumTo(g, gradient(g, dy, call.inputs, call.outputs[0]), shape);
    });
  },
  onnx(b, { inputs, attributes }) {
    const kind: Kind = kinds[attributes.kind];
    const names = inputs.map((t) => b.name(t));
    return [typeof kind.onnx === 'string' ? b.node(kind.onnx, names) : kind.onnx(b, names)];
  },
  webgpu(gpu: GpuLowering, { inputs, outputs: [y], attributes }) {
    const [, columns] = y.shape;
    const s = [...inputs.map((t) => strides(t.shape)), [0, 0], [0, 0]].slice(0, 3).flat();
    // Missing operands are bound to the first input: WGSL wants every binding filled.
    const operands = [inputs[0], inputs[1] ?? inputs[0], inputs[2] ?? inputs[0]];
    return [
      gpu.dispatch({
        kernel: `elementwise_${attributes.kind}`,
        code: elementwiseWgsl.replace('/*EXPRESSION*/', kinds[attributes.kind].wgsl),
        bindings: [...operands, y],
        params: [sizeOf(y.shape), columns, ...s],
        threads: sizeOf(y.shape),
      }),
    ];
  },
};

/** For tests: all kinds with their arity. */
export const elementwiseKinds = Object.entries(kinds).map(([name, { arity }]) => ({
  name: name as ElementwiseKind,
  arity,
}));
export const applyElementwise = (g: Graph, kind: ElementwiseKind, inputs: Tensor[]) =>
  g.call(elementwiseOp, inputs, { kind })[0];
