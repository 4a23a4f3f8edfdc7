/**
 * The language-model head and what PAPO needs of its distributions, for each row of hidden states: log-probability
 * of the target, entropy over the vocabulary, and the exact KL between the original and the masked view. Logits of
 * all rows are never held at once on WebGPU: chunk by chunk, statistics forward, gradients (from recomputed
 * logits) backward.
 *
 *   d/dz log p(y) = onehot(y) − p      d/dz H = −p (log p + H)
 *   d/dz KL(p‖q)  = p (log p − log q − KL)      d/dz' KL(p‖q) = q − p        (z the original's logits, z' the masked)
 */
import { check, f32, type Graph, type NumericArray, type Op, type Tensor } from './graph.ts';
import { headBackwardNodes, headNodes } from './head-onnx.ts';
import { headBackwardDispatches, headDispatches } from './head-webgpu.ts';

export interface HeadAttributes {
  /** 1: rows of one view. 2: the first half of the rows saw the original image, the second half the masked one. */
  readonly views: 1 | 2;
  /** Most bytes of logits held at once; default headSettings.chunkBytes. */
  readonly chunkBytes?: number;
}

export interface HeadStatistics {
  /** log p(target), [views · N, 1] */
  readonly logps: Tensor;
  /** −Σ p log p, [views · N, 1] */
  readonly entropy: Tensor;
  /** KL(original ‖ masked), [N, 1]; zeros with one view */
  readonly kl: Tensor;
}

/** hidden [views · N, d], weight [V, d], targets [N] i32, temperature [1, 1]: logits are divided by it. */
export function head(
  g: Graph,
  hidden: Tensor,
  weight: Tensor,
  targets: Tensor,
  temperature: Tensor,
  views: 1 | 2,
  chunkBytes?: number,
): HeadStatistics {
  const attributes = { views, ...(chunkBytes && { chunkBytes }) };
  const [logps, entropy, kl] = g.call(headOp, [hidden, weight, targets, temperature], attributes);
  return { logps, entropy, kl };
}

/** Row-wise log-softmax of hidden · weightᵀ / temperature, for the reference. */
function logProbabilities(
  hidden: NumericArray,
  weight: NumericArray,
  temperature: number,
  rows: number,
  d: number,
): Float64Array {
  const vocabulary = weight.length / d;
  const out = new Float64Array(rows * vocabulary);
  for (let r = 0; r < rows; r++) {
    let top = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < vocabulary; v++) {
      let z = 0;
      for (let c = 0; c < d; c++) z += hidden[r * d + c] * weight[v * d + c];
      out[r * vocabulary + v] = z / temperature;
      top = Math.max(top, z / temperature);
    }
    let total = 0;
    for (let v = 0; v < vocabulary; v++) total += Math.exp(out[r * vocabulary + v] - top);
    const lse = top + Math.log(total);
    for (let v = 0; v < vocabulary; v++) out[r * vocabulary + v] -= lse;
  }
  return out;
}

const headOp: Op<HeadAttributes> = {
  name: 'head',
  halfInputs: [1],
  outputs(inputs, { views }) {
    const [hidden, weight, targets, temperature] = inputs;
    const rows = hidden.shape[0];
    check(hidden.shape[1] === weight.shape[1], 'head', 'hidden [R, d], weight [V, d]', inputs);
    check(
      targets.shape[0] * views === rows && targets.dtype === 'i32',
      'head',
      'targets must be i32 [R / views]',
      inputs,
    );
    check(temperature.shape.length === 2, 'head', 'temperature must be [1, 1]', inputs);
    return [f32(rows, 1), f32(rows, 1), f32(rows / views, 1)];
  },
  reference([hidden, weight, targets, temperature], [logps, entropy, kl], { inputs, attributes: { views } }) {
    const [rows, d] = inputs[0].shape;
    const V = inputs[1].shape[0];
    const N = rows / views;
    const logp = logProbabilities(hidden, weight, temperature[0], rows, d);
    for (let r = 0; r < rows; r++) {
      logps[r] = logp[r * V + targets[r % N]];
      for (let v = 0; v < V; v++) entropy[r] -= Math.exp(logp[r * V + v]) * logp[r * V + v];
    }
    if (views === 2)
      for (let r = 0; r < N; r++)
        for (let v = 0; v < V; v++)
          kl[r] += Math.exp(logp[r * V + v]) * (logp[r * V + v] - logp[(N + r) * V + v]);
  },
  backward(g, call, [dlogps, dentropy, dkl], needs) {
    const [hidden, weight, targets, temperature] = call.inputs;
    const [logps, entropy, kl] = call.outputs;
    const zeros = (t: Tensor) => g.constant(new Float32Array(t.shape[0]), t.shape);
    const [dhidden, dweight] = g.call(
      headBackwardOp,
      [
        hidden,
        weight,
        targets,
        temperature,
        logps,
        entropy,
        kl,
        dlogps ?? zeros(logps),
        dentropy ?? zeros(entropy),
        dkl ?? zeros(kl),
      ],
      { ...call.attributes, weightGradient: needs[1] },
    );
    return [needs[0] ? dhidden : undefined, dweight];
  },
  onnx: headNodes,
  webgpu: (gpu, { inputs, outputs, attributes }) => headDispatches(gpu, inputs, outputs, attributes),
};

export interface HeadBackwardAttributes extends HeadAttributes {
  /** A frozen weight (its gradient is as large as itself) has none. */
  readonly weightGradient: boolean;
}

/** Inputs: those of the head, its outputs, and their gradients. Outputs: d(hidden), and d(weight) where it is wanted. */
const headBackwardOp: Op<HeadBackwardAttributes> = {
  name: 'headBackward',
  halfInputs: [1],
  outputs: ([hidden, weight], { weightGradient }) =>
    (weightGradient ? [hidden, weight] : [hidden]).map(({ shape }) => f32(...shape)),
  reference(inputs, [dhidden, dweight], { inputs: specs, attributes: { views } }) {
    const [hidden, weight, targets, temperature, , entropy, kl, dlogps, dentropy, dkl] = inputs;
    const [rows, d] = specs[0].shape;
    const V = specs[1].shape[0];
    const N = rows / views;
    const logp = logProbabilities(hidden, weight, temperature[0], rows, d);
    for (let r = 0; r < rows; r++)
      for (let v = 0; v < V; v++) {
        const l = logp[r * V + v];
        const p = Math.exp(l);
        let dz = dlogps[r] * ((targets[r % N] === v ? 1 : 0) - p) - dentropy[r] * p * (l + entropy[r]);
        if (views === 2 && r < N) dz += dkl[r] * p * (l - logp[(N + r) * V + v] - kl[r]);
        if (views === 2 && r >= N) dz += dkl[r - N] * (p - Math.exp(logp[(r - N) * V + v]));
        dz /= temperature[0];
        for (let c = 0; c < d; c++) {
          dhidden[r * d + c] += dz * weight[v * d + c];
          if (dweight) dweight[v * d + c] += dz * hidden[r * d + c];
        }
      }
  },
  onnx: headBackwardNodes,
  webgpu: (gpu, { inputs, outputs, attributes }) => headBackwardDispatches(gpu, inputs, outputs, attributes),
};
