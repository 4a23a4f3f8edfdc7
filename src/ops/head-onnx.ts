/**
 * ONNX lowering of the head. Few logits are kept from the forward to the backward pass; many are computed in chunks of
 * rows, and again in the backward pass, so that all of them are never there at once.
 */
import type { OnnxBuilder } from '../device/cpu/onnx-builder.ts';
import type { Call, Tensor } from './graph.ts';
import type { HeadAttributes, HeadBackwardAttributes } from './head.ts';
import { headSettings } from './head-webgpu.ts';

/** Rows first … first + count of every view; both views of a row are in one chunk, for the KL. */
interface Chunk {
  readonly first: number;
  readonly count: number;
}

interface Sizes {
  readonly vocabulary: number;
  /** N, the rows of one view. */
  readonly rows: number;
  readonly views: number;
  readonly chunkBytes: number;
}

function sizesOf(
  hidden: Tensor,
  weight: Tensor,
  { views, chunkBytes = headSettings.chunkBytes }: HeadAttributes,
): Sizes {
  return { vocabulary: weight.shape[0], rows: hidden.shape[0] / views, views, chunkBytes };
}

function chunksOf({ rows, vocabulary, views, chunkBytes }: Sizes): Chunk[] {
  const most = Math.max(1, Math.floor(chunkBytes / (views * vocabulary * 4)));
  const size = Math.ceil(rows / Math.ceil(rows / most));
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, rows - i * size),
  }));
}

/** A chunk's rows of a value [views · N, …], first those of the original view; of one of [N, …] where `views` is 1. */
function rowsOf(b: OnnxBuilder, name: string, { first, count }: Chunk, { rows, views }: Sizes): string {
  if (count === rows) return name;
  const parts = Array.from({ length: views }, (_, v) =>
    b.slice(name, 0, v * rows + first, v * rows + first + count),
  );
  return b.concat(parts, 0);
}

/** What is computed by chunks, as one value: first all rows of the original view. */
function joinChunks(
  b: OnnxBuilder,
  parts: readonly string[],
  chunks: readonly Chunk[],
  views: number,
): string {
  if (parts.length === 1) return parts[0];
  const ofView = (v: number) =>
    parts.map((name, i) => {
      const { count } = chunks[i];
      return views === 1 ? name : b.slice(name, 0, v * count, (v + 1) * count);
    });
  return b.concat(Array.from({ length: views }, (_, v) => ofView(v)).flat(), 0);
}

interface Distributions {
  /** [views · count, V] */
  readonly logp: string;
  readonly p: string;
  /** log p − log q of the two views, [count, V] */
  readonly difference?: string;
}

function distributions(
  b: OnnxBuilder,
  { inputs: [hidden, weight, , temperature] }: Call<HeadAttributes>,
  chunk: Chunk,
  sizes: Sizes,
  isAgain: boolean,
): Distributions {
  const { count } = chunk;
  const operands = [rowsOf(b, b.name(hidden), chunk, sizes), b.name(weight)];
  // beta scales a third operand that is not there. It keeps onnxruntime from seeing that the same product was made in
  // the forward pass, whose logits it would otherwise hold until here.
  const logits = b.node('Gemm', operands, { transB: 1, ...(isAgain && { beta: { f: 0.5 } }) });
  const logp = b.node('LogSoftmax', [b.node('Div', [logits, b.name(temperature)])], { axis: 1 });
  const p = b.node('Exp', [logp]);
  if (sizes.views === 1) return { logp, p };
  return {
    logp,
    p,
    difference: b.node('Sub', [b.slice(logp, 0, 0, count), b.slice(logp, 0, count, 2 * count)]),
  };
}

/** The target of each row of a chunk, the same in all views, [views · count, 1]. */
function targetsOf(b: OnnxBuilder, call: Call<HeadAttributes>, chunk: Chunk, sizes: Sizes): string {
  const own = rowsOf(b, b.name(call.inputs[2]), chunk, { ...sizes, views: 1 });
  return b.reshape(b.concat(Array(sizes.views).fill(own), 0), [sizes.views * chunk.count, 1]);
}

export function headNodes(b: OnnxBuilder, call: Call<HeadAttributes>): string[] {
  const sizes = sizesOf(call.inputs[0], call.inputs[1], call.attributes);
  const { views } = sizes;
  const [logps] = call.outputs;
  const chunks = chunksOf(sizes);
  const total = (name: string) => b.node('ReduceSum', [name, b.ints([1])], { keepdims: 1 });
  const found = chunks.map((chunk) => {
    const made = distributions(b, call, chunk, sizes, false);
    const { logp, p, difference } = made;
    if (chunks.length === 1)
      for (const [key, name] of Object.entries(made)) b.stash(logps, key, name as string);
    return {
      chosen: b.node('GatherElements', [logp, targetsOf(b, call, chunk, sizes)], { axis: 1 }),
      entropy: b.node('Neg', [total(b.node('Mul', [p, logp]))]),
      kl: difference
        ? total(b.node('Mul', [b.slice(p, 0, 0, chunk.count), difference]))
        : b.constant(new Float32Array(chunk.count), [chunk.count, 1]),
    };
  });
  if (chunks.length === 1) return [found[0].chosen, found[0].entropy, found[0].kl];
  // The three of a chunk as columns of one value: onnxruntime goes back from the results, and would compute the first of
  // every chunk, and keep all distributions for the others, before it comes to the second.
  const columns = found.map(({ chosen, entropy, kl }) =>
    b.concat([chosen, entropy, b.concat(Array(views).fill(kl), 0)], 1),
  );
  const all = joinChunks(b, columns, chunks, views);
  const [chosen, entropy, kl] = [0, 1, 2].map((column) => b.slice(all, 1, column, column + 1));
  return [chosen, entropy, b.slice(kl, 0, 0, sizes.rows)];
}

export function headBackwardNodes(b: OnnxBuilder, call: Call<HeadBackwardAttributes>): string[] {
  const [hidden, weight, , temperature, logps, entropy, kl, dlogps, dentropy, dkl] = call.inputs;
  const { weightGradient } = call.attributes;
  const sizes = sizesOf(call.inputs[0], call.inputs[1], call.attributes);
  const { views, vocabulary } = sizes;
  const chunks = chunksOf(sizes);
  const words = b.constant(
    Int32Array.from({ length: vocabulary }, (_, v) => v),
    [1, vocabulary],
  );
  const found = chunks.map((chunk) => {
    const { count } = chunk;
    const rows = (name: string, parts = views) => rowsOf(b, name, chunk, { ...sizes, views: parts });
    const kept = b.stashOf(logps, 'logp');
    const { logp, p, difference } = kept
      ? { logp: kept, p: b.stashOf(logps, 'p')!, difference: b.stashOf(logps, 'difference') }
      : distributions(b, call, chunk, sizes, true);
    const onehot = b.cast(b.node('Equal', [targetsOf(b, call, chunk, sizes), words]), 'f32');
    const ofEntropy = b.node('Mul', [p, b.node('Add', [logp, rows(b.name(entropy))])]);
    const terms = [
      b.node('Mul', [b.node('Sub', [onehot, p]), rows(b.name(dlogps))]),
      b.node('Neg', [b.node('Mul', [ofEntropy, rows(b.name(dentropy))])]),
    ];
    if (difference) {
      const [original, masked] = [b.slice(p, 0, 0, count), b.slice(p, 0, count, 2 * count)];
      const weightOf = rows(b.name(dkl), 1);
      const above = b.node('Sub', [difference, rows(b.name(kl), 1)]);
      const first = b.node('Mul', [b.node('Mul', [original, above]), weightOf]);
      const second = b.node('Mul', [b.node('Sub', [masked, original]), weightOf]);
      terms.push(b.concat([first, second], 0));
    }
    const dz = b.node('Div', [terms.reduce((a, c) => b.node('Add', [a, c])), b.name(temperature)]);
    return {
      dhidden: b.node('Gemm', [dz, b.name(weight)]),
      dweight: weightGradient ? b.node('MatMul', [b.transpose(dz, [1, 0]), rows(b.name(hidden))]) : undefined,
    };
  });
  const dhidden = joinChunks(
    b,
    found.map((chunk) => chunk.dhidden),
    chunks,
    views,
  );
  if (!weightGradient) return [dhidden];
  return [dhidden, found.map((chunk) => chunk.dweight!).reduce((a, c) => b.node('Add', [a, c]))];
}
