/** Reverse-mode differentiation: a walk back over a graph's calls. */
import { add } from './elementwise.ts';
import type { Call, Graph, Tensor } from './graph.ts';

/**
 * Appends to `g` the calls that compute d(loss)/d(t) for every tensor of `wrt`.
 * `seed`: gradient of the outer loss with respect to each seeded tensor; a scalar loss is seeded with 1.
 * Returns the gradients in the order of `wrt`; throws if one does not depend on the loss.
 */
export function gradients(g: Graph, seeds: Map<Tensor, Tensor>, wrt: readonly Tensor[]): Tensor[] {
  const found = partialGradients(g, seeds, wrt);
  return found.map((gradient, i) => {
    if (!gradient) throw new Error(`the loss does not depend on ${wrt[i].name} [${wrt[i].shape}]`);
    return gradient;
  });
}

/**
 * The same, with undefined where the loss does not depend on the tensor. What a block of the graph computed is computed
 * again before the walk goes back over it (Chen et al., "Training deep nets with sublinear memory cost", arXiv
 * 1604.06174), so that nothing inside a block lives from the forward to the backward pass; a block's second computation
 * and its gradients are one block of the result.
 */
export function partialGradients(
  g: Graph,
  seeds: Map<Tensor, Tensor>,
  wrt: readonly Tensor[],
): (Tensor | undefined)[] {
  const forward = [...g.calls];
  // Only tensors that some `wrt` flows into need a gradient: frozen towers cost nothing.
  const needed = new Set<Tensor>(wrt);
  for (const { op, inputs, outputs } of forward) {
    if (op.backward && inputs.some((t) => needed.has(t))) for (const t of outputs) needed.add(t);
  }
  const gradient = new Map<Tensor, Tensor>(seeds);
  /** Goes back over one call; a gradient's tensor is `of` the call's own. */
  const walk = (call: Call, of: (t: Tensor) => Tensor = (t) => t): void => {
    if (!call.op.backward || !call.outputs.some((t) => gradient.has(of(t)))) return;
    const needs = call.inputs.map((t) => t.dtype === 'f32' && needed.has(of(t)));
    if (!needs.some(Boolean)) return;
    const ofOutputs = call.outputs.map((t) => gradient.get(of(t)));
    call.op.backward(g, call, ofOutputs, needs).forEach((term, i) => {
      if (!term || !needs[i]) return;
      const tensor = of(call.inputs[i]);
      const sum = gradient.get(tensor);
      gradient.set(tensor, sum ? add(g, sum, term) : term);
    });
  };
  const blocks = [...g.blocks];
  for (let end = forward.length; end > 0; ) {
    const block = blocks.at(-1);
    if (block?.end !== end) {
      walk(forward[--end]);
      continue;
    }
    blocks.pop();
    end = block.start;
    const calls = forward.slice(block.start, block.end);
    const isNeeded = ({ outputs }: Call) => outputs.some((t) => needed.has(t) && gradient.has(t));
    if (calls.some(isNeeded)) g.block(() => recompute(g, calls, walk));
  }
  return wrt.map((t) => gradient.get(t));
}

/** Appends the calls of a block a second time, with results of their own, and goes back over these. */
function recompute(
  g: Graph,
  calls: readonly Call[],
  walk: (call: Call, of: (t: Tensor) => Tensor) => void,
): void {
  const again = new Map<Tensor, Tensor>();
  const original = new Map<Tensor, Tensor>();
  const first = g.calls.length;
  const copies = calls.map((call) => {
    const inputs = call.inputs.map((t) => again.get(t) ?? t);
    const outputs = g.call(call.op, inputs, call.attributes);
    call.outputs.forEach((t, i) => {
      again.set(t, outputs[i]);
      original.set(outputs[i], t);
    });
    return g.calls[g.calls.length - 1];
  });
  const firstGradient = g.calls.length;
  for (const copy of copies.toReversed()) walk(copy, (t) => original.get(t) ?? t);
  // What no gradient reads (a layer's last products) need not be computed again.
  const read = new Set(g.calls.slice(firstGradient).flatMap(({ inputs }) => inputs));
  const kept = copies.toReversed().filter((copy) => {
    const isRead = copy.outputs.some((t) => read.has(t));
    if (isRead) for (const t of copy.inputs) read.add(t);
    return isRead;
  });
  g.calls.splice(first, copies.length, ...kept.toReversed());
}
