/**
 * The language-model head and what PAPO needs of its distributions, for each row of hidden states: log-probability
 * of the target, entropy over the vocabulary, and the exact KL between the original and the masked view. Logits of
 * all rows are never held at once on WebGPU: chunk by chunk, statistics forward, gradients (from recomputed
 * logits) backward.
 *
 *   d/dz log p(y) = onehot(y) − p      d/dz H = −p (log p + H)
 *   d/dz KL(p‖q)  = p (log p − log q − KL)      d/dz' KL(p‖q) = q − p        (z the original's logits, z' the masked)
 */
import type { OnnxBuilder } from '../device/cpu/onnx-builder.ts';
import { check, f32, type Graph, type NumericArray, type Op, type Tensor } from './graph.ts';
import { headBackwardDispatches, headDispatches } from './head-webgpu.ts';

export interface HeadAttributes {
  /** 1: rows of one view. 2: the first half of the rows saw the original image, the second half the masked one. */
  readonly views: 1 | 2;
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
): HeadStatistics {
  const [logps, entropy, kl] = g.call(headOp, [hidden, weight, targets, temperature], { views });
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
  onnx(b, { inputs: [hidden, weight, targets, temperature], outputs: [logps], attributes: { views } }) {
    const rows = hidden.shape[0];
    const N = rows / views;
    const logits = b.node('Gemm', [b.name(hidden), b.name(weight)], { transB: 1 });
    const logp = b.node('LogSoftmax', [b.node('Div', [logits, b.name(temperature)])], { axis: 1 });
    const p = b.node('Exp', [logp]);
    b.stash(logps, 'logp', logp);
    b.stash(logps, 'p', p);
    const index = b.reshape(b.concat(Array(views).fill(b.name(targets)), 0), [rows, 1]);
    const chosen = b.node('GatherElements', [logp, index], { axis: 1 });
    const total = (name: string) => b.node('ReduceSum', [name, b.ints([1])], { keepdims: 1 });
    const entropy = b.node('Neg', [total(b.node('Mul', [p, logp]))]);
    if (views === 1) return [chosen, entropy, b.constant(new Float32Array(N), [N, 1])];
    const difference = b.node('Sub', [b.slice(logp, 0, 0, N), b.slice(logp, 0, N, rows)]);
    b.stash(logps, 'difference', difference);
    return [chosen, entropy, total(b.node('Mul', [b.slice(p, 0, 0, N), difference]))];
  },
  webgpu: (gpu, { inputs, outputs, attributes: { views } }) => headDispatches(gpu, inputs, outputs, views),
};

interface HeadBackwardAttributes extends HeadAttributes {
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
  onnx(b, call) {
    const [hidden, weight, targets, temperature, logps, entropy, kl, dlogps, dentropy, dkl] = call.inputs;
    const { views, weightGradient } = call.attributes;
    const [rows, V] = [hidden.shape[0], weight.shape[0]];
    const N = rows / views;
    const [logp, p] = [b.stashOf(logps, 'logp')!, b.stashOf(logps, 'p')!];
    const index = b.concat(Array(views).fill(b.name(targets)), 0);
    const words = b.constant(
      Int32Array.from({ length: V }, (_, v) => v),
      [1, V],
    );
    const onehot = b.cast(b.node('Equal', [b.reshape(index, [rows, 1]), words]), 'f32');
    const terms = [
      b.node('Mul', [b.node('Sub', [onehot, p]), b.name(dlogps)]),
      b.node('Neg', [
        b.node('Mul', [b.node('Mul', [p, b.node('Add', [logp, b.name(entropy)])]), b.name(dentropy)]),
      ]),
    ];
    if (views === 2)
      terms.push(
        klTerm(b, {
          N,
          rows,
          p,
          difference: b.stashOf(logps, 'difference')!,
          kl: b.name(kl),
          dkl: b.name(dkl),
        }),
      );
    const dz = b.node('Div', [terms.reduce((a, c) => b.node('Add', [a, c])), b.name(temperature)]);
    const dhidden = b.node('Gemm', [dz, b.name(weight)]);
    return weightGradient
      ? [dhidden, b.node('MatMul', [b.transpose(dz, [1, 0]), b.name(hidden)])]
      : [dhidden];
  },
  webgpu: (gpu, { inputs, outputs, attributes: { views } }) =>
    headBackwardDispatches(gpu, inputs, outputs, views),
};

function klTerm(
  b: OnnxBuilder,
  {
    N,
    rows,
    p,
    difference,
    kl,
    dkl,
  }: Record<'p' | 'difference' | 'kl' | 'dkl', string> & { N: number; rows: number },
): string {
  const original = b.slice(p, 0, 0, N);
  const masked = b.slice(p, 0, N, rows);
  const first = b.node('Mul', [b.node('Mul', [original, b.node('Sub', [difference, kl])]), dkl]);
  return b.concat([first, b.node('Mul', [b.node('Sub', [masked, original]), dkl])], 0);
}
