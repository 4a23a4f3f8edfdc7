/** Matrix products: y = x Wᵀ + b and its two gradients, one op with transposes. */
import { add } from './elementwise.ts';
import { check, f32, type Graph, type Op, type Tensor } from './graph.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';

interface MatmulAttributes {
  /** A is stored [K, M]. */
  readonly transA?: boolean;
  /** B is stored [N, K]. */
  readonly transB?: boolean;
}

/** y [M, N] = x [M, K] · weight [N, K]ᵀ + bias [N], torch.nn.Linear's layout. */
export function linear(g: Graph, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return g.call(matmulOp, bias ? [x, weight, bias] : [x, weight], { transB: true })[0];
}

/** C [M, N] = A · B, each read transposed where asked. */
export function matmul(g: Graph, a: Tensor, b: Tensor, attributes: MatmulAttributes = {}): Tensor {
  return g.call(matmulOp, [a, b], attributes)[0];
}

function dimensions([a, b]: readonly { shape: readonly number[] }[], { transA, transB }: MatmulAttributes) {
  const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [kb, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  return { m, n, k, kb };
}

const matmulOp: Op<MatmulAttributes> = {
  name: 'matmul',
  halfInputs: [1],
  outputs(inputs, attributes) {
    const [a, b, bias] = inputs;
    check(a.shape.length === 2 && b.shape.length === 2, 'matmul', 'takes matrices', inputs);
    const { m, n, k, kb } = dimensions(inputs, attributes);
    check(k === kb, 'matmul', `inner sizes differ (${k} and ${kb})`, inputs);
    check(
      !bias || (bias.shape.length === 1 && bias.shape[0] === n),
      'matmul',
      `the bias must be [${n}]`,
      inputs,
    );
    return [f32(m, n)];
  },
  reference([a, b, bias], [c], { inputs, attributes }) {
    const { m, n, k } = dimensions(inputs, attributes);
    const { transA, transB } = attributes;
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let total = bias ? bias[j] : 0;
        for (let l = 0; l < k; l++)
          total += a[transA ? l * m + i : i * k + l] * b[transB ? j * k + l : l * n + j];
        c[i * n + j] = total;
      }
  },
  backward(g, { inputs: [a, b, bias], attributes: { transA, transB } }, [dc], needs) {
    if (!dc) return [];
    const da = !needs[0]
      ? undefined
      : transA
        ? matmul(g, b, dc, { transA: transB, transB: true })
        : matmul(g, dc, b, { transB: !transB });
    const db = !needs[1]
      ? undefined
      : transB
        ? matmul(g, dc, a, { transA: true, transB: transA })
        : matmul(g, a, dc, { transA: !transA });
    return [da, db, bias && needs[2] ? reshape(g, sum(g, dc, 0), bias.shape) : undefined];
  },
  onnx(b, { inputs, attributes: { transA, transB } }) {
    const [a, w, bias] = inputs.map((t) => b.name(t));
    // Gemm reads a transposed A three times slower than a transposing copy and a product take (WASM, one thread).
    if (transA && !bias)
      return [b.node('MatMul', [b.transpose(a, [1, 0]), transB ? b.transpose(w, [1, 0]) : w])];
    const operands = bias ? [a, w, bias] : [a, w];
    return [b.node('Gemm', operands, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 })];
  },
  webgpu(gpu, { inputs, outputs: [c], attributes }) {
    const { m, n, k } = dimensions(inputs, attributes);
    const { transA, transB } = attributes;
    const [a, b, bias] = inputs;
    return gpu.gemm({
      m,
      n,
      k,
      a: { tensor: a, rowStride: transA ? 1 : k, columnStride: transA ? m : 1 },
      b: { tensor: b, rowStride: transB ? 1 : n, columnStride: transB ? k : 1 },
      c,
      bias,
    });
  },
};

/** x [B·n, d] + table [n, d], the table repeated for each of the B blocks (learned positions). */
export function addTable(g: Graph, x: Tensor, table: Tensor): Tensor {
  const size = table.shape[0] * table.shape[1];
  const blocks = x.shape[0] / table.shape[0];
  return reshape(g, add(g, reshape(g, x, [blocks, size]), reshape(g, table, [1, size])), x.shape);
}
