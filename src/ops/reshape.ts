/** Views: the same numbers under another shape (reshape), and the same numbers without a gradient (detach). */
import { check, type Graph, type Op, type Shape, sizeOf, type Tensor } from './graph.ts';

export function reshape(g: Graph, x: Tensor, shape: Shape): Tensor {
  return String(x.shape) === String(shape) ? x : g.call(reshapeOp, [x], { shape })[0];
}

/** Stops the gradient: the loss treats x as a number from outside. */
export function detach(g: Graph, x: Tensor): Tensor {
  return g.call(detachOp, [x], {})[0];
}

const reshapeOp: Op<{ shape: Shape }> = {
  name: 'reshape',
  alias: true,
  halfInputs: [0],
  outputs([x], { shape }) {
    check(sizeOf(x.shape) === sizeOf(shape), 'reshape', `cannot become [${shape}]`, [x]);
    return [{ shape, dtype: x.dtype }];
  },
  reference([x], [y]) {
    y.set(x);
  },
  backward: (g, { inputs: [x] }, [dy]) => [dy && reshape(g, dy, x.shape)],
  onnx: (b, { inputs: [x], attributes: { shape } }) => [b.reshape(b.name(x), shape)],
  webgpu: () => [],
};

const detachOp: Op = {
  name: 'detach',
  alias: true,
  outputs: ([x]) => [x],
  reference([x], [y]) {
    y.set(x);
  },
  onnx: (b, { inputs: [x] }) => [b.name(x)],
  webgpu: () => [],
};
