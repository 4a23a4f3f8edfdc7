/** AdamW with decoupled weight decay and bias correction, and the global gradient norm it is clipped by. */
import adamwWgsl from '../../shaders/adamw.wgsl?raw';
import sumSquaresWgsl from '../../shaders/sum_squares.wgsl?raw';
import { check, f32, type Graph, type Op, sizeOf, type Tensor } from './graph.ts';

export interface AdamwAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; 0: no clipping. */
  readonly maxNorm: number;
}

/**
 * Σ x² over all gradients, [1, 1]: the square of torch.nn.utils.clip_grad_norm_'s total norm. NaN or infinite when a
 * gradient is, and infinite when the sum passes float32 (norms above 1.8e19; not on the float64 reference).
 */
export function sumSquares(g: Graph, gradients: readonly Tensor[]): Tensor {
  return g.call(sumSquaresOp, gradients, {})[0];
}

/**
 * One step on `parameter` in place, as torch.optim.AdamW (foreach off):
 *   g ← g · min(1, maxNorm / (√squares + 1e-6));  p ← p (1 − lr · λ);  m ← β₁ m + (1−β₁) g;  v ← β₂ v + (1−β₂) g²
 *   p ← p − lr · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε)
 * Nothing moves, on any device, when `squares` is not finite: parameter, moments and decay keep their bits. (PyTorch
 * turns an infinite norm into zero gradients and still decays weights and moments; a NaN it lets through.) `step` [3] holds lr, 1−β₁ᵗ and 1−β₂ᵗ, computed in float64 outside.
 */
export function adamw(
  g: Graph,
  parameter: Tensor,
  gradient: Tensor,
  moment1: Tensor,
  moment2: Tensor,
  squares: Tensor,
  step: Tensor,
  attributes: AdamwAttributes,
): void {
  g.call(adamwOp, [parameter, moment1, moment2, gradient, squares, step], attributes);
}

const sumSquaresOp: Op = {
  name: 'sumSquares',
  host: true,
  outputs: () => [f32(1, 1)],
  reference(inputs, [y]) {
    let total = 0;
    for (const x of inputs) for (let i = 0; i < x.length; i++) total += x[i] * x[i];
    y[0] = total;
  },
  onnx() {
    throw new Error('sumSquares runs on the host');
  },
  // First partial sums of each tensor (a workgroup takes `span` elements), then their sum.
  webgpu(gpu, { inputs, outputs: [y] }) {
    const kernel = { kernel: 'sum_squares', code: sumSquaresWgsl };
    let parts = 0;
    const shares = inputs.map((x) => {
      const count = sizeOf(x.shape);
      const span = Math.max(4096, Math.ceil(count / 256));
      const share = { x, count, span, first: parts, workgroups: Math.ceil(count / span) };
      parts += share.workgroups;
      return share;
    });
    const sums = gpu.scratch(parts * 4);
    return [
      ...shares.map(({ x, count, span, first, workgroups }) =>
        gpu.dispatch({
          ...kernel,
          bindings: [x, sums],
          params: [count, span, first, 1],
          workgroups: [workgroups],
        }),
      ),
      gpu.dispatch({ ...kernel, bindings: [sums, y], params: [parts, parts, 0, 0], workgroups: [1] }),
    ];
  },
};

const adamwOp: Op<AdamwAttributes> = {
  name: 'adamw',
  host: true,
  inPlace: [0, 1, 2],
  outputs(inputs) {
    const [p, m, v, g] = inputs;
    check(
      [m, v, g].every((t) => sizeOf(t.shape) === sizeOf(p.shape)),
      'adamw',
      'p, m, v, g of one size',
      inputs,
    );
    return [p, m, v];
  },
  reference([, , , gradient, squares, step], [p, m, v], { attributes }) {
    if (!Number.isFinite(squares[0])) return;
    const { beta1, beta2, epsilon, weightDecay, maxNorm } = attributes;
    const [rate, correction1, correction2] = step;
    const norm = Math.sqrt(squares[0]);
    const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
    const decay = 1 - rate * weightDecay;
    for (let i = 0; i < p.length; i++) {
      const d = gradient[i] * clip;
      m[i] = beta1 * m[i] + (1 - beta1) * d;
      v[i] = beta2 * v[i] + (1 - beta2) * d * d;
      p[i] = p[i] * decay - (rate * (m[i] / correction1)) / (Math.sqrt(v[i] / correction2) + epsilon);
    }
  },
  onnx() {
    throw new Error('adamw runs on the host');
  },
  webgpu(gpu, { inputs: [p, m, v, g, squares, step], attributes }) {
    const count = sizeOf(p.shape);
    const { beta1, beta2, epsilon, weightDecay, maxNorm } = attributes;
    return [
      gpu.dispatch({
        kernel: 'adamw',
        code: adamwWgsl,
        bindings: [p, m, v, g, squares, step],
        params: [
          count,
          { f32: beta1 },
          { f32: 1 - beta1 },
          { f32: beta2 },
          { f32: 1 - beta2 },
          { f32: epsilon },
          { f32: weightDecay },
          { f32: maxNorm },
        ],
        threads: count,
      }),
    ];
  },
};
