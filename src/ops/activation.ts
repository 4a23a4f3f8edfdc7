/** GELU with the tanh approximation (vision MLP) and SwiGLU (decoder MLP). */
import geluWgsl from '../../shaders/gelu.wgsl?raw';
import swigluWgsl from '../../shaders/swiglu.wgsl?raw';
import { check, type Graph, type Op, sizeOf, type Tensor } from './graph.ts';

/** y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), any shape. */
export function gelu(g: Graph, x: Tensor): Tensor {
  return g.call(geluOp, [x], {})[0];
}

/** y = silu(gate) · up, silu(a) = a / (1 + e^−a). */
export function swiglu(g: Graph, gate: Tensor, up: Tensor): Tensor {
  return g.call(swigluOp, [gate, up], {})[0];
}

const root = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

const geluOp: Op = {
  name: 'gelu',
  outputs: ([{ shape, dtype }]) => [{ shape, dtype }],
  reference([x], [y]) {
    for (let i = 0; i < x.length; i++) y[i] = 0.5 * x[i] * (1 + Math.tanh(root * (x[i] + cubic * x[i] ** 3)));
  },
  backward: (g, { inputs: [x] }, [dy]) => [dy && g.call(geluBackwardOp, [dy, x], {})[0]],
  onnx: (b, { inputs: [x] }) => [b.node('Gelu', [b.name(x)], { approximate: 'tanh' })],
  webgpu(gpu, { inputs: [x], outputs: [y] }) {
    const count = sizeOf(x.shape);
    return [
      gpu.dispatch({
        kernel: 'gelu',
        code: part(geluWgsl, 'forward'),
        bindings: [x, y],
        params: [count],
        threads: count,
      }),
    ];
  },
};

const geluBackwardOp: Op = {
  name: 'geluBackward',
  outputs: ([dy]) => [dy],
  reference([dy, x], [dx]) {
    for (let i = 0; i < x.length; i++) {
      const t = Math.tanh(root * (x[i] + cubic * x[i] ** 3));
      const slope = root * (1 + 3 * cubic * x[i] ** 2);
      dx[i] = dy[i] * (0.5 * (1 + t) + 0.5 * x[i] * (1 - t * t) * slope);
    }
  },
  onnx(b, { inputs: [dyTensor, xTensor] }) {
    const [dy, x] = [b.name(dyTensor), b.name(xTensor)];
    const square = b.node('Mul', [x, x]);
    const inner = b.node('Mul', [
      x,
      b.node('Add', [b.node('Mul', [square, b.scalar(root * cubic)]), b.scalar(root)]),
    ]);
    const t = b.node('Tanh', [inner]);
    const slope = b.node('Add', [b.node('Mul', [square, b.scalar(3 * root * cubic)]), b.scalar(root)]);
    const curve = b.node('Sub', [b.scalar(1), b.node('Mul', [t, t])]);
    const bend = b.node('Mul', [b.node('Mul', [x, slope]), curve]);
    const twice = b.node('Add', [b.node('Add', [bend, t]), b.scalar(1)]);
    return [b.node('Mul', [b.node('Mul', [dy, twice]), b.scalar(0.5)])];
  },
  webgpu(gpu, { inputs: [dy, x], outputs: [dx] }) {
    const count = sizeOf(x.shape);
    return [
      gpu.dispatch({
        kernel: 'gelu_backward',
        code: part(geluWgsl, 'backward'),
        bindings: [dy, x, dx],
        params: [count],
        threads: count,
      }),
    ];
  },
};

const swigluOp: Op = {
  name: 'swiglu',
  outputs(inputs) {
    check(
      String(inputs[0].shape) === String(inputs[1].shape),
      'swiglu',
      'gate and up must have one shape',
      inputs,
    );
    return [{ shape: inputs[0].shape, dtype: 'f32' }];
  },
  reference([gate, up], [y]) {
    for (let i = 0; i < y.length; i++) y[i] = (gate[i] / (1 + Math.exp(-gate[i]))) * up[i];
  },
  backward: (g, { inputs: [gate, up] }, [dy]) => (dy ? g.call(swigluBackwardOp, [dy, gate, up], {}) : []),
  onnx(b, { inputs: [gate, up] }) {
    const sigmoid = b.node('Sigmoid', [b.name(gate)]);
    const silu = b.node('Mul', [b.name(gate), sigmoid]);
    return [b.node('Mul', [silu, b.name(up)])];
  },
  webgpu(gpu, { inputs: [gate, up], outputs: [y] }) {
    const count = sizeOf(y.shape);
    return [
      gpu.dispatch({
        kernel: 'swiglu',
        code: part(swigluWgsl, 'forward'),
        bindings: [gate, up, y],
        params: [count],
        threads: count,
      }),
    ];
  },
};

// With s = sigmoid(gate): d(up) = dy · gate · s;  d(gate) = dy · up · (s + gate · s · (1 − s)).
const swigluBackwardOp: Op = {
  name: 'swigluBackward',
  outputs: ([dy]) => [dy, dy],
  reference([dy, gate, up], [dgate, dup]) {
    for (let i = 0; i < dy.length; i++) {
      const s = 1 / (1 + Math.exp(-gate[i]));
      dgate[i] = dy[i] * up[i] * (s + gate[i] * s * (1 - s));
      dup[i] = dy[i] * gate[i] * s;
    }
  },
  onnx(b, { inputs: [dyTensor, gateTensor, upTensor] }) {
    const [dy, gate, up] = [dyTensor, gateTensor, upTensor].map((t) => b.name(t));
    const s = b.node('Sigmoid', [gate]);
    const silu = b.node('Mul', [gate, s]);
    const slope = b.node('Add', [s, b.node('Mul', [silu, b.node('Sub', [b.scalar(1), s])])]);
    return [b.node('Mul', [b.node('Mul', [dy, up]), slope]), b.node('Mul', [dy, silu])];
  },
  webgpu(gpu, { inputs: [dy, gate, up], outputs: [dgate, dup] }) {
    const count = sizeOf(dy.shape);
    return [
      gpu.dispatch({
        kernel: 'swiglu_backward',
        code: part(swigluWgsl, 'backward'),
        bindings: [dy, gate, up, dgate, dup],
        params: [count],
        threads: count,
      }),
    ];
  },
};

/** A shader file may hold a forward and a backward side by side, each after a line `// === name`. */
function part(source: string, name: string): string {
  const found = source.split(/^\/\/ === /m).find((text) => text.startsWith(name));
  if (!found) throw new Error(`no part ${name} in shader`);
  return `// ${found}`;
}
