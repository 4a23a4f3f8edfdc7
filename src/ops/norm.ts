/** LayerNorm (vision tower) and RMSNorm (decoder), rows normalised over their d features. */

import layerNormWgsl from '../../shaders/layer_norm.wgsl?raw';
import layerNormBackwardWgsl from '../../shaders/layer_norm_backward.wgsl?raw';
import rmsNormWgsl from '../../shaders/rms_norm.wgsl?raw';
import rmsNormBackwardWgsl from '../../shaders/rms_norm_backward.wgsl?raw';
import { mul } from './elementwise.ts';
import { check, f32, type Graph, type Op, type Tensor } from './graph.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';

interface NormAttributes {
  readonly epsilon: number;
}

/** y = (x − mean) · rstd · weight + bias over x [R, d]; rstd = 1/√(var + ε), biased variance. */
export function layerNorm(g: Graph, x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return g.call(layerNormOp, [x, weight, bias], { epsilon })[0];
}

/** y = x · rstd · weight over x [R, d]; rstd = 1/√(mean(x²) + ε). */
export function rmsNorm(g: Graph, x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return g.call(rmsNormOp, [x, weight], { epsilon })[0];
}

// Outputs: y [R, d], xhat [R, d] (normalised, before weight and bias), rstd [R, 1]: what the backward needs.
const layerNormOp: Op<NormAttributes> = {
  name: 'layerNorm',
  outputs(inputs) {
    const [x, weight, bias] = inputs;
    const d = x.shape[1];
    check(
      x.shape.length === 2 && weight.shape[0] === d && bias.shape[0] === d,
      'layerNorm',
      'x [R, d], weight [d], bias [d]',
      inputs,
    );
    return [f32(...x.shape), f32(...x.shape), f32(x.shape[0], 1)];
  },
  reference([x, weight, bias], [y, xhat, rstd], { inputs: [{ shape }], attributes: { epsilon } }) {
    const [rows, d] = shape;
    for (let r = 0; r < rows; r++) {
      let mean = 0;
      let variance = 0;
      for (let c = 0; c < d; c++) mean += x[r * d + c] / d;
      for (let c = 0; c < d; c++) variance += (x[r * d + c] - mean) ** 2 / d;
      rstd[r] = 1 / Math.sqrt(variance + epsilon);
      for (let c = 0; c < d; c++) {
        xhat[r * d + c] = (x[r * d + c] - mean) * rstd[r];
        y[r * d + c] = xhat[r * d + c] * weight[c] + bias[c];
      }
    }
  },
  backward(g, { inputs: [, weight, bias], outputs: [, xhat, rstd] }, [dy], needs) {
    if (!dy) return [];
    return [
      needs[0] ? g.call(layerNormBackwardOp, [dy, xhat, rstd, weight], {})[0] : undefined,
      needs[1] ? reshape(g, sum(g, mul(g, dy, xhat), 0), weight.shape) : undefined,
      needs[2] ? reshape(g, sum(g, dy, 0), bias.shape) : undefined,
    ];
  },
  onnx(b, { inputs: [x, weight, bias], attributes: { epsilon } }) {
    const [y, mean, rstd] = b.nodes('LayerNormalization', [b.name(x), b.name(weight), b.name(bias)], 3, {
      axis: -1,
      epsilon: { f: epsilon },
    });
    return [y, b.node('Mul', [b.node('Sub', [b.name(x), mean]), rstd]), rstd];
  },
  webgpu(gpu, { inputs: [x, weight, bias], outputs: [y, xhat, rstd], attributes: { epsilon } }) {
    const [rows, d] = x.shape;
    return [
      gpu.dispatch({
        kernel: 'layer_norm',
        code: layerNormWgsl,
        bindings: [x, weight, bias, y, xhat, rstd],
        params: [rows, d, { f32: epsilon }],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};

// dx = rstd · (g − mean(g) − xhat · mean(g · xhat)),  g = dy · weight.
const layerNormBackwardOp: Op = {
  name: 'layerNormBackward',
  outputs: ([dy]) => [f32(...dy.shape)],
  reference([dy, xhat, rstd, weight], [dx], { inputs: [{ shape }] }) {
    const [rows, d] = shape;
    for (let r = 0; r < rows; r++) {
      let mean = 0;
      let dot = 0;
      for (let i = r * d, c = 0; c < d; i++, c++) {
        mean += (dy[i] * weight[c]) / d;
        dot += (dy[i] * weight[c] * xhat[i]) / d;
      }
      for (let i = r * d, c = 0; c < d; i++, c++)
        dx[i] = rstd[r] * (dy[i] * weight[c] - mean - xhat[i] * dot);
    }
  },
  onnx(b, { inputs }) {
    const [dy, xhat, rstd, weight] = inputs.map((t) => b.name(t));
    const over = { axes: b.ints([1]), keep: { keepdims: 1 } };
    const grad = b.node('Mul', [dy, weight]);
    const mean = b.node('ReduceMean', [grad, over.axes], over.keep);
    const dot = b.node('ReduceMean', [b.node('Mul', [grad, xhat]), over.axes], over.keep);
    const centred = b.node('Sub', [b.node('Sub', [grad, mean]), b.node('Mul', [xhat, dot])]);
    return [b.node('Mul', [centred, rstd])];
  },
  webgpu(gpu, { inputs: [dy, xhat, rstd, weight], outputs: [dx] }) {
    const [rows, d] = dy.shape;
    return [
      gpu.dispatch({
        kernel: 'layer_norm_backward',
        code: layerNormBackwardWgsl,
        bindings: [dy, xhat, rstd, weight, dx],
        params: [rows, d],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};

// Outputs: y [R, d], rstd [R, 1].
const rmsNormOp: Op<NormAttributes> = {
  name: 'rmsNorm',
  outputs(inputs) {
    const [x, weight] = inputs;
    check(x.shape.length === 2 && weight.shape[0] === x.shape[1], 'rmsNorm', 'x [R, d], weight [d]', inputs);
    return [f32(...x.shape), f32(x.shape[0], 1)];
  },
  reference([x, weight], [y, rstd], { inputs: [{ shape }], attributes: { epsilon } }) {
    const [rows, d] = shape;
    for (let r = 0; r < rows; r++) {
      let square = 0;
      for (let c = 0; c < d; c++) square += x[r * d + c] ** 2 / d;
      rstd[r] = 1 / Math.sqrt(square + epsilon);
      for (let c = 0; c < d; c++) y[r * d + c] = x[r * d + c] * rstd[r] * weight[c];
    }
  },
  backward(g, { inputs: [x, weight], outputs: [, rstd] }, [dy], needs) {
    if (!dy) return [];
    const [dx, dyxhat] = g.call(rmsNormBackwardOp, [dy, x, rstd, weight], {});
    return [needs[0] ? dx : undefined, needs[1] ? reshape(g, sum(g, dyxhat, 0), weight.shape) : undefined];
  },
  onnx(b, { inputs: [x, weight], attributes: { epsilon } }) {
    const d = x.shape[1];
    const y = b.node('SimplifiedLayerNormalization', [b.name(x), b.name(weight)], {
      axis: -1,
      epsilon: { f: epsilon },
    });
    // Its second output is not rstd on every backend, so rstd is made apart (one pass over x).
    const square = b.node('ReduceSumSquare', [b.name(x), b.ints([1])], { keepdims: 1 });
    const variance = b.node('Add', [b.node('Mul', [square, b.scalar(1 / d)]), b.scalar(epsilon)]);
    return [y, b.node('Reciprocal', [b.node('Sqrt', [variance])])];
  },
  webgpu(gpu, { inputs: [x, weight], outputs: [y, rstd], attributes: { epsilon } }) {
    const [rows, d] = x.shape;
    return [
      gpu.dispatch({
        kernel: 'rms_norm',
        code: rmsNormWgsl,
        bindings: [x, weight, y, rstd],
        params: [rows, d, { f32: epsilon }],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};

// dx = rstd · (g − x · rstd² · mean(g · x)),  g = dy · weight;  second output dy · x · rstd, whose column sum is d(weight).
const rmsNormBackwardOp: Op = {
  name: 'rmsNormBackward',
  outputs: ([dy]) => [f32(...dy.shape), f32(...dy.shape)],
  reference([dy, x, rstd, weight], [dx, dyxhat], { inputs: [{ shape }] }) {
    const [rows, d] = shape;
    for (let r = 0; r < rows; r++) {
      let dot = 0;
      for (let i = r * d, c = 0; c < d; i++, c++) dot += (dy[i] * weight[c] * x[i]) / d;
      for (let i = r * d, c = 0; c < d; i++, c++) {
        dx[i] = rstd[r] * (dy[i] * weight[c] - x[i] * rstd[r] ** 2 * dot);
        dyxhat[i] = dy[i] * x[i] * rstd[r];
      }
    }
  },
  onnx(b, { inputs: [dyTensor, xTensor, rstdTensor, weightTensor] }) {
    const [dy, x, rstd, weight] = [dyTensor, xTensor, rstdTensor, weightTensor].map((t) => b.name(t));
    const d = dyTensor.shape[1];
    const dyxhat = b.node('Mul', [b.node('Mul', [dy, x]), rstd]);
    // mean(g · x) · rstd as a matrix-vector product: cheaper than a product and a reduction.
    const dot = b.node('Mul', [b.node('MatMul', [dyxhat, b.reshape(weight, [d, 1])]), b.scalar(1 / d)]);
    const pull = b.node('Mul', [x, b.node('Mul', [dot, b.node('Mul', [rstd, rstd])])]);
    const push = b.node('Mul', [b.node('Mul', [dy, weight]), rstd]);
    return [b.node('Sub', [push, pull]), dyxhat];
  },
  webgpu(gpu, { inputs: [dy, x, rstd, weight], outputs: [dx, dyxhat] }) {
    const [rows, d] = dy.shape;
    return [
      gpu.dispatch({
        kernel: 'rms_norm_backward',
        code: rmsNormBackwardWgsl,
        bindings: [dy, x, rstd, weight, dx, dyxhat],
        params: [rows, d],
        workgroups: gpu.fold(rows),
      }),
    ];
  },
};
